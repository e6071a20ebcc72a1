"""What `ttl: auto` means after what was seen."""

from __future__ import annotations

import math

import pytest

from policy_cache.lifetimes import lifetimes as module
from tests.engine.requests import ANTHROPIC, BIG
from tests.lifetimes.streams import AUTO, Stream, request

HOUR = ["1h"] * 3
SHORT = ["5m"] * 3
SHARED = ["1h", "1h", "5m"]

FIXED = """
version: 1
name: fixed
rules:
  - name: all
    targets: [{at: tools, ttl: PREFIX}, {at: system, ttl: PREFIX}, messages.last]
    action: {add_cache_control: {}}
"""


def names(number, prefix="talk"):
    return [f"{prefix} {index}" for index in range(number)]


@pytest.fixture
def stream():
    return Stream()


def test_a_process_that_has_just_started_shares_for_an_hour_and_talks_for_five_minutes(stream):
    assert stream.ttls(request("new")) == SHARED
    assert stream.why(request("new")) == (
        "no pauses were seen here yet; 0.5 such are expected, and an hour pays from 0.7 on"
    )


def test_pauses_of_ten_minutes_make_it_an_hour(stream):
    stream.live(names(20), [600.0] * 6)
    stream.now += 4_000
    assert stream.ttls(request("new")) == HOUR
    assert "100% were longer than five minutes" in stream.why(request("new"))


def test_conversations_that_never_pause_keep_five_minutes(stream):
    stream.live(names(60), [15.0] * 20)
    stream.now += 4_000
    assert stream.ttls(request("new"))[-1] == "5m"
    assert "0% were longer than five minutes" in stream.why(request("new"))


def test_prefixes_of_a_single_short_conversation_are_written_for_five_minutes(stream):
    for name in names(200):
        stream.talk(name, [15.0] * 5, system=f"{name} {BIG}")
    stream.now += 4_000
    assert stream.ttls(request("new", system=f"new {BIG}")) == SHORT


def test_what_is_alive_for_five_minutes_stays_so(stream):
    """What follows an entry for five minutes lives no longer, whatever is paid."""
    stream.live(names(20), [600.0] * 6)
    stream.now += 4_000
    stream.send_as(FIXED.replace("PREFIX", "1h"), request("a"))
    assert stream.ttls(request("a")) == SHARED
    assert stream.ttls(request("b")) == HOUR
    stream.now += 301
    assert stream.ttls(request("a")) == HOUR


def test_what_is_alive_for_an_hour_stays_so_while_it_may_pay(stream):
    stream.live(names(20), [600.0] * 6)
    stream.now += 4_000
    stream.send(request("a"))
    for _ in range(3):
        stream.send(request("a"), 10)
    assert stream.ttls(request("a")) == HOUR


def test_a_conversation_that_paused_twice_gets_an_hour_whatever_others_do(stream):
    stream.live(names(60), [15.0] * 20)
    stream.now += 4_000
    stream.talk("slow", [600.0, 600.0])
    stream.now += 600
    assert stream.ttls(request("slow")) == HOUR
    assert stream.ttls(request("quick"))[-1] == "5m"


def test_tools_and_system_prompt_kept_for_five_minutes_hold_conversations_to_it(stream):
    stream.live(names(20), [600.0] * 6)
    stream.now += 4_000
    stream.send_as(FIXED.replace("PREFIX", "5m"), request("a"))
    assert stream.ttls(request("b")) == SHORT
    assert stream.why(request("b")) == (
        "tools and system prompt are cached for five minutes, and what follows lives no longer"
    )
    stream.now += 301
    assert stream.ttls(request("b")) == HOUR


def test_a_reported_miss_lets_the_lifetime_be_chosen_anew(stream):
    stream.live(names(20), [600.0] * 6)
    stream.talk("a", [])
    stream.now += 10
    before = stream.lifetimes._sessions.last
    key = next(reversed(before))
    stream.send(request("a"), read=0, written=1)
    assert before[key].ttl == stream.ttls(request("a"))[-1]


