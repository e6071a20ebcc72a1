"""No conversation costs much more under `auto` than under the better fixed lifetime."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy_cache import Engine
from policy_cache.forecast.replay import Replay
from policy_cache.trace.record import TraceRecord
from tests.engine.requests import ANTHROPIC, BIG
from tests.lifetimes.streams import AUTO, TOOL

# A write for an hour over one for five minutes.
OVER_FIVE_MINUTES = Decimal("1.6")
# Written for five minutes, and twice for an hour, over written once and read twice.
OVER_AN_HOUR = Decimal("2.4")

GAPS = st.sampled_from([1.0, 20.0, 120.0, 290.0, 310.0, 900.0, 3_500.0, 3_700.0, 90_000.0])
CONVERSATIONS = st.lists(GAPS, min_size=1, max_size=12)


def record(name: str, turn: int, at: float) -> TraceRecord:
    messages = [{"role": "system", "content": BIG}, {"role": "user", "content": f"{name} {BIG}"}]
    for number in range(turn):
        messages.append({"role": "assistant", "content": f"{name} {number}"})
        messages.append({"role": "user", "content": f"{number} {BIG}"})
    request = {"model": ANTHROPIC, "tools": [TOOL], "messages": messages}
    return TraceRecord(f"{name}#{turn}", at, request, None, 0.0, "", name)


def costs(records: list[TraceRecord]) -> list[Decimal]:
    policies = (AUTO, AUTO.replace("{ttl: auto}", "{}"), AUTO.replace("{ttl: auto}", "{ttl: 1h}"))
    replay = Replay([Engine.from_text(policy) for policy in policies])
    for each in records:
        replay.add(each)
    return [column.total.cost or Decimal(0) for column in replay.finish().policies]


@pytest.mark.property
@settings(max_examples=60)
@given(CONVERSATIONS)
def test_a_conversation_costs_little_more_than_under_the_better_fixed_lifetime(gaps):
    at, records = 0.0, [record("a", 0, 0.0)]
    for turn, gap in enumerate(gaps, 1):
        at += gap
        records.append(record("a", turn, at))
    auto, short, hour = costs(records)
    assert auto <= OVER_FIVE_MINUTES * short
    assert auto <= OVER_AN_HOUR * hour
