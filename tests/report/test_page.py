"""The page of a trace: its figures are those of a simulation, and it holds nothing that it should not."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy_cache import Engine
from policy_cache.cache.explicit import CacheOutcome
from policy_cache.forecast.calibration import calibrate
from policy_cache.forecast.compare import PolicyText, TraceOptions, compare
from policy_cache.misses.ledger import Misses
from policy_cache.policy.load import loads
from policy_cache.providers.prices import claude_prices
from policy_cache.report.forecast import HEAD, cells
from policy_cache.report.page import drawn
from policy_cache.report.page.collect import collect
from policy_cache.report.page.costs import bars
from policy_cache.report.page.dearest import Dearest
from policy_cache.report.page.document import document
from policy_cache.report.page.headline import headline
from policy_cache.usage.totals import Totals

# No page may hold it: every text of every prompt here does.
SECRET = "xyzzy"
MODEL = "anthropic/claude-sonnet-4-5"
HOUR = """\
version: 1
name: hour
rules:
  - name: prefix
    targets: [tools, system]
    action:
      add_cache_control: {ttl: 1h}
  - name: tail
    targets: [messages.previous_turn, messages.last]
    action:
      add_cache_control: {}
"""
SPLIT = """\
version: 1
name: split
rules:
  - name: split
    targets: [system]
    action:
      split_text: {at: "## Today"}
  - name: prefix
    targets: [messages.last]
    action:
      add_cache_control: {}
"""
NONE = "version: 1\nname: none\nrules: []\n"
POLICIES = [PolicyText("hour.yaml", HOUR), PolicyText("none.yaml", NONE), PolicyText("split.yaml", SPLIT)]
USAGE = {"input_tokens": 60, "cache_read_input_tokens": 3_000, "cache_creation_input_tokens": 400}


def text(size, name=""):
    return f"{SECRET}{name} " + "word " * (size - 2)


def conversation(session="a", *, number=4, clocks=None, model=MODEL, start=0.0, usage=None, size=300):
    """Records of a session, each of a request that goes on from the one before."""
    for n in range(number):
        request = {
            "model": model,
            "max_tokens": 9,
            "system": text(1_500) + "## Today " + (clocks or ["09:41"] * number)[n],
            "tools": [{"name": "look", "description": text(200), "input_schema": {"type": "object"}}],
            "messages": [
                {"role": ("user", "assistant")[m % 2], "content": text(size, m)} for m in range(2 * n + 1)
            ],
        }
        record = {"ts": start + 20 * n, "session": session, "request": request}
        yield record if usage is None else {**record, "usage": usage}


@pytest.fixture
def trace(tmp_path):
    """Write records to a file, and say how to read it."""

    def trace(*records, **options):
        file = tmp_path / "trace.jsonl"
        file.write_text("".join(json.dumps(record) + "\n" for record in records))
        return TraceOptions((str(file),), **options)

    return trace


@pytest.fixture
def several(trace):
    """Three sessions at once, one of which is recorded and one of which changes its system prompt."""
    return trace(
        *conversation("a", usage=USAGE),
        *conversation("b", start=1.0, clocks=["09:41", "09:41", "09:42", "09:42"]),
        *conversation("c", start=2.0, number=2, size=900),
    )


def page_of(options, policies=POLICIES, **more):
    return collect(options, policies, "trace.jsonl", **more)


class Elements(HTMLParser):
    """The elements of a document with their attributes, and its text outside of scripts and styles."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.text, self.inside = [], [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.inside.append(tag)

    def handle_endtag(self, tag):
        while self.inside and self.inside.pop() != tag:
            pass

    def handle_data(self, data):
        self.text.append((self.inside[-1] if self.inside else "", data))

    def tags(self, *names):
        return [tag for tag, _ in self.elements if tag in names]

    def within(self, tag):
        return [data for inside, data in self.text if inside == tag]


def data_of(html):
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    return json.loads(found)


def test_the_sums_are_those_of_a_simulation(several):
    page = page_of(several)
    found, summary = compare(several, POLICIES)
    assert (page.simulation, page.summary) == (found, summary)
    assert [way for way in page.ways if way not in page.policies] == ["as recorded (4 of 10)"]


def test_the_misses_are_those_of_each_policy(several):
    page = page_of(several)
    for policy, looked in zip(POLICIES, page.misses, strict=True):
        alone = Misses(Engine(loads(policy.text)), calibration=calibrate(several))
        for record in several.read():
            alone.add(record)
        assert looked.causes == alone.causes
    assert "system_changed" in page.misses[0].causes


def test_the_requests_of_all_sessions_add_up_to_the_sums(several):
    page = page_of(several)
    columns = [*page.simulation.policies, page.simulation.recorded]
    for way, column in enumerate(columns):
        turns = [turn.ways[way] for session in page.sessions for turn in session.turns]
        outcomes = [turn.outcome for turn in turns if turn is not None]
        for field in ("read", "write_5m", "write_1h", "uncached"):
            total = sum(getattr(outcome, field) for outcome in outcomes)
            assert total == getattr(column.total.tokens, field)


