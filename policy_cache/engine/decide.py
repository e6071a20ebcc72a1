"""Deciding one request: every matching rule's wishes, arbitrated, become a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy_cache.engine.actions import ORDER, repair
from policy_cache.engine.breakpoints import breakpoints
from policy_cache.engine.changes import Edit, Step, edited
from policy_cache.engine.edits import prompt_edits
from policy_cache.engine.injection import POINTS, injection
from policy_cache.engine.plan import Plan
from policy_cache.engine.reasons import ACTED
from policy_cache.engine.repair import REPAIR
from policy_cache.engine.state import State
from policy_cache.request.edit import marked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policy_cache.engine.actions import Stage
    from policy_cache.engine.compile import CompiledRule
    from policy_cache.engine.match import Facts
    from policy_cache.engine.state import Conduct
    from policy_cache.lifetimes import Lifetimes


def decide(
    rules: Sequence[CompiledRule],
    facts: Facts,
    conduct: Conduct,
    lifetimes: Lifetimes,
    *,
    repairs: bool,
    recorded: bool,
) -> Decision:
    """Decide one request under the rules that matched it; only what is recorded can become a plan."""
    state = State(facts, conduct, lifetimes, recorded=recorded)
    removing, *adding = ORDER
    _act(state, rules, removing)
    if repairs:
        repair(state)
    for stage in adding:
        _act(state, rules, stage)
    return Decision(state)


def _act(state: State, rules: Sequence[CompiledRule], stage: Stage) -> None:
    for rule in rules:
        act = stage.get(type(rule.action))
        if act is not None:
            act(state, rule)


class Decision:
    """What was decided for one request.

    Attributes:
        accepted: The markers that it gets, in prefix order.
        request: The request to send.
    """

    __slots__ = ("_state", "accepted", "request")

    def __init__(self, state: State) -> None:
        """Settle the TTLs, and apply everything to a copy of the request."""
        self._state = state
        self.request = state.prompt.request
        self.accepted = [] if state.arbiter is None else state.arbiter.settle_ttls()
        if state.conduct.replace and self.accepted:
            state.remove(state.client, state.placements[self.accepted[0].number].source)
        points = self.request.get(POINTS)
        if points and state.conduct.overrules and self.accepted:
            source = state.placements[self.accepted[0].number].source
            state.parameters.append(
                Edit("set", (POINTS,), points, None, source, (Step("remove", (POINTS,)),))
            )
        if state.conduct.observe:
            self._observe()
        elif state.removals or state.mended or state.cuts or state.parameters:
            self.request = edited(self.request, self._edits())
        elif self.accepted:
            route = state.facts.route
            marks = {location: dict(route.markers[ttl]) for _, location, ttl, _ in self.accepted}
            self.request = marked(self.request, marks, route.key)

    def _observe(self) -> None:
        placements = self._state.placements
        for index, placement in enumerate(placements):
            if placement.reason in ACTED:
                detail = placement.detail or f"would be {placement.reason}"
                placements[index] = placement._replace(reason="observed", detail=detail)

    def _edits(self) -> list[Edit]:
        """The changes as values, in prefix order; parameters come last."""
        state = self._state
        return [
            *prompt_edits(
                state.prompt,
                state.facts.route,
                self.accepted,
                state.placements,
                state.removals,
                state.cuts,
                state.client,
                state.mended,
            ),
            *state.parameters,
        ]

    def plan(self, matched: tuple[str, ...]) -> Plan:
        """The decision as a value, with everything that led to it."""
        state, edits = self._state, self._edits()
        original, route = state.prompt.request, state.facts.route
        marks = [edit for edit in edits if edit.change == "mark" and edit.source is not REPAIR]
        owners = {edit.location: edit.source for edit in marks}
        # One that a rule removed and another set anew, the same, is no edit; the place tells whose it is now.
        owners |= {a.location: state.placements[a.number].source for a in self.accepted}
        splits = [edit.location for edit in edits if edit.change == "split"]
        wanted = edited(original, edits)
        intended = breakpoints(
            original, wanted, route, owners=owners, splits=splits, injection=injection(wanted)
        )
        sent = intended
        if edits and self.request is original:
            sent = breakpoints(original, original, route, owners={}, splits=(), injection=state.injection)
        return Plan(
            self.request,
            original,
            route,
            state.placements,
            edits,
            sent,
            intended,
            state.client,
            matched,
            state.conduct.label,
            injection(self.request),
        )
