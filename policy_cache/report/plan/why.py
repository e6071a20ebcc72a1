"""Why one place of a request is marked, or is not: who wanted it, who got it, and what stood in the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from policy_cache.engine.reasons import ACTED, MEANING
from policy_cache.engine.repair import REPAIR
from policy_cache.report.plan.prefix import overlaps, size_up_to
from policy_cache.report.plan.verdicts import verdicts
from policy_cache.request.blocks import walk
from policy_cache.request.location import fields_of, place, value_at
from policy_cache.text.words import word

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from policy_cache.engine.changes import Origin, Placement
    from policy_cache.engine.compile import CompiledRule
    from policy_cache.engine.match import Facts
    from policy_cache.engine.plan import Plan
    from policy_cache.report.plan.verdicts import RuleVerdict
    from policy_cache.request.location import Location

Verdict: TypeAlias = Literal[
    "marked", "client", "observed", "moved", "refused", "idle", "not_named", "not_markable"
]


@dataclass(frozen=True, slots=True)
class Idle:
    """A target that names the place and did not count.

    Attributes:
        source: The target.
        why: What kept it from counting.
    """

    source: Origin
    why: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What there is to say of one place.

    Attributes:
        location: The place, in the request as it came.
        tokens: The estimated size of the prefix that ends there; None outside the prompt.
        verdict: How it ended.
        wishes: The wishes that named it, or were moved to it, in the order in which they were decided.
        idle: Targets that name it, and did not count.
        obstacle: Why nothing there can carry a marker on this route; empty where something can.
        conclusion: All of it in one sentence.
    """

    location: Location
    tokens: int | None
    verdict: Verdict
    wishes: tuple[Placement, ...]
    idle: tuple[Idle, ...]
    obstacle: str
    conclusion: str


def why(location: Location, rules: Sequence[CompiledRule], facts: Facts, plan: Plan) -> Answer:
    """Answer for one place that exists in the request."""
    sources = {target.source for rule in rules if rule.marks for target in rule.targets}
    wishes = tuple(
        wish for wish in plan.placements if wish.source in sources and _concerns(plan, wish, location)
    )
    obstacle = _obstacle(location, facts, plan)
    idle = tuple(_idle(location, verdicts(rules, facts, plan), facts, plan))
    verdict, conclusion = _concluded(location, plan, wishes, idle, obstacle)
    tokens = size_up_to(facts.prompt, plan.route.blocks, location) if location else None
    return Answer(location, tokens, verdict, wishes, idle, obstacle, conclusion)


def _concerns(plan: Plan, wish: Placement, location: Location) -> bool:
    """Whether a wish named a place, or something in it, or was done there."""
    if wish.at is not None and (wish.at == () or location == ()):
        return wish.at == location
    if wish.at is not None and overlaps(wish.at, location):
        return True
    return wish.location is not None and _names(plan, wish.location, location)


def _names(plan: Plan, named: Location, location: Location) -> bool:
    """Whether what a target named means a place: the end of what is named, or something in the place."""
    if named == () or location == ():
        return named == location
    if named[: len(location)] == location:
        return True
    if location[: len(named)] != named:
        return False
    value = value_at(plan.original, named)
    for key in location[len(named) :]:
        if isinstance(value, (list, tuple)):
            if key != len(value) - 1:
                return False
            value = value[key]
        else:
            value = (fields_of(value) or {}).get(str(key))
    return True


def _concluded(
    location: Location, plan: Plan, wishes: Sequence[Placement], idle: Sequence[Idle], obstacle: str
) -> tuple[Verdict, str]:
    for wish in wishes:
        if wish.at is not None and (wish.at == location or (location and overlaps(wish.at, location))):
            inner = "" if wish.at == location else f" at {place(wish.at)}"
            if wish.reason == "observed":
                return (
                    "observed",
                    f"{word(wish.source.rule)} would mark it{inner}, and the policy only observes",
                )
            if wish.reason in ACTED:
                return "marked", f"{word(wish.source.rule)} marks it{inner} ({wish.ttl})"
    for edit in plan.edits if plan.route.run else ():
        if edit.change == "mark" and location and overlaps(edit.location, location):
            return "marked", f"{word(edit.source.rule)} marks it, as a part of the run up to its breakpoint"
    gone = {edit.location: edit.source for edit in plan.edits if edit.change == "unmark"}
    for marker in plan.client_markers:
        if marker.holder == location or (location and overlaps(marker.holder, location) and marker.holder):
            fate = "that stays"
            if marker.holder in gone:
                repaired = gone[marker.holder] is REPAIR
                fate = "that is taken away, as `explain` says" if repaired else "a rule takes that away"
            fate = "that takes no effect here" if marker.block is None and marker.holder not in gone else fate
            return "client", f"the client marked {place(marker.holder)} ({word(marker.ttl)}), and {fate}"
    for wish in wishes:
        if wish.at is not None:
            because = f": {obstacle}" if obstacle else ""
            return "moved", f"named, but the marker moved to {place(wish.at)}{because}"
    if wishes:
        last = wishes[-1]
        detail = last.detail or MEANING[last.reason]
        if last.reason == "over_budget":
            detail = f"{detail}: {', '.join(_used(plan))}"
        return "refused", f"nobody marks it: {last.reason}, {obstacle or detail}"
    if obstacle:
        return "not_markable", f"nobody marks it: {obstacle}"
    if idle:
        return "idle", f"nobody marks it: {idle[0].why}"
    return "not_named", "nobody marks it: it can carry a marker, and no target of a matching rule names it"


