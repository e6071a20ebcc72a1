"""Why each rule did or did not act on a request: every condition, target and placement."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from policy_cache.engine.compile import Split
from policy_cache.engine.injection import MEANING as INJECTION
from policy_cache.engine.reasons import ACTED, MEANING
from policy_cache.report.diff import column, heading, place_of, summary
from policy_cache.report.render import Span
from policy_cache.report.values import place, word
from policy_cache.request.jsonpath import compile_path
from policy_cache.request.location import fields_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from policy_cache.engine.compile import CompiledRule
    from policy_cache.engine.match import Condition, Facts
    from policy_cache.engine.plan import Placement, Plan


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


_QUOTING = ".[]'\""
_SPLIT = (
    "a split changes what is sent: begun in mid-conversation, it fails the provider's check of the "
    "prefix before thinking blocks"
)
_MOST_ALIKE = 4
"""More placements than these that ended alike are shown by their beginning and their number."""


def explain(rules: Sequence[CompiledRule], facts: Facts, plan: Plan) -> list[Span]:
    """The explanation as a person reads it."""
    spans = [*heading(plan)]
    for marker in plan.client_markers:
        where = "lost by litellm" if marker.block is None else word(marker.ttl)
        spans.append(Span(f"client marker at {place(marker.holder)} ({where})\n", "dim"))
    if plan.injection is not None:
        spans.append(Span(f"{INJECTION[plan.injection]}\n", "warning"))
    if not rules:
        spans.append(Span("\nthe policy has no rules, or is not enabled\n", "warning"))
    for verdict in verdicts(rules, facts, plan):
        spans += _rule(verdict, facts, plan)
    return [*spans, Span("\nresult: "), *summary(plan)]


def _rule(verdict: RuleVerdict, facts: Facts, plan: Plan) -> Iterator[Span]:
    rule = verdict.rule
    yield Span(f"\n[{rule.number}] {word(rule.source.rule)}", "strong")
    yield Span(f"  {verdict.outcome}", "added" if verdict.outcome == "match" else "warning")
    if verdict.stopper is not None:
        yield Span(f" (`stop: true` in [{verdict.stopper.number}])", "dim")
    yield Span(f"  ({place_of(plan, rule.source)})\n", "location")
    yield from _conditions(verdict.match, "      ", "NO (stopped here)")
    if verdict.outcome != "not reached" and not verdict.match:
        yield Span("      no condition: it matches every request\n", "dim")
    if verdict.veto:
        yield Span(f"      except: {'applies' if verdict.outcome == 'excepted' else 'does not apply'}\n")
        yield from _conditions(verdict.veto, "        ", "no")
    yield from _placements(verdict.placements, facts)
    if isinstance(rule.action, Split) and any(placement.at is not None for placement in verdict.placements):
        yield Span(f"      {_SPLIT}\n", "warning")


def _conditions(verdicts: Sequence[Verdict], indent: str, refused: str) -> Iterator[Span]:
    rows = [(word(v.name), word(v.seen), word(v.expected)) for v in verdicts]
    names, seen, expected = (column(row[number] for row in rows) for number in range(3))
    for verdict, row in zip(verdicts, rows, strict=True):
        yield Span(f"{indent}{row[0]:{names}}  {row[1]:{seen}}  ~  {row[2]:{expected}}  ")
        yield Span("yes\n", "added") if verdict.holds else Span(f"{refused}\n", "removed")


def _placements(placements: Sequence[Placement], facts: Facts) -> Iterator[Span]:
    """A line for each placement, in columns; many of a target that ended alike become a few."""
    targets, endings = column(map(_target, placements)), column(map(_ending, placements))
    for _, group in groupby(placements, key=lambda one: (one.source, one.reason, one.detail)):
        alike = list(group)
        shown = alike if len(alike) <= _MOST_ALIKE else alike[: _MOST_ALIKE - 1]
        for one in shown:
            acted = one.reason in ACTED or one.reason == "observed"
            said = ": ".join(filter(None, (_place(one), _detail(one, facts))))
            yield Span(f"      target {_target(one):{targets}}  ")
            yield Span(f"{_ending(one):{endings}}" if said else _ending(one), "added" if acted else "warning")
            yield Span(f"  {said}\n" if said else "\n")
        if left := len(alike) - len(shown):
            line = f"{_target(alike[0]):{targets}}  {_ending(alike[0]):{endings}}  … and {left} more"
            yield Span(f"      target {line}\n")


def _target(placement: Placement) -> str:
    return word(placement.source.target) or "the request"


def _place(placement: Placement) -> str:
    """Where it was done, or else what the target named."""
    location = placement.location if placement.at is None else placement.at
    return "" if location is None else place(location)


def _ending(placement: Placement) -> str:
    """How it ended, with the TTL of the marker that is there now."""
    marked = placement.at is not None and placement.ttl is not None
    return f"{placement.reason} ({placement.ttl})" if marked else placement.reason


def _detail(placement: Placement, facts: Facts) -> str:
    if placement.reason == "applied":
        return placement.detail
    if placement.reason == "moved" and placement.location is not None:
        return f"from {place(placement.location)}: {MEANING['moved'].removeprefix('done, ')}"
    if placement.reason == "no_target" and not placement.detail:
        return why_missed(placement.source.target, facts)
    return placement.detail or MEANING[placement.reason]


def why_missed(target: str, facts: Facts) -> str:
    """Why a target named nothing: for a path, the segment at which it stopped and what stood there."""
    miss = compile_path(target).miss(facts.request) if target.startswith("$") else None
    if miss is None:
        return MEANING["no_target"]
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
