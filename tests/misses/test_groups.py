"""Misses by session and cause, and what would have mended them: held against a replay of just that."""

from __future__ import annotations

import gc
from decimal import Decimal
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy_cache import CacheUsage, Engine
from policy_cache.forecast.replay import Replay
from policy_cache.misses.causes import Request
from policy_cache.misses.difference import Cause
from policy_cache.misses.ledger import Misses
from policy_cache.report.mends import CHANGES, mend
from policy_cache.report.misses import full, group
from policy_cache.text.styled import plain
from policy_cache.trace.reader import TraceSummary
from policy_cache.trace.record import TraceRecord
from policy_cache.usage.account import account_of
from tests.misses.test_misses import ENGINE, SECRET, look, mark, request, text, tool

POLICY = """\
version: 1
name: two
rules:
  - name: prefix
    targets: [tools, system]
    action: {{add_cache_control: {{ttl: {prefix}}}}}
  - name: conversation
    targets: [messages.previous_turn, messages.last]
    action: {{add_cache_control: {{ttl: {conversation}}}}}
"""


def policy(prefix="5m", conversation="5m"):
    return Engine.from_text(POLICY.format(prefix=prefix, conversation=conversation))


def records(*gaps, session="s", start=0.0, make=request):
    """A conversation that grows by a turn after each pause."""
    at, found = start, []
    for number, gap in enumerate((0.0, *gaps)):
        at += gap
        sent = make(2 * number + 1)
        found.append(TraceRecord(f"{session}:{number + 1}", at, sent, None, 1.0, "", session))
    return found


def missed(engine, trace, **more):
    misses = Misses(engine, **more)
    for one in trace:
        misses.add(one)
    return misses


def paid(engine, trace):
    replay = Replay([engine])
    for one in trace:
        replay.add(one)
    return replay.finish().policies[0].total.cost


def test_one_cause_of_a_session_is_one_entry():
    [found] = missed(policy(), records(400, 400, 400)).groups
    assert plain(group(found)) == (
        "s:2: miss[expired]: $['messages'][0]['content']: the 5m entry that ends here had expired 100 s "
        "before; 1h would have kept it\n"
        "  3 requests of session s: 10,320 tokens, $0.0356\n"
        "  mend: `ttl: 1h` on `prefix` and `conversation`: 3 of 3, saves about $0.0227\n"
    )


@pytest.mark.parametrize("gaps", [(400,), (400, 10, 900, 10), (10, 10, 350), (3500,) * 5])
def test_what_it_saves_is_what_a_replay_with_that_change_saves(gaps):
    trace = records(*gaps)
    [found] = missed(policy(), trace).groups
    assert found.hour.placers == ("prefix", "conversation")
    assert found.hour.saved == paid(policy(), trace) - paid(policy("1h", "1h"), trace)


def test_an_hour_that_costs_more_than_it_saves_says_so():
    trace = records(310, *([10] * 11), make=lambda number: request(number, system=text(1024)))
    [found] = missed(policy(), trace).groups
    dearer = paid(policy("1h", "1h"), trace) - paid(policy(), trace)
    assert dearer > 0
    assert mend(found) == (
        f"`ttl: 1h` on `prefix` and `conversation`: 1 of 1, but costs about ${dearer:.4f} more in all"
    )


def test_a_pause_of_more_than_an_hour_is_not_mended():
    [found] = missed(policy(), records(400, 4000, 400, 4000)).groups
    assert (found.requests, found.hour.requests) == (4, 2)
    [found] = missed(policy(), records(4000)).groups
    assert mend(found) == CHANGES["expired"]
    assert found.hour is None


@pytest.mark.parametrize("gaps", [(400,), (400, 10, 900, 10), (10, 4000)])
def test_requests_as_they_came_are_judged_by_what_was_recorded_of_their_policy(gaps):
    engine, trace = policy(), records(*gaps)
    used = CacheUsage(uncached=1)
    recorded = [
        one._replace(placed=account_of(engine.plan(one.request), used, "cold").placed) for one in trace
    ]
    assert missed(engine, trace).groups == missed(None, recorded).groups != missed(None, trace).groups
    # A policy that is asked about takes the place of the one that was recorded.
    hour = policy("1h", "1h")
    assert missed(hour, recorded).groups == missed(hour, trace).groups


