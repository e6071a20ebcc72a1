"""What each rule came to on a request: every condition that was asked, and what became of its wishes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policy_cache.engine.changes import Placement
    from policy_cache.engine.compile import CompiledRule
    from policy_cache.engine.match import Condition, Facts
    from policy_cache.engine.plan import Plan


@dataclass(frozen=True, slots=True)
class Verdict:
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
    match: tuple[Verdict, ...]
    veto: tuple[Verdict, ...]
    placements: tuple[Placement, ...]
    stopper: CompiledRule | None = None


def verdicts(rules: Sequence[CompiledRule], facts: Facts, plan: Plan) -> list[RuleVerdict]:
    """Every rule's verdict, in file order."""
    found: list[RuleVerdict] = []
    stopper: CompiledRule | None = None
    for rule in rules:
        if stopper is not None:
            found.append(RuleVerdict(rule, "not reached", (), (), (), stopper))
            continue
        match = _judged(rule.match, facts)
        veto = _judged(rule.veto, facts) if all(verdict.holds for verdict in match) else ()
        matched = rule.source.rule in plan.matched
        outcome = "match" if matched else "excepted" if veto and all(v.holds for v in veto) else "no match"
        placements = tuple(p for p in plan.placements if p.source.rule == rule.source.rule)
        found.append(RuleVerdict(rule, outcome, match, veto, placements))
        if matched and rule.stop:
            stopper = rule
    return found


def _judged(conditions: Sequence[Condition], facts: Facts) -> tuple[Verdict, ...]:
    judged: list[Verdict] = []
    for condition in conditions:
        holds = condition.holds(facts)
        judged.append(Verdict(condition.name, condition.expected, condition.seen(facts), holds))
        if not holds:
            break
    return tuple(judged)
