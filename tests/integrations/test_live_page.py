"""The page that a router mounts: what it sends, what it forbids, and that a plug-in feeds it."""

from __future__ import annotations

import json
import re
import sys
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from policy_cache import CacheUsage, Engine, TraceRecorder
from policy_cache.emulator.server import serve
from policy_cache.integrations.asgi import Live, LivePageError, live_page
from policy_cache.integrations.litellm import PolicyCacheHandler
from policy_cache.report.live.followed import Followed
from policy_cache.usage.account import account_of
from tests.clock import Clock
from tests.integrations.test_metrics import MODEL, answer, request
from tests.usage.test_live import NOON, account

ENGINE = Engine.from_text(
    "version: 1\nname: p\nrules:\n"
    "  - {name: prompt, targets: [system], action: {add_cache_control: {ttl: 1h}}}\n"
)


@pytest.fixture(scope="module")
def mounted():
    live = Live()
    with serve(Starlette(routes=[Mount("/caches", live_page(live))])) as url:
        yield live, f"{url}/caches"


def test_a_plug_in_feeds_it():
    live = Live()
    handler = PolicyCacheHandler(Engine.default(), live=live)
    answer(handler, request())
    answer(handler, request())
    with serve(live_page(live)) as url:
        told = httpx.get(f"{url}/live.json")
    found = told.json()
    assert [(row["name"], row["hour"]["requests"]) for row in found["rows"]] == [(MODEL, 2)]
    assert [row["name"] for row in found["rules"]] == ["agent-prefix"]
    # Twice 5,000 tokens read for a tenth of $3 a million, 100 written for 1.25 of it and 20 for double.
    assert (found["whole"]["read"], found["whole"]["saved_usd"]) == (10_000, pytest.approx(0.02673))
    assert found["policies"][0]["title"] == f"default ({Engine.default().policy.revision[7:]})"
    assert (found["without_usage"], found["faults"]) == (0, None)
    assert "SECRET" not in told.text


def turn(live, clock, seconds, system, said):
    """A turn of the one session, as a plug-in tells of it."""
    clock.now += seconds
    given = {"model": MODEL, "messages": [{"role": "system", "content": system}, *said]}
    plan = ENGINE.plan(given)
    usage = CacheUsage(write_1h=7_000, uncached=10)
    live.answered(plan, account_of(plan, usage, "warm"), session="one")


def test_it_shows_why_the_cache_was_not_read_as_requests_were_sent():
    clock = Clock(NOON)
    live, said = Live(clock=clock), []
    system = "SECRET " * 4_000
    for seconds, prompt in ((0, system), (30, f"{system} at noon"), (3_700, f"{system} at noon")):
        # A caller goes on with the same list.
        said.append({"role": ("user", "assistant")[len(said) % 2], "content": "go on"})
        turn(live, clock, seconds, prompt, said)
    with serve(live_page(live)) as url:
        told = httpx.get(f"{url}/live.json")
    misses = told.json()["misses"]
    assert (misses["requests"], misses["missed_requests"], misses["left_out"]) == (3, 2, 0)
    assert [(one["cause"], one["latest"], one["last_hour"], one["requests"]) for one in misses["causes"]] == [
        ("expired", NOON + 3_730, 1, 1),
        # The policy marks the system prompt alone.
        ("no_breakpoint", NOON + 3_730, 1, 1),
        ("system_changed", NOON + 30, 0, 1),
    ]
    assert "SECRET" not in told.text


def test_it_shows_what_the_terminal_shows_of_the_same_requests(tmp_path):
    clock, path = Clock(NOON), tmp_path / "trace.jsonl"
    live, said = Live(clock=clock), []
    with TraceRecorder(path) as recorder:
        for number in range(4):
            clock.now += 60
            said.append({"role": ("user", "assistant")[number % 2], "content": "go on"})
            plan = ENGINE.plan(
                {"model": MODEL, "system": "word " * 4_000 + str(number // 2), "messages": said},
                shape="messages",
            )
            told = {"input_tokens": 10, "cache_creation_input_tokens": 5_000}
            account = account_of(plan, CacheUsage.from_response(told), "warm")
            live.answered(plan, account, session="one", at=clock.now)
            recorder.record(plan.original, usage=told, session="one", policy=account.line(), ts=clock.now)
    followed = Followed(path, clock=clock)
    followed.read()
    found = followed.snapshot()
    followed.close()
    assert found.misses.causes
    assert live.snapshot() == replace(found, broken=None, duplicates=None)


def test_answers_without_usage_are_counted():
    live = Live()
    plan = ENGINE.plan(request())
    live.answered(plan, None, session="one")
    found = live.snapshot()
    assert (found.whole.requests, found.without_usage, found.misses.looked) == (0, 1, 1)


def test_it_runs_its_own_script_and_asks_its_own_server_alone(mounted):
    _, url = mounted
    page = httpx.get(f"{url}/")
    policy = dict(part.split(" ", 1) for part in page.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["connect-src"] == "'self'"
    for tag, rule in (("script", "script-src"), ("style", "style-src")):
        [text] = re.findall(f"<{tag}>(.*?)</{tag}>", page.text, re.DOTALL)
        assert policy[rule] == f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
    assert not re.search(r"\son\w+=|style=|https?://(?!www\.w3\.org)", page.text)


@pytest.mark.parametrize("path", ["/", "/live.json"])
def test_what_browsers_are_told(mounted, path):
    _, url = mounted
    headers = httpx.get(url + path).headers
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert not [name for name in headers if name.startswith("access-control-")]


def test_it_can_only_be_read(mounted):
    _, url = mounted
    assert [
        httpx.request(method, f"{url}/live.json").status_code for method in ("POST", "PUT", "DELETE")
    ] == [405] * 3
    assert httpx.get(f"{url}/live.js").status_code == 404
    assert httpx.get(url, follow_redirects=True).url == f"{url}/"


def test_rows_beyond_fifty_are_left_out():
    live = Live()
    plan = ENGINE.plan(request())
    for number in range(60):
        live.answered(plan, account(f"m{number}", f"r{number}", read=number))
    with serve(live_page(live)) as url:
        found = httpx.get(f"{url}/live.json").json()
    assert (len(found["rows"]), found["rows_left_out"], found["rules_left_out"]) == (50, 10, 10)
    assert found["rows"][0]["name"] == "m59"


def test_figures_are_added_up_once_a_second_however_many_look(monkeypatch):
    live, asked = Live(), []
    snapshot = live.snapshot
    monkeypatch.setattr(live, "snapshot", lambda: asked.append(1) or snapshot())
    monkeypatch.setattr("policy_cache.integrations.asgi.page._FRESH", 3_600.0)
    with serve(live_page(live)) as url:
        answers = {httpx.get(f"{url}/live.json").text for _ in range(5)}
    assert (len(answers), len(asked)) == (1, 1)
    assert json.loads(answers.pop())["rows"] == []


def test_without_starlette_it_says_what_to_install(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "starlette"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "starlette", None)
    with pytest.raises(LivePageError, match=r"pip install 'policy-cache\[asgi\]'"):
        live_page(Live())
