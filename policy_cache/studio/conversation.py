"""What a policy would save over a conversation, told from its last request alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy_cache.forecast.calibration import Calibration
from policy_cache.forecast.observed import Observed
from policy_cache.report.forecast import HEAD, cells, warnings
from policy_cache.request.location import fields_of
from policy_cache.request.prompt import AREAS, SYSTEM_ROLES, detect_shape, role_of
from policy_cache.text.amounts import usd
from policy_cache.trace.reader import TraceSummary
from policy_cache.trace.record import TraceRecord

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policy_cache.live.engine import Engine
    from policy_cache.usage.totals import Totals

MOST_TURNS = 200
"""Turns that are replayed; a longer conversation is cut there, and that is said."""


def turns(request: dict[str, object]) -> list[dict[str, object]]:
    """The requests that led to this one: what was sent before each reply of the assistant, and itself."""
    area = AREAS[detect_shape(request)]
    messages = request.get(area)
    if not isinstance(messages, list):
        return [request]
    return [*({**request, area: messages[:end]} for end in _replies(messages)), request]


def _replies(messages: list[object]) -> Iterator[int]:
    """Where a reply begins after something was asked; of several messages in a row, the first."""
    before = "assistant"
    for index, message in enumerate(messages):
        role = str(role_of(fields_of(message) or {}))
        if role in SYSTEM_ROLES:
            continue
        if role == "assistant" != before:
            yield index
        before = role


def saving(engine: Engine, request: dict[str, object], pause: float, name: str) -> dict[str, object]:
    """What each turn of a conversation would read, write and cost, as JSON data.

    Args:
        engine: The policy.
        request: The last request of the conversation.
        pause: Seconds from the start of one turn to the start of the next.
        name: What the policy is called.
    """
    asked = turns(request)
    observed = Observed([engine], Calibration())
    shown: list[dict[str, object]] = []
    for number, turn in enumerate(asked[:MOST_TURNS]):
        record = TraceRecord(f"turn {number + 1}", number * pause, turn, None, 0.0, "", "conversation")
        uncached, policy, *_ = observed.add(record) or (None, None)
        if uncached is not None and policy is not None:
            shown.append(_turn(turn, policy, uncached))
    simulation = observed.finish()
    notes = [*warnings(simulation, TraceSummary(used=len(shown)))]
    if len(asked) > MOST_TURNS:
        notes.append(f"the first {MOST_TURNS} of {len(asked):,} turns are shown")
    return {"head": HEAD, "rows": cells(simulation, [name]), "notes": notes, "turns": shown}


def _turn(request: dict[str, object], policy: Totals, uncached: Totals) -> dict[str, object]:
    messages, tokens = request.get(AREAS[detect_shape(request)]), policy.tokens
    return {
        "messages": len(messages) if isinstance(messages, list) else 1,
        "read": tokens.read,
        "written_1h": tokens.write_1h,
        "written_5m": tokens.write_5m,
        "uncached": tokens.uncached,
        "cost": usd(policy.cost),
        "without": usd(uncached.cost),
    }
