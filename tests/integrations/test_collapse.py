"""The alarm: when it sounds, what it names, and that it keeps no text and little memory."""

from __future__ import annotations

import pickle

import pytest

from policy_cache import CacheUsage, Engine
from policy_cache.integrations.collapse import CollapseAlarm
from tests.clock import Clock

LONG = "SECRET " * 4_000
ENGINE = Engine.default()
READ, WRITTEN, NOTHING = (
    CacheUsage(read=5_000, write_5m=0, write_1h=0, uncached=1, output=1),
    CacheUsage(read=0, write_5m=5_000, write_1h=0, uncached=1, output=1),
    CacheUsage(read=0, write_5m=0, write_1h=0, uncached=5_000, output=1),
)


def tool(name="f", description="d"):
    parameters = {"type": "object", "properties": {}}
    return {
        "type": "function",
        "function": {"name": name, "description": description, "parameters": parameters},
    }


def request(turns=1, *, system=LONG, tools=None, first="q0", **more):
    talk = [{"role": "system", "content": system}, {"role": "user", "content": first}]
    for turn in range(1, turns):
        talk += [{"role": "assistant", "content": f"a{turn}"}, {"role": "user", "content": f"q{turn}"}]
    return {
        "model": "anthropic/claude-sonnet-4-5",
        "messages": talk,
        "tools": [tool("f"), tool("g")] if tools is None else tools,
        **more,
    }


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def said(caplog):
    return lambda: [record.message for record in caplog.records if record.name == "policy_cache"]


def see(alarm, *answers):
    for given, usage in answers:
        alarm.answered(ENGINE.plan(given), usage)


CHANGED = {
    "a clock in the system prompt": (request(2, system=f"12:01 {LONG}"), "$['messages'][0]['content']"),
    "a changed tool": (request(2, tools=[tool("f"), tool("g", "other")]), "$['tools'][1]"),
    "tools in another order": (request(2, tools=[tool("g"), tool("f")]), "$['tools'][0]"),
    "a tool less": (request(2, tools=[tool("f")]), "$['tools'][1]"),
    "another tool choice of the past": (
        {**request(2), "messages": [*request(2)["messages"][:2], {"role": "assistant", "content": "b"}]},
        "$['messages'][2]['content']",
    ),
}


@pytest.mark.parametrize("case", CHANGED)
def test_names_the_first_block_that_changed(case, clock, said):
    alarm = CollapseAlarm(clock=clock)
    changed, place = CHANGED[case]
    before = request(2)
    see(alarm, (before, READ), (changed, WRITTEN))
    differs = f"{place} differs from the request before it in this session (said once a session)"
    assert said() == [f"anthropic stopped reading its cache: {differs}"]
    assert alarm.alarms == 1


def test_says_it_once_a_session(clock, said):
    alarm = CollapseAlarm(clock=clock)
    for minute in range(5):
        see(alarm, (request(2, system=f"12:0{minute} {LONG}"), WRITTEN))
    assert len(said()) == alarm.alarms == 1
    see(alarm, (request(first="other"), READ), (request(first="other", system=f"1 {LONG}"), WRITTEN))
    assert len(said()) == alarm.alarms == 2


@pytest.mark.parametrize(
    ("first", "second", "later"),
    [
        ((request(1), WRITTEN), (request(2), READ), 1.0),
        ((request(1), WRITTEN), (request(2), NOTHING), 1.0),  # nothing before it changed
        ((request(1), NOTHING), (request(1, system="1" + LONG), NOTHING), 1.0),  # it was never cached
        ((request(1), WRITTEN), (request(1, system="1" + LONG), WRITTEN), 301.0),  # it may have expired
        ((request(1), WRITTEN), (request(1, first="other", system="1" + LONG), WRITTEN), 1.0),
        ((request(1), WRITTEN), (request(1, system="1" + LONG), None), 1.0),
    ],
)
def test_is_silent(first, second, later, clock, said):
    alarm = CollapseAlarm(clock=clock)
    see(alarm, first)
    clock.now = later
    see(alarm, second)
    assert said() == []


def test_a_session_that_is_named(clock, said):
    alarm = CollapseAlarm(clock=clock)
    named = {"metadata": {"session_id": "s"}}
    see(alarm, (request(first="a", **named), READ), (request(first="b", **named), WRITTEN))
    assert "$['messages'][1]['content'] differs" in said()[0]


def test_markers_and_one_block_lists_are_no_change(clock, said):
    alarm = CollapseAlarm(clock=clock)
    marked = ENGINE.rewrite(request(2))
    assert marked != request(2)
    see(alarm, (request(2), READ), (marked, WRITTEN))
    assert said() == []


def test_providers_that_cache_by_themselves_are_not_looked_at(clock, said):
    alarm = CollapseAlarm(clock=clock)
    for system in ("a", "b"):
        see(alarm, ({**request(system=system), "model": "gpt-4o"}, READ if system == "a" else NOTHING))
    assert said() == []


def test_no_text_is_kept_and_memory_is_bounded(clock):
    alarm = CollapseAlarm(sessions=10, clock=clock)
    for number in range(50):
        see(alarm, (request(300, first=f"SECRET {number}"), READ))
    kept = pickle.dumps(alarm._sessions)
    assert len(alarm._sessions) == 10
    assert b"SECRET" not in kept
    assert len(kept) < 1_000_000