def _used(plan: Plan) -> Iterator[str]:
    """The places that have the breakpoints."""
    for point in plan.intended:
        if point.slot is not None and point.origin is not None:
            by = "the client" if point.source is None else word(point.source.rule)
            yield f"{place(point.origin if point.at else ())} ({by})"


def _idle(
    location: Location, rule_verdicts: Sequence[RuleVerdict], facts: Facts, plan: Plan
) -> Iterator[Idle]:
    """Targets that name the place, of rules that do not match or that take other hits."""
    for verdict in rule_verdicts:
        if not verdict.rule.marks:
            continue
        refused = {wish.source: wish for wish in verdict.placements if wish.location is None}
        for target in verdict.rule.targets:
            hits = target.find(facts.prompt)
            concerned = [hit for hit in hits if _names(plan, hit.location, location)]
            if not concerned:
                continue
            if verdict.outcome != "match":
                yield Idle(target.source, _unmatched(verdict))
            elif target.source in refused:
                refusal = refused[target.source]
                yield Idle(target.source, f"{refusal.reason}, {refusal.detail or MEANING[refusal.reason]}")
            elif not any(hit in target.select(hits) for hit in concerned):
                yield Idle(target.source, f"`take: {target.take}` takes other hits")


def _unmatched(verdict: RuleVerdict) -> str:
    if verdict.stopper is not None:
        return f"the rule is not reached: `stop: true` in [{verdict.stopper.number}]"
    if verdict.outcome == "excepted":
        return "the rule is excepted: its `except` applies"
    if not verdict.match:
        return "the rule does not match"
    failed = verdict.match[-1]
    return f"the rule does not match: {word(failed.name)} {word(failed.seen)} ~ {word(failed.expected)}"


_ABSENT = {
    "automatic": "the provider caches by itself, and takes no marker",
    "none": "this route takes no markers",
    "unknown": "what this route takes is not known",
}


def _obstacle(location: Location, facts: Facts, plan: Plan) -> str:
    """Why nothing at a place can carry a marker; empty where something can."""
    route, prompt = plan.route, facts.prompt
    if route.mechanism != "explicit":
        return _ABSENT[route.mechanism]
    if location == ():
        return "" if route.request_marker else "a marker on the request itself does not reach the provider"
    prompt = facts.prompt
    if location[0] not in {"tools", prompt.system_name, prompt.area}:
        return f"it is outside tools, {prompt.system_name} and {prompt.area}"
    blocks = [block for block in walk(prompt, route.blocks) if overlaps(block.location, location)]
    if any(block.markable for block in blocks):
        return ""
    return _unmarkable(blocks[-1].location, facts, plan) if blocks else "it is no block of the prompt"


def _unmarkable(block: Location, facts: Facts, plan: Plan) -> str:
    """What it is about a block that it cannot carry a marker."""
    value = value_at(plan.original, block)
    fields = fields_of(value) or {}
    kind = fields.get("type")
    where = place(block)
    if block[0] == "tools":
        function = fields_of(fields.get("function")) or {}
        deferred = fields.get("defer_loading") or function.get("defer_loading")
        return f"{where} is deferred" if deferred else f"{where} is a tool, which carries none on this route"
    text = value if isinstance(value, str) else fields.get("text") if kind in ("text", "input_text") else None
    if isinstance(text, str) and (not text or text.isspace()):
        return f"{where} is blank text"
    if isinstance(text, str) and text.startswith("x-anthropic-billing-header:"):
        return f"{where} is the client's billing header"
    what = "a text" if isinstance(text, str) else f"a `{word(str(kind))}` block" if kind else "a message"
    if block[0] == facts.prompt.system_name:
        return f"{where} is {what} of the system prompt, which carries none on this route"
    if len(block) == 1:
        return f"{where} is a text: only a list of items has a place for a marker"
    index = block[1]
    assert isinstance(index, int)
    role = word(str(facts.prompt.messages[index].get("role")))
    return f"{where} is {what} of the role `{role}`, which carries none there on this route"