def test_every_block_is_what_its_tokens_were_billed_as(several):
    page = page_of(several)
    kinds = {"r": "read", "1": "write_1h", "5": "write_5m"}
    for session in page.sessions:
        for turn in session.turns:
            for treated in turn.ways[: len(POLICIES)]:
                assert re.fullmatch("r*1*5*u*", treated.states)
                for letter, field in kinds.items():
                    size = sum(
                        session.blocks[index].tokens
                        for index, state in zip(treated.blocks, treated.states, strict=True)
                        if state == letter
                    )
                    assert size == getattr(treated.outcome, field)


def test_what_changed_and_where_breakpoints_stand(several):
    session = next(one for one in page_of(several).sessions if one.name == "b")
    treated = [turn.ways[0] for turn in session.turns]
    places = [session.blocks[index].location for index in treated[2].blocks]
    assert [turn.changed for turn in treated] == [None, None, places.index("$['system']"), None]
    assert [(places[at], ttl) for at, ttl in treated[2].breakpoints] == [
        # The tools alone are below the model's minimum.
        ("$['system']", "1h"),
        ("$['messages'][2]['content']", "5m"),
        ("$['messages'][4]['content']", "5m"),
    ]
    assert places[0] == "$['tools'][0]"
    assert session.turns[2].ways[1].breakpoints == ()


def test_a_policy_that_splits_a_text_is_drawn_with_the_parts(several):
    session = next(one for one in page_of(several).sessions if one.name == "b")
    treated = session.turns[2].ways[2]
    places = [session.blocks[index].location for index in treated.blocks]
    assert places[1:3] == ["$['system'][0]", "$['system'][1]"]
    assert treated.changed == 2


def test_the_dearest_sessions_come_first(several):
    page = page_of(several, sessions=2)
    every = page_of(several).sessions
    assert [session.cost for session in every] == sorted((s.cost for s in every), reverse=True)
    assert page.sessions == every[:2]
    assert sum(session.cost for session in every) == page.simulation.uncached.total.cost


@given(
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(1, 50)), max_size=40),
    st.integers(0, 4),
)
@pytest.mark.property
def test_the_dearest_are_kept_whatever_the_order(requests, most):
    dearest, sums = Dearest(most), {}
    rates = claude_prices(Decimal(1), Decimal(1))
    for name, size in requests:
        one = Totals()
        one.add(CacheOutcome(uncached=size), rates)
        dearest.add(("", name), one)
        sums[name] = sums.get(name, 0) + size
    kept = [total.tokens for total in dearest.sums.values()]
    assert kept == sorted(sums.values(), reverse=True)[:most]
    assert all(total.tokens == sums[name] for (_, name), total in dearest.sums.items())


def test_a_long_session_is_drawn_in_part(several, monkeypatch):
    monkeypatch.setattr(drawn, "MOST_TURNS", 3)
    assert {(len(one.turns), one.requests) for one in page_of(several).sessions} == {(3, 4), (2, 2)}
    monkeypatch.setattr(drawn, "MOST_BLOCKS", 6)
    assert {len(one.turns) for one in page_of(several).sessions} == {2}


def test_nothing_of_a_prompt_is_in_the_page(several):
    html = document(page_of(several))
    assert SECRET not in html
    assert "## Today" not in html


def test_texts_are_in_the_page_where_they_are_asked_for(several):
    html = document(page_of(several, text=True))
    blocks = data_of(html)["sessions"][0]["blocks"]
    assert any(said.startswith(f"{SECRET}0 word") for _, _, _, said in blocks)
    assert all(len(said) < 2_100 for _, _, _, said in blocks)


HOSTILE = '</script><script>alert(1)</script><img src="//evil.example/x">&lt;b&gt;"\'%{x}$name'


def test_names_and_texts_stay_texts(trace):
    options = trace(*conversation(f"s{HOSTILE}", model=f"anthropic/claude-{HOSTILE}"))
    # They begin differently, so that nothing of them is left out.
    policies = [PolicyText(f"p{HOSTILE}", HOUR), PolicyText(f"q{HOSTILE}", HOUR)]
    html = document(collect(options, policies, f"t{HOSTILE}", text=True))
    harmless = document(
        page_of(trace(*conversation()), policies=[PolicyText("p", HOUR), PolicyText("q", HOUR)], text=True)
    )
    found, expected = Elements(html), Elements(harmless)
    # The hostile model has no price, which a list says in place of bars.
    told = {"ul", "li", "b", "svg", "rect", "td", "th", "tr"}
    assert [tag for tag, _ in found.elements if tag not in told] == [
        tag for tag, _ in expected.elements if tag not in told
    ]
    assert "".join(found.within("title")) == f"What prompt caching would save on t{HOSTILE}"
    assert f"p{HOSTILE}" in found.within("h3")
    assert data_of(html)["ways"][0] == f"p{HOSTILE}"
    assert data_of(html)["sessions"][0]["name"].startswith("s</script>")


