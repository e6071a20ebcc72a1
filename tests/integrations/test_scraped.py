"""A router's metrics, followed: what Prometheus would read of a real sink, look by look."""

from __future__ import annotations

import json
import re
from decimal import Decimal

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from policy_cache.emulator.server import serve
from policy_cache.integrations.metrics import Metrics, Prometheus
from policy_cache.integrations.scraped import Scraped, ScrapeError
from policy_cache.report.live.data import as_json
from policy_cache.report.live.text import WITHOUT, page
from policy_cache.text.styled import plain
from policy_cache.usage.live import InForce
from policy_cache.usage.totals import Totals
from tests.clock import Clock
from tests.integrations.test_metrics import drive

NOON = 1_700_000_040.0


class Router:
    """A router whose metrics can be looked at."""

    def __init__(self):
        self.begin()
        self.answer = None

    def begin(self):
        """A new process."""
        self.registry = CollectorRegistry()
        self.sink = Prometheus(self.registry)

    def answered(self, _):
        return self.answer or PlainTextResponse(generate_latest(self.registry))


@pytest.fixture(scope="module")
def served():
    router = Router()
    with serve(Starlette(routes=[Route("/metrics", router.answered)])) as url:
        yield router, f"{url}/metrics"


@pytest.fixture
def router(served):
    served[0].begin()
    served[0].answer = None
    return served


def test_a_first_look_sums_up_what_was_counted(router):
    router, url = router
    drive(router.sink)
    found = Scraped(url, clock=Clock(NOON)).snapshot()
    # What `tests/integrations/test_metrics.py` expects of the same answers.
    whole = found.whole
    assert (whole.requests, whole.hits, whole.read, whole.written, whole.uncached) == (
        *(4, 2, 10_000),
        *(1_000_240, 14),
    )
    assert (round(whole.known_saved, 9), whole.unpriced) == (Decimal("-0.72327"), 0)
    assert found.hour == Totals()
    [route] = found.rows
    assert (route.name, route.whole) == ("anthropic", found.whole)
    assert {row.name: (row.whole.read, row.whole.written) for row in found.rules} == {
        "agent-prefix": (10_000, 999_367),
        "first-turn": (0, 873),
    }
    assert found.faults == (("RuntimeError", 1), ("usage negative", 1))
    assert (found.without_usage, found.broken, found.misses) == (0, None, None)
    assert [policy.name for policy in found.policies] == ["default"]


def test_the_hour_is_what_was_counted_since(router):
    router, url = router
    clock = Clock(NOON)
    drive(router.sink)
    live = Scraped(url, clock=clock)
    once = live.snapshot().whole
    for minutes in (1, 50):
        clock.now = NOON + 60 * minutes
        drive(router.sink)
        assert live.read()
    found = live.snapshot()
    assert (found.hour.requests, found.hour.read) == (2 * once.requests, 2 * once.read)
    assert (found.whole.requests, found.whole.read) == (3 * once.requests, 3 * once.read)
    assert [minute.totals.requests for minute in found.minutes if minute.totals.requests] == [4, 4]
    clock.now = NOON + 60 * 61
    assert live.snapshot().hour.requests == 4
    clock.now = NOON + 60 * 200
    assert live.snapshot().hour == Totals()


def test_counters_of_a_new_process_begin_anew(router):
    router, url = router
    drive(router.sink)
    drive(router.sink)
    live = Scraped(url, clock=Clock(NOON))
    router.begin()
    drive(router.sink)
    live.read()
    assert (live.snapshot().whole.requests, live.snapshot().hour.requests) == (12, 4)


def test_names_come_back_as_they_were(router):
    router, url = router
    name = 'a"b\\c\nd{e="f",}\\n é'
    router.sink.add("policy_cache_rule_tokens", 7, {"rule": name, "kind": "read"})
    router.sink.in_force(name, name)
    found = Scraped(url).snapshot()
    assert [(row.name, row.whole.read) for row in found.rules] == [(name, 7)]
    assert found.policies == (InForce(name, name),)


def test_a_router_that_has_answered_nothing_yet(router):
    router, url = router
    found = Scraped(url).snapshot()
    assert (found.whole, found.rows, found.faults) == (Totals(), (), ())


def test_requests_without_usage(router):
    router, url = router
    metrics = Metrics(router.sink)
    metrics.odd("missing")
    metrics.odd("missing")
    assert (Scraped(url).snapshot().without_usage, Scraped(url).snapshot().faults) == (2, ())