def test_what_is_too_small_is_not_taken_for_kept(stream):
    stream.send(request("a"), read=0, written=0)
    assert {session.ttl for session in stream.lifetimes._sessions.last.values()} == {None}
    assert {prefix.ttl for prefix in stream.lifetimes._prefixes.last.values()} == {None}


def test_retries_and_fallbacks_choose_alike(stream):
    stream.live(names(20), [400.0] * 3)
    asked = request("again")
    once = stream.ttls(asked)
    assert stream.ttls(asked) == once
    assert stream.ttls({**asked, "model": "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0"}) == once
    assert stream.ttls({**asked, "model": "anthropic/claude-opus-4-1"}) == once


def test_a_route_without_an_hour_gets_five_minutes(stream):
    stream.live(names(20), [600.0] * 6)
    stream.now += 4_000
    asked = request("new", model="openrouter/qwen/qwen3-coder")
    assert set(stream.ttls(asked)) <= {"5m"}


def test_a_client_that_asks_for_an_hour_further_on_gets_it_before(stream):
    asked = request("a")
    asked["messages"][1]["content"] = [
        {"type": "text", "text": BIG, "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    ]
    stream.live(names(300), [15.0] * 3, apart=1.0)
    plan = stream.engine.plan(asked)
    assert [point.ttl for point in plan.breakpoints] == ["1h", "1h", "1h"]


def test_sessions_are_told_by_metadata(stream):
    for _ in range(3):
        stream.send({**request("same"), "metadata": {"session_id": "one"}}, 600)
        stream.send({**request("same"), "metadata": {"session_id": "two"}}, 1)
    assert len(stream.lifetimes._sessions.last) == 2


@pytest.mark.parametrize("jump", [-10_000_000.0, 10_000_000.0])
def test_a_clock_that_jumps_costs_no_request(stream, jump):
    stream.live(names(5), [15.0] * 3)
    stream.now += jump
    stream.live(names(5), [15.0] * 3)
    assert stream.engine.failures == {}
    assert len(stream.ttls(request("a"))) == 3


@pytest.mark.parametrize("at", [math.nan, math.inf, -math.inf])
def test_a_time_that_is_none_teaches_nothing(stream, at):
    stream.engine.learn(request("a"), at=at)
    assert not stream.lifetimes._sessions.last


def test_names_that_a_client_chooses_do_not_fill_the_memory(stream, monkeypatch):
    monkeypatch.setattr(module, "_MOST_WAITING", 50)
    monkeypatch.setattr(module, "_MOST_KINDS", 20)
    stream = Stream()
    for index in range(400):
        stream.send(request(f"{index}", system=f"{index} {BIG}"), 0.01)
    lifetimes = stream.lifetimes
    assert len(lifetimes._sessions.last) == len(lifetimes._prefixes.last) == 50
    assert len(lifetimes._seen) == len(lifetimes._kinds) == 20


def test_no_text_of_a_prompt_is_kept(stream):
    stream.talk("secret-word", [10.0], system=f"other-secret {BIG}")
    lifetimes = stream.lifetimes
    kept = repr([vars(lifetimes._sessions), vars(lifetimes._prefixes), lifetimes._kinds, lifetimes._general])
    assert "secret" not in kept


def test_a_policy_that_does_not_ask_learns_nothing():
    stream = Stream(AUTO.replace("{ttl: auto}", "{ttl: 1h}"))
    stream.talk("a", [10.0])
    assert not stream.lifetimes._sessions.last


def test_what_cannot_be_planned_teaches_nothing(stream):
    stream.engine.learn({"model": ANTHROPIC, "messages": 3})
    stream.engine.learn({"messages": []})
    assert not stream.lifetimes._sessions.last
    assert stream.engine.failures == {}