def test_the_page_loads_nothing(several):
    html = document(page_of(several))
    found = Elements(html)
    loads_ = {
        name
        for _, attributes in found.elements
        for name, value in attributes.items()
        if value and "//" in value
    }
    assert loads_ == set()
    assert {tag for tag, attributes in found.elements if "src" in attributes} == set()
    assert [attributes["href"] for tag, attributes in found.elements if tag == "link"] == ["data:,"]
    assert not re.search(r"url\(|@import", "".join(found.within("style")))
    assert "http" not in html.replace("http-equiv", "")
    (policy,) = [a["content"] for _, a in found.elements if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy


def test_the_page_is_well_built(several):
    found = Elements(document(page_of(several)))
    assert found.elements[0] == ("html", {"lang": "en"})
    levels = [int(tag[1]) for tag in found.tags("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))
    assert len(found.tags("caption")) == len(found.tags("table"))
    ids = [attributes["id"] for _, attributes in found.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_the_table_has_the_figures_of_simulate(several):
    page = page_of(several)
    found = Elements(document(page))
    said = found.within("th") + found.within("td")
    for line in (HEAD, *cells(page.simulation, page.policies)):
        assert {cell for cell in line if cell} <= set(said)


def test_the_bars_are_the_costs(trace):
    options = trace(*conversation(usage=USAGE))
    page = page_of(options)
    found, _ = compare(options, POLICIES)
    assert [(bar.name, bar.kind, bar.cost) for bar in bars(page)] == [
        ("no caching", "other", found.uncached.cost),
        ("as recorded", "other", found.recorded.cost),
        ("hour.yaml", "policy", found.policies[0].cost),
        ("none.yaml", "policy", found.policies[1].cost),
        ("split.yaml", "policy", found.policies[2].cost),
        ("optimum", "optimum", found.optimum),
    ]
    widths = [float(a["width"][:-1]) for tag, a in Elements(document(page)).elements if tag == "rect"]
    most = max(bar.cost for bar in bars(page))
    assert widths == pytest.approx([float(100 * bar.cost / most) for bar in bars(page)], abs=0.01)


def test_the_requests_are_drawn_with_their_tokens(several):
    page = page_of(several)
    for session, shown in zip(page.sessions, data_of(document(page))["sessions"], strict=True):
        for turn, drawn_turn in zip(session.turns, shown["turns"], strict=True):
            for way, treated in zip(turn.ways, drawn_turn["ways"], strict=True):
                outcome = way and way.outcome
                assert (treated and treated["tokens"]) == (
                    outcome and [outcome.read, outcome.write_1h, outcome.write_5m, outcome.uncached]
                )


def test_a_trace_of_unknown_prices_has_no_bars(trace):
    page = page_of(trace(*conversation(model="acme/unheard-of")))
    assert bars(page) == []
    found = Elements(document(page))
    assert found.tags("rect") == []
    assert page.sessions[0].cost is None
    (said,) = [line for line in found.within("p") if line.startswith("hour.yaml would read 0 of ")]
    assert said == headline(page.simulation, page.policies)


def test_it_begins_with_what_the_policies_save(several):
    page = page_of(several)
    found = Elements(document(page))
    assert found.within("title") == ["What prompt caching would save on trace.jsonl"]
    assert "".join(found.within("h1") + found.within("span")[:1]) == found.within("title")[0]
    said = found.within("p")[0]
    assert said == headline(page.simulation, page.policies)
    assert said.startswith("hour.yaml would cost $")


def test_policies_are_called_by_what_tells_them_apart(several):
    named = ["policies/mine/hour.yaml", "policies/yours/hour.yaml", "policies/none.yaml"]
    page = page_of(several, policies=[PolicyText(name, HOUR) for name in named])
    assert page.policies == ("mine/hour.yaml", "yours/hour.yaml", "none.yaml")
    assert page.ways[:3] == page.policies
    assert "policies/" not in document(page)


def test_the_page_is_small(several):
    page = page_of(several, sessions=0)
    assert len(document(page)) < 50_000


def test_recorded_traces(traces):
    options = TraceOptions(tuple(map(str, sorted((traces / "taubench").glob("*.jsonl")))), model=MODEL)
    policies = [PolicyText("hour.yaml", HOUR)]
    page = collect(options, policies, "taubench")
    assert page.simulation == compare(options, policies)[0]
    assert len(page.sessions) == page.simulation.sessions == 4
    assert sum(len(session.turns) for session in page.sessions) == page.simulation.requests == 84