def test_only_what_asks_for_five_minutes_is_named():
    [found] = missed(policy(prefix="1h"), records(400)).groups
    assert found.hour.placers == ("conversation",)


def test_what_stands_behind_the_entry_is_not_named():
    """The first message changes, so the entry of the system prompt is the last of both requests."""
    first, second = records(400, make=lambda number: request(number, tools=[tool("a")]))
    messages = [{"role": "user", "content": text(500, "other")}, *second.request["messages"][1:]]
    found = missed(policy(), [first, second._replace(request={**second.request, "messages": messages})])
    assert [(one.first.cause, one.hour and one.hour.placers) for one in found.groups] == [
        ("expired", ("prefix",)),
        ("message_changed", None),
    ]


def test_the_markers_of_the_client():
    sent = [mark(request(number), -1) for number in (3, 5)]
    for engine in (None, Engine.from_text("version: 1\nname: none\nrules: []\n")):
        [found] = look(*sent, engine=engine, gap=400).groups
        assert mend(found) == "`ttl: 1h` on the client's markers: 1 of 1, saves about $0.0015"


def test_a_rule_behind_the_markers_of_the_client():
    sent = [mark(request(number), "system") for number in (3, 5)]
    [found] = look(*sent, engine=policy(), gap=400).groups
    assert mend(found).startswith("`ttl: 1h` on the client's markers and `conversation`: 1 of 1, ")


def test_a_rule_that_splits_a_text():
    splitting = """\
version: 1
name: split
rules:
  - name: split
    targets: [system]
    action: {split_text: {at: "word word"}}
  - name: mark
    targets: [system, messages.last]
    action: {add_cache_control: {}}
"""
    [found] = look(request(3), request(5), engine=Engine.from_text(splitting), gap=400).groups
    assert found.hour.placers == ("mark",)


@pytest.mark.parametrize("model", ["minimax/MiniMax-M2", "bedrock/anthropic.claude-3-7-sonnet-20250219-v1:0"])
def test_a_route_that_takes_no_hour(model):
    sent = [{**mark(request(number, system=text(3000)), -1), "model": model} for number in (3, 5)]
    [found] = look(*sent, engine=None, gap=400).groups
    assert (found.first.cause, mend(found)) == ("expired", CHANGES["expired"])
    assert found.first.detail == "the 5m entry that ends here had expired 100 s before"


def test_an_entry_that_would_not_be_found():
    sent = mark(request(1), 0), mark(request(25), -1)
    [found] = look(*sent, engine=None, gap=400).groups
    assert (found.first.cause, mend(found)) == ("expired", CHANGES["expired"])


def test_the_cache_of_another_model():
    sent = request(3), request(5, model="anthropic/claude-opus-4-1")
    [found] = look(*sent, gap=400).groups
    assert (found.first.cause, mend(found)) == ("expired", CHANGES["expired"])


def test_a_prefix_that_is_too_small():
    [found] = look(*(request(number, system="") for number in (1, 3))).groups
    assert mend(found) == "none of a policy's; there is too little to cache"
    [found] = look(
        *(mark(request(number, system=text(500)), "system") for number in (3, 5)), engine=None
    ).groups
    assert mend(found) == CHANGES["below_minimum"]


def test_an_unknown_price_leaves_the_saving_unknown():
    sent = [mark(request(number, model="anthropic/claude-x"), -1) for number in (3, 5)]
    [found] = look(*sent, engine=None, gap=400).groups
    assert mend(found) == "`ttl: 1h` on the client's markers: 1 of 1"


def test_an_automatic_lifetime_is_learned_as_a_replay_learns_it():
    automatic = policy("auto", "auto")
    trace = [
        one
        for number in range(6)
        for one in records(400, 400, 400, session=str(number), start=number * 10_000.0)
    ]
    fixed, learned = missed(policy(), trace).causes["expired"], missed(automatic, trace).causes["expired"]
    assert learned.requests < fixed.requests / 2
    assert paid(automatic, trace) < paid(policy(), trace)


def test_every_cause_has_a_change():
    assert set(CHANGES) == set(get_args(Cause))


def interleaved(sizes):
    """A session for each size, whose requests each miss so much; all sessions take turns."""
    trace = [
        one._replace(at=10.0 * number + 400.0 * turn)
        for number, size in enumerate(sizes)
        for turn, one in enumerate(
            records(*([1] * (number % 4 + 1)), session=f"s{number}", make=lambda n, k=size: grown(n, k))
        )
    ]
    return sorted(trace, key=lambda one: one.at)


