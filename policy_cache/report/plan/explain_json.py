"""The explanation as JSON data: stable names, places as normalized paths, sizes in estimated tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy_cache.engine.repair import REPAIR
from policy_cache.report.diagnostics.render import FORMAT_VERSION
from policy_cache.report.plan.arbitration import arbitration
from policy_cache.report.plan.prefix import Part, PrefixEnd, draw
from policy_cache.report.plan.verdicts import verdicts, why_missed
from policy_cache.request.location import place
from policy_cache.text.values import elided
from policy_cache.text.words import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policy_cache.engine.changes import Origin, Placement
    from policy_cache.engine.compile import CompiledRule
    from policy_cache.engine.match import Facts
    from policy_cache.engine.plan import Plan
    from policy_cache.report.plan.arbitration import Wish
    from policy_cache.report.plan.verdicts import ConditionVerdict, RuleVerdict
    from policy_cache.report.plan.why import Answer
    from policy_cache.request.location import Location

Data = dict[str, object]


def explain_json(
    rules: Sequence[CompiledRule],
    facts: Facts,
    plan: Plan,
    *,
    wire: Data | None = None,
    answer: Answer | None = None,
) -> Data:
    """Everything that `explain` says.

    Args:
        rules: The engine's rules.
        facts: What conditions see of the request.
        plan: The plan to explain.
        wire: What litellm makes of it, where that was asked; None where not.
        answer: What there is to say of one place, where that was asked; None where not.

    Raises:
        RequestError: A part of the request is cyclic, or too large to be measured.
    """
    route, drawing, given = plan.route, draw(plan), arbitration(plan)
    return {
        "format_version": FORMAT_VERSION,
        "policy": {"file": visible(plan.policy.file), "revision": plan.policy.revision},
        "route": {
            "name": route.name,
            "provider": route.provider,
            "model": elided(route.model),
            "shape": route.shape,
            "mechanism": route.mechanism,
            "breakpoints": route.breakpoints,
            "minimum_tokens": route.minimum,
            "marker": route.key,
        },
        "changed": plan.changed,
        "litellm_adds": plan.injection,
        "client_markers": [
            {"at": place(marker.holder), "effective_at": _place(marker.block), "ttl": elided(marker.ttl)}
            for marker in plan.client_markers
        ],
        "repairs": [
            {"at": _place(placement.location), "detail": placement.detail}
            for placement in plan.placements
            if placement.source is REPAIR
        ],
        "rules": [_rule(verdict, facts) for verdict in verdicts(rules, facts, plan)],
        "arbitration": {
            "breakpoints": given.limit,
            "client": given.client,
            "steps": [_step(step) for step in given.steps],
        },
        "prefix": {"tokens": drawing.tokens, "pieces": [_piece(piece) for piece in drawing.pieces]},
        "wire": wire,
        "why": None if answer is None else _why(answer),
    }


def _place(location: Location | None) -> str | None:
    return None if location is None else place(location)


def _source(source: Origin | None) -> Data:
    if source is None:
        return {"rule": None, "target": None, "line": None}
    return {"rule": source.rule, "target": source.target or None, "line": source.line}


def _rule(rule_verdict: RuleVerdict, facts: Facts) -> Data:
    rule = rule_verdict.rule
    return {
        "number": rule.number,
        "rule": rule.source.rule,
        "line": rule.source.line,
        "outcome": rule_verdict.outcome,
        "stopped_by": None if rule_verdict.stopper is None else rule_verdict.stopper.source.rule,
        "match": [_condition(verdict) for verdict in rule_verdict.match],
        "except": [_condition(verdict) for verdict in rule_verdict.veto],
        "placements": [_placement(placement, facts) for placement in rule_verdict.placements],
    }


def _condition(verdict: ConditionVerdict) -> Data:
    return {
        "condition": verdict.name,
        "seen": elided(verdict.seen),
        "expected": verdict.expected,
        "holds": verdict.holds,
    }


def _placement(placement: Placement, facts: Facts) -> Data:
    detail = placement.detail
    if placement.reason == "no_target" and not detail:
        detail = why_missed(placement.source.target, facts)
    return {
        **_source(placement.source),
        "named": _place(placement.location),
        "at": _place(placement.at),
        "ttl": placement.ttl,
        "reason": placement.reason,
        "detail": detail or None,
    }


def _step(step: Wish) -> Data:
    placement = step.placement
    return {
        "step": step.number,
        **_source(placement.source),
        "named": _place(placement.location),
        "wanted": _place(step.wanted),
        "slot": step.slot,
        "holder": step.holder,
        "ttl": placement.ttl,
        "reason": placement.reason,
        "detail": placement.detail or None,
    }


def _piece(piece: Part | PrefixEnd) -> Data:
    if isinstance(piece, PrefixEnd):
        point = piece.breakpoint
        return {
            "kind": "breakpoint",
            "at": place(point.at),
            "ttl": elided(point.ttl),
            "slot": point.slot,
            **_source(point.source),
            "tokens": piece.tokens,
        }
    return {
        "kind": "part",
        "name": piece.name,
        "first": place(piece.first),
        "last": place(piece.last),
        "tokens": piece.tokens,
    }


def _why(answer: Answer) -> Data:
    return {
        "location": place(answer.location),
        "tokens": answer.tokens,
        "verdict": answer.verdict,
        "wishes": [
            {
                **_source(wish.source),
                "named": _place(wish.location),
                "at": _place(wish.at),
                "ttl": wish.ttl,
                "reason": wish.reason,
                "detail": wish.detail or None,
            }
            for wish in answer.wishes
        ],
        "idle": [{**_source(idle.source), "why": idle.why} for idle in answer.idle],
        "obstacle": answer.obstacle or None,
        "conclusion": answer.conclusion,
    }
