"""What each rule came to on a request: every condition that was asked, and what became of its wishes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from policy_cache.engine.reasons import MEANING
from policy_cache.request.location import fields_of, place
from policy_cache.request.path import compile_path
from policy_cache.text.words import word

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policy_cache.engine.changes import Placement
    from policy_cache.engine.compile import CompiledRule
    from policy_cache.engine.match import Condition, Facts
    from policy_cache.engine.plan import Plan


@dataclass(frozen=True, slots=True)
class ConditionVerdict:
    """What one condition came to.

    Attributes:
        name: The condition.
        expected: What it wants.
        seen: What the request has.
        holds: Whether it is met.
    """

    name: str
    expected: str
    seen: str
    holds: bool


@dataclass(frozen=True, slots=True)
class RuleVerdict:
    """What one rule came to.

    Attributes:
        rule: The rule.
        outcome: `match`, `no match`, `excepted` or `not reached`.
        match: Its conditions, up to and with the first that failed.
        veto: The conditions of its `except`, up to and with the first that failed.
        placements: What became of its wishes.
        stopper: The earlier rule that ended the list, where this one was not reached.
    """

    rule: CompiledRule
    outcome: str
    match: tuple[ConditionVerdict, ...]
    veto: tuple[ConditionVerdict, ...]
    placements: tuple[Placement, ...]
    stopper: CompiledRule | None = None


def verdicts(rules: Sequence[CompiledRule], facts: Facts, plan: Plan) -> list[RuleVerdict]:
    """Every rule's verdict, in file order."""
    answers: list[RuleVerdict] = []
    stopper: CompiledRule | None = None
    for rule in rules:
        if stopper is not None:
            answers.append(RuleVerdict(rule, "not reached", (), (), (), stopper))
            continue
        match = _judged(rule.match, facts)
        veto = _judged(rule.veto, facts) if all(verdict.holds for verdict in match) else ()
        matched = rule.source.rule in plan.matched
        outcome = "match" if matched else "excepted" if veto and all(v.holds for v in veto) else "no match"
        placements = tuple(p for p in plan.placements if p.source.rule == rule.source.rule)
        answers.append(RuleVerdict(rule, outcome, match, veto, placements))
        if matched and rule.stop:
            stopper = rule
    return answers


def _judged(conditions: Sequence[Condition], facts: Facts) -> tuple[ConditionVerdict, ...]:
    judged: list[ConditionVerdict] = []
    for condition in conditions:
        holds = condition.holds(facts)
        judged.append(ConditionVerdict(condition.name, condition.expected, condition.seen(facts), holds))
        if not holds:
            break
    return tuple(judged)


_QUOTING = ".[]'\""
_NAMED = {
    "tools": "the request has no tools",
    "system": "the request has no system prompt",
    "system.stable": "no block of the system prompt ends before the boundary: `split_text` can divide one",
    "messages.last": "no message follows the system prompt",
    "messages.stable": "the conversation is nothing but system messages and reminders",
    "messages.last_user": "no user turn that is more than tool results",
    "messages.last_tool_result": "the conversation has no tool result",
    "messages.previous_turn": "nothing stands before an assistant turn: the conversation begins here",
}


def why_missed(target: str, facts: Facts) -> str:
    """Why a target named nothing: for a path, the segment at which it stopped and what stood there."""
    miss = compile_path(target).miss(facts.request) if target.startswith("$") else None
    if miss is None:
        return _NAMED.get(target, MEANING["no_target"])
    here = place(miss.location) if miss.location else "the request"
    return f"stopped at `{word(miss.segment)}`: {here} {_lack(miss.segment, miss.value)}"


def _lack(segment: str, value: object) -> str:
    """What a value is that a segment of a path finds nothing in."""
    name = segment.startswith((".", "['", '["'))
    index = segment[1:-1].lstrip("-").isdigit()
    if isinstance(value, (list, tuple)):
        if name and not segment.startswith(".."):
            return f"is a list of {len(value)}, not an object: add an index, as in `[-1]`"
        if index or not value:
            return f"has {len(value)} elements" if value else "is an empty list"
        return f"is a list of {len(value)}, and none matches"
    if fields_of(value) is not None:
        if segment.startswith(".."):
            return "has no such name at any depth"
        if name:
            return f"has no `{word(segment.strip(_QUOTING))}`"
        return "is an object, not a list" if index else "has no member that matches"
    kind = "a text" if isinstance(value, str) else "null" if value is None else type(value).__name__
    return f"is {kind}, not {'an object' if name else 'a list'}"
