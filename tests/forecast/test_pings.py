"""Keeping warm in a replay: what is sent, when, and what it costs."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from policy_cache.forecast.compare import PolicyText, TraceOptions, compare
from policy_cache.lifetimes import FLOOR
from tests.forecast.test_compare import agent

SHORT = PolicyText(
    "short",
    """{version: 1, name: short, rules: [{name: all, targets: [tools, system, messages.last],
    action: {add_cache_control: {ttl: 5m}}}]}""",
)
HOUR = PolicyText("hour", SHORT.text.replace("5m", "1h"))
APART = 8_000.0


def conversations(pauses, number=12, start=0.0):
    """Of five requests each, that share nothing, one after the other."""
    for talk in range(number):
        at = start + talk * APART
        for pause, request in zip((0.0, *pauses), agent(5, system=f"{talk} " + "word " * 8_000), strict=True):
            at += pause
            yield {"ts": at, "request": request, "session": f"talk {talk}"}


@pytest.fixture
def replayed(tmp_path):
    def replay(records, policy=SHORT, keep_warm=FLOOR, by=None):
        path = tmp_path / "trace.jsonl"
        path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
        simulation, _ = compare(TraceOptions((str(path),)), [policy], keep_warm=keep_warm, by=by)
        return simulation

    return replay


def test_pauses_of_seven_minutes_are_outlived_once_they_are_known(replayed):
    found = replayed(conversations([420.0] * 4))
    [without], [kept] = found.policies, found.kept
    assert without.total.read == 0
    assert kept.pings.written == 0
    # Six at most per conversation: four pauses, and two after its end, until it does not pay.
    assert 12 * 4 <= kept.pings.requests <= 12 * 6
    assert kept.total.hits >= 12 * 4 - 4
    assert kept.cost == kept.total.cost + kept.pings.cost < without.cost * Decimal("0.6")
    assert found.pinged <= kept.cost
    assert found.pinged < found.optimum


def test_requests_that_follow_each_other_are_not_pinged_once_that_is_known(replayed):
    found = replayed(conversations([15.0] * 4, number=40))
    pings = found.kept[0].pings
    assert pings.requests < 12
    assert found.kept[0].total.cost == found.policies[0].total.cost
    assert found.pinged <= found.optimum


def test_pauses_of_more_than_an_hour_are_outlived_by_one_ping(replayed):
    """Once they are known; and what has waited through an hour has ended, so there is never a second one."""
    talks = sorted(conversations([4_500.0] * 4), key=lambda record: record["ts"])
    found = replayed(talks, HOUR, by="session")
    [without], [kept] = found.policies, found.kept
    assert max(totals.requests for totals in kept.pings_of.values()) <= 5
    assert kept.pings.written == 0
    assert kept.pings_of["talk 11"].requests == 5
    assert kept.cost < without.cost * Decimal("0.7")


def test_pings_are_grouped_with_their_requests(replayed):
    found = replayed(conversations([420.0] * 4), by="session")
    [kept] = found.kept
    assert sum(totals.requests for totals in kept.pings_of.values()) == kept.pings.requests
    assert sum(kept.whole_of(group).paid for group in kept.groups) == kept.cost
    assert kept.whole_of("talk 3").paid == kept.groups["talk 3"].cost + kept.pings_of["talk 3"].cost


def test_nothing_is_sent_where_nobody_asked(replayed):
    found = replayed(conversations([420.0] * 4), keep_warm=None)
    assert (found.kept, found.pinged, found.policies[0].pings.requests) == ([], None, 0)


def test_only_what_was_known_then_decides(replayed):
    """What comes later changes nothing before it."""
    before = list(conversations([420.0] * 4))
    alone = replayed(before, by="session").kept[0]
    later = [
        line | {"session": f"later {line['session']}"} for line in conversations([15.0] * 4, start=12 * APART)
    ]
    after = replayed([*before, *later], by="session").kept[0]
    assert {
        name: totals.requests for name, totals in alone.pings_of.items() if name != "talk 11"
    }.items() <= {name: totals.requests for name, totals in after.pings_of.items()}.items()


def as_items(messages):
    """Messages of a chat as items of the Responses API."""
    for message in messages:
        if message["role"] == "assistant":
            for call in message["tool_calls"]:
                yield {"type": "function_call", "call_id": call["id"], **call["function"]}
        elif message["role"] == "tool":
            said = {"call_id": message["tool_call_id"], "output": message["content"]}
            yield {"type": "function_call_output", **said}
        else:
            yield message


def test_half_an_hour_of_openai_is_outlived_too(replayed):
    """Each ping is reckoned with the 16 tokens that its Responses API takes at least."""
    records = sorted(conversations([2_400.0] * 4), key=lambda record: record["ts"])
    for record in records:
        chat = record["request"]
        tools = [{"type": "function", **tool["function"]} for tool in chat["tools"]]
        record["request"] = {
            "model": "openai/gpt-5.6",
            "input": [*as_items(chat["messages"])],
            "tools": tools,
        }
    found = replayed(records)
    [without], [kept] = found.policies, found.kept
    assert without.total.read == 0
    assert kept.pings.written == 0
    assert kept.pings.output == 16 * kept.pings.requests > 0
    assert kept.total.hits > 0
    assert kept.cost < without.cost