def grown(number, size):
    return {**request(number), "system": text(1100 + size, f"system{size}")}


def test_the_dearest_groups_are_kept_and_the_rest_is_added_up():
    trace = interleaved([*range(0, 2000, 100)])
    every, some = missed(policy(), trace), missed(policy(), trace, most=3)
    assert len(every.groups) == every.group_count == some.group_count == 20
    assert some.groups[:3] == every.groups[:3]
    assert len(some.groups) <= 6
    rest = every.groups[3:]
    requests, tokens = sum(one.requests for one in rest), sum(one.tokens for one in rest)
    cost = sum(one.cost for one in rest)
    shown = plain(full(some, some.groups[:3], TraceSummary(), "t"))
    assert shown.endswith(
        f"\nand 17 more: {requests} requests, {tokens:,} tokens, ${cost:.4f}; --limit shows them\n"
    )


def test_none_is_kept_and_all_are_added_up():
    misses = missed(policy(), interleaved([0, 100, 200]), most=0)
    assert (misses.groups, misses.group_count) == ((), 3)
    total = misses.causes["expired"]
    assert plain(full(misses, (), TraceSummary(), "t")).endswith(
        f"\nand 3 more: {total.requests} requests, {total.tokens:,} tokens, ${total.cost:.4f}; "
        "--limit shows them\n"
    )


def test_groups_are_kept_without_the_prompts_of_their_sessions(monkeypatch):
    monkeypatch.setattr("policy_cache.misses.ledger._MOST_TOKENS", 1)
    trace = [one for number in range(20) for one in records(400, session=str(number), start=9e3 * number)]
    misses = missed(policy(), trace)
    assert len(misses.groups) == 20
    gc.collect()
    assert sum(type(held) is Request for held in gc.get_objects()) < 5


def test_two_tenants_may_use_one_name():
    one, two = records(400), records(400)
    other = [record._replace(scope="b", at=record.at + 5) for record in two]
    misses = missed(policy(), sorted((*one, *other), key=lambda record: record.at))
    assert [found.requests for found in misses.groups] == [1, 1]


@pytest.mark.property
@settings(deadline=None, max_examples=40)
@given(
    gaps=st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from([1.0, 310.0, 4000.0]), st.booleans()), max_size=12
    ),
    policied=st.booleans(),
)
def test_groups_add_up(gaps, policied):
    misses, at, turns = Misses(ENGINE if policied else None), 0.0, dict.fromkeys("abc", -1)
    for number, (session, gap, changes) in enumerate(gaps):
        at += gap
        turns[session] += 2
        sent = request(turns[session], system=text(1200, f"{session}{number if changes else ''}"))
        sent = sent if policied else mark(sent, "system", -1)
        misses.add(TraceRecord(f"t:{number}", at, sent, None, 1.0, "", session))
    found = misses.groups
    assert len({(one.first.session, one.first.cause) for one in found}) == len(found) == misses.group_count
    for cause, total in misses.causes.items():
        mine = [one for one in found if one.first.cause == cause]
        assert total.requests == sum(one.requests for one in mine)
        assert total.tokens == sum(one.tokens for one in mine)
        assert total.cost == sum((one.cost for one in mine), Decimal(0))
    for one in found:
        assert one.hour is None or 0 < one.hour.requests <= one.requests
    assert SECRET not in "".join(plain(group(one)) for one in found)


@pytest.mark.property
@settings(deadline=None, max_examples=40)
@given(
    gaps=st.lists(st.sampled_from([2.0, 299.0, 301.0, 900.0, 3599.0, 4000.0]), min_size=1, max_size=10),
    changes=st.sets(st.integers(1, 10), max_size=2),
)
def test_no_more_is_promised_than_a_replay_saves(gaps, changes):
    """Exactly what it saves where a conversation only grows; where it changes, no more than that."""
    trace = [
        one._replace(request={**one.request, "system": text(1200, f"v{sum(at <= number for at in changes)}")})
        for number, one in enumerate(records(*gaps))
    ]
    saves = paid(policy(), trace) - paid(policy("1h", "1h"), trace)
    for found in missed(policy(), trace).groups:
        if found.hour is not None:
            assert found.hour.placers == ("prefix", "conversation")
            assert found.hour.saved == saves if not changes else found.hour.saved <= saves