def test_what_is_shown_of_them(router):
    router, url = router
    drive(router.sink)
    shown = plain(page(Scraped(url).snapshot(), url))
    assert re.search(r"\nroute, since the start +requests ", shown)
    assert re.search(r"\nrule, since the start +tokens read +tokens written\n", shown)
    assert shown.endswith(f"\nfaults: RuntimeError 1, usage negative 1\n{WITHOUT}\n")
    assert "miss" not in shown.replace(WITHOUT, "")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (HTMLResponse("<p>policy_cache_requests_total 1</p>"), "found none (text/html)"),
        (PlainTextResponse("up 1\n"), "found none (text/plain)"),
        (PlainTextResponse("policy_cache", 401), "it answers 401"),
        (Response(b"policy_cache" * 2_000_000), "it answers more than 16 MB"),
    ],
)
def test_an_answer_that_is_no_metrics_of_ours(router, answer, said):
    router, url = router
    router.answer = answer
    with pytest.raises(ScrapeError) as error:
        Scraped(url)
    assert str(error.value).startswith(f"{url}: ")
    assert str(error.value).endswith(said)


def test_a_look_that_fails_is_said_and_changes_no_figure(router):
    router, url = router
    drive(router.sink)
    live = Scraped(url, clock=Clock(NOON))
    before = live.snapshot()
    router.answer = PlainTextResponse("", 503)
    assert live.read()
    assert (live.state, live.snapshot()) == (f"{url}: it answers 503", before)
    router.answer = None
    live.read()
    assert (live.state, live.snapshot()) == ("", before)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1:1/metrics", "http://127.0.0.1:1/metrics: Connection refused"),
        ("http://someone:hunter2@127.0.0.1:1/", "http://127.0.0.1:1/: "),
        ("http://someone:hunter2@[x/", "that is not a URL"),
        ("http://", "http://: "),
        ("http://a b/", "http://a b/: "),
    ],
)
def test_a_url_that_nobody_answers_at(url, said):
    with pytest.raises(ScrapeError) as error:
        Scraped(url)
    assert str(error.value).startswith(said)
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(
    "line", ["policy_cache_answers_total{", 'policy_cache_answers_total{route="a} 1', "x"]
)
@pytest.mark.parametrize("value", ["NaN", "+Inf", "-1", "many", ""])
def test_lines_that_say_nothing_are_passed_over(router, line, value):
    router, url = router
    text = (
        f'policy_cache_answers_total{{route="a",read="true"}} {value}\n{line}\npolicy_cache_errors_total 3\n'
    )
    router.answer = PlainTextResponse(text)
    found = Scraped(url).snapshot()
    assert (found.rows, found.faults) == ((), (("", 3),))


@pytest.mark.parametrize("figure", ["1e306", "1e308", "9007199254740994"])
def test_a_figure_that_cannot_be_right_is_left_out(router, figure):
    router, url = router
    router.answer = PlainTextResponse(
        f'policy_cache_answers_total{{route="a"}} {figure}\npolicy_cache_answers_total{{route="b"}} 3\n'
        f'policy_cache_tokens_total{{route="b",kind="read"}} {figure}\n'
        f'policy_cache_saved_usd_total{{route="b"}} {figure}\npolicy_cache_errors_total {figure}\n'
    )
    found = Scraped(url, clock=Clock(NOON)).snapshot()
    assert [(row.name, row.whole) for row in found.rows] == [("b", Totals(requests=3))]
    assert found.faults == ()
    assert json.loads(json.dumps(as_json(found), allow_nan=False))["whole"]["requests"] == 3
    assert "since the start: 3 requests, " in plain(page(found, url))


def test_the_largest_figures_can_be_written(router):
    router, url = router
    labels = {"answers": 'route="%s"', "tokens": 'route="%s",kind="read"', "saved_usd": 'route="%s"'}
    lines = [
        f"policy_cache_{name}_total{{{label % route}}} 9007199254740992\n"
        for name, label in labels.items()
        for route in "abc"
    ]
    router.answer = PlainTextResponse("".join(lines))
    found = Scraped(url, clock=Clock(NOON)).snapshot()
    assert found.whole.requests == 3 * 2**53
    assert json.dumps(as_json(found), allow_nan=False)
    assert f"since the start: {3 * 2**53:,} requests, " in plain(page(found, url))


SEPARATORS = "\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"


@pytest.mark.parametrize("separator", SEPARATORS)
def test_a_label_cannot_hold_another_sample(router, separator):
    router, url = router
    sample = f'{separator}policy_cache_answers_total{{route="a",read="true"}} 7{separator}'
    router.sink.add("policy_cache_errors", 1, {"kind": sample})
    router.answer = PlainTextResponse(
        generate_latest(router.registry).decode() + f'other_total{{name="{sample}"}} 1\n'
    )
    found = Scraped(url).snapshot()
    assert (found.rows, found.faults) == ((), ((sample, 1),))


def test_when_a_counter_was_created_is_no_figure_of_it(router):
    router, url = router
    router.answer = PlainTextResponse(
        'policy_cache_answers_total{route="a"} 2\npolicy_cache_answers_created{route="a"} 1.7e+09\n'
    )
    assert Scraped(url).snapshot().whole.requests == 2


@pytest.mark.parametrize("password", ["secret", "se/cret", "se#cret", "se?cret", "s@cret"])
def test_a_password_is_not_told(password):
    with pytest.raises(ScrapeError) as raised:
        Scraped(f"http://user:{password}@127.0.0.1:9/metrics")
    assert "cret" not in str(raised.value)
