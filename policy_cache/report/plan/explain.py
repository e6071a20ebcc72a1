"""Why each rule did or did not act on a request, as a person reads it."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from policy_cache.engine.compile import Split
from policy_cache.engine.diff import asked, heading, name_at, place_of, summary
from policy_cache.engine.injection import MEANING as INJECTION
from policy_cache.engine.reasons import GRANTED, MEANING
from policy_cache.engine.repair import REPAIR
from policy_cache.report.plan.arbitration import arbitration, holders
from policy_cache.report.plan.prefix import PrefixEnd, draw
from policy_cache.report.plan.verdicts import verdicts, why_missed
from policy_cache.request.location import place
from policy_cache.text.amounts import counted, counted_tokens
from policy_cache.text.styled import Span, column
from policy_cache.text.words import visible, word

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from policy_cache.engine.changes import Placement
    from policy_cache.engine.compile import CompiledRule
    from policy_cache.engine.match import Facts
    from policy_cache.engine.plan import Plan
    from policy_cache.report.plan.arbitration import Arbitration, Wish
    from policy_cache.report.plan.prefix import Drawing
    from policy_cache.report.plan.verdicts import ConditionVerdict, RuleVerdict
    from policy_cache.report.plan.why import Answer


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
        where = "takes no effect here" if marker.block is None else word(marker.ttl)
        spans.append(Span(f"client marker at {place(marker.holder)} ({where})\n", "dim"))
    spans += [
        Span(f"repaired at {place(placement.location or ())}: {visible(placement.detail)}\n", "dim")
        for placement in plan.placements
        if placement.source is REPAIR
    ]
    if plan.injection is not None:
        spans.append(Span(f"{INJECTION[plan.injection]}\n", "warning"))
    if not rules:
        spans.append(Span("\nthe policy has no rules, or is not enabled\n", "warning"))
    for verdict in verdicts(rules, facts, plan):
        spans += _rule(verdict, facts, plan)
    spans += _arbitration(arbitration(plan))
    spans += _prefix(draw(plan), plan)
    return [*spans, Span("\nresult: "), *summary(plan)]


def explain_place(answer: Answer, plan: Plan) -> list[Span]:
    """The answer to `why` as a person reads it."""
    name = name_at(plan, answer.location)
    size = f"prefix up to it about {counted_tokens(answer.tokens)}" if answer.tokens is not None else ""
    about = ", ".join(filter(None, (name, size)))
    spans = [
        *heading(plan),
        Span("\nwhy "),
        Span(place(answer.location), "strong"),
        Span(f"  {about}".rstrip() + "\n", "dim"),
    ]
    rows = [(asked(wish.source), _ending(wish), _wish(wish), wish.source) for wish in answer.wishes]
    rows += [(asked(idle.source), "idle", idle.why, idle.source) for idle in answer.idle]
    widths = column(row[0] for row in rows), column(row[1] for row in rows)
    for wisher, ending, detail, source in rows:
        spans.append(Span(f"      {wisher:{widths[0]}}  {ending:{widths[1]}}  {detail}"))
        spans.append(Span(f"  ({place_of(plan, source)})\n", "location"))
    if not rows:
        spans.append(Span("      no target names it\n", "dim"))
    good = answer.verdict in {"marked", "client", "observed"}
    return [*spans, Span("result: "), Span(f"{answer.conclusion}.\n", "added" if good else "warning")]


def _wish(wish: Placement) -> str:
    """What a wish came to, in a line about one place."""
    where = _place(wish)
    if wish.reason == "moved":
        return f"moved to {where}"
    return ": ".join(
        filter(None, (where, wish.detail or ("" if wish.reason == "applied" else MEANING[wish.reason])))
    )


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


def _conditions(verdicts: Sequence[ConditionVerdict], indent: str, refused: str) -> Iterator[Span]:
    rows = [(word(v.name), word(v.seen), word(v.expected)) for v in verdicts]
    names, seen, expected = (column(row[number] for row in rows) for number in range(3))
    for verdict, row in zip(verdicts, rows, strict=True):
        yield Span(f"{indent}{row[0]:{names}}  {row[1]:{seen}}  ~  {row[2]:{expected}}  ")
        yield Span("yes\n", "added") if verdict.holds else Span(f"{refused}\n", "removed")


def _placements(placements: Sequence[Placement], facts: Facts) -> Iterator[Span]:
    """A line for each placement, in columns; many of a target that ended alike become a few."""
    targets, endings = column(map(_target, placements)), column(map(_ending, placements))
    for _, group in groupby(placements, key=lambda p: (p.source, p.reason, p.detail)):
        alike = list(group)
        shown = alike if len(alike) <= _MOST_ALIKE else alike[: _MOST_ALIKE - 1]
        for placement in shown:
            acted = placement.reason in GRANTED
            text = ": ".join(filter(None, (_place(placement), _detail(placement, facts))))
            yield Span(f"      target {_target(placement):{targets}}  ")
            yield Span(
                f"{_ending(placement):{endings}}" if text else _ending(placement),
                "added" if acted else "warning",
            )
            yield Span(f"  {text}\n" if text else "\n")
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


def _arbitration(award: Arbitration) -> Iterator[Span]:
    """Every wish for a marker in the order in which they were decided."""
    if not award.steps:
        return
    wishes = f"{len(award.steps)} wish{'' if len(award.steps) == 1 else 'es'}"
    yield Span(f"\narbitration: {wishes} for {counted(award.limit, 'breakpoint')}\n", "strong")
    if award.client:
        yield Span(f"      the client has {award.client} of {award.limit}\n", "dim")
    rows = [(str(step.number), asked(step.placement.source), _wanted(step)) for step in award.steps]
    widths = [column(row[number] for row in rows) for number in range(3)]
    at = 0
    for _, group in groupby(award.steps, key=_alike):
        alike = list(group)
        shown = alike if len(alike) <= _MOST_ALIKE else alike[: _MOST_ALIKE - 1]
        for step, row in zip(shown, rows[at : at + len(shown)], strict=True):
            yield Span(f"      {row[0]:>{widths[0]}}  {row[1]:{widths[1]}}  {row[2]:{widths[2]}}  ")
            yield Span(f"{_fate(step, award)}\n", "warning" if step.slot is None else "added")
        if left := len(alike) - len(shown):
            yield Span(f"      {'':{widths[0]}}  {rows[at][1]:{widths[1]}}  … and {left} more\n")
        at += len(alike)


def _alike(step: Wish) -> tuple[object, ...]:
    placement = step.placement
    return placement.source, placement.reason, placement.detail


def _wanted(step: Wish) -> str:
    location = step.placement.location if step.wanted is None else step.wanted
    return "" if location is None else place(location)


def _fate(step: Wish, award: Arbitration) -> str:
    placement = step.placement
    if step.slot is not None:
        ttl = (
            f"{placement.ttl}: {placement.detail}"
            if placement.detail and placement.reason in {"ttl_lowered", "ttl_unsupported"}
            else placement.ttl
        )
        verb = "would take" if placement.reason == "observed" else "takes"
        moved = placement.location if placement.reason == "moved" else None
        suffix = "" if moved is None else f", moved from {place(moved)}"
        return f"{verb} {step.slot} of {award.limit} ({ttl}){suffix}"
    if step.holder is not None:
        return f"dropped: step {step.holder} has it"
    if placement.reason == "over_budget":
        return f"dropped: {placement.detail}, by {' and '.join(holders(award))}"
    return f"dropped: {placement.detail or MEANING[placement.reason]}"


def _prefix(drawing: Drawing, plan: Plan) -> Iterator[Span]:
    """The prefix from its first tool to its last message, with a line at each breakpoint."""
    route = plan.route
    minimum = f"; {word(route.model)} caches from {route.minimum:,} on" if route.minimum else ""
    marked = f", marked with {route.key}" if drawing.ends else ", no breakpoint"
    sent = "as sent" if plan.changed or not plan.edits else "as it would be sent"
    yield Span(f"\nprefix {sent}: about {counted_tokens(drawing.tokens)}{marked}{minimum}\n", "strong")
    if not drawing.ends:
        return
    rows = [
        _breakpoint(piece, plan)
        if isinstance(piece, PrefixEnd)
        else (f"  {piece.name}", "", f"{piece.tokens:,}", "")
        for piece in drawing.pieces
    ]
    widths = [column(row[number] for row in rows) for number in range(3)]
    for row in rows:
        line = f"      {row[0]:{widths[0]}}  {row[1]:{widths[1]}}  {row[2]:>{widths[2]}}"
        yield Span(line, "added" if row[3] else "")
        yield Span(f"  {row[3]}\n" if row[3] else "\n", "note")


def _breakpoint(end: PrefixEnd, plan: Plan) -> tuple[str, str, str, str]:
    point = end.breakpoint
    by = "the client" if point.source is None else asked(point.source)
    return (
        f"-- {point.slot} of {plan.route.breakpoints} --",
        f"{place(point.at)} ({word(point.ttl)})",
        f"= {end.tokens:,}",
        by,
    )
