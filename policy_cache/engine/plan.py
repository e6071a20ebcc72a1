"""The plan: what the engine decided for one request, and the request that comes of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, get_args

from policy_cache.engine.breakpoints import breakpoints
from policy_cache.engine.changes import edited, operation, steps_of
from policy_cache.engine.diff import diff
from policy_cache.engine.injection import injection
from policy_cache.engine.reasons import ACTED, MEANING
from policy_cache.request.blocks import walk
from policy_cache.request.prompt import Prompt
from policy_cache.text.styled import plain

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from policy_cache.engine.breakpoints import Breakpoint
    from policy_cache.engine.changes import Edit, PatchOperation, Placement
    from policy_cache.engine.injection import Injection
    from policy_cache.engine.state import Label
    from policy_cache.providers.resolve import Route
    from policy_cache.request.location import Location
    from policy_cache.request.markers import ClientMarker


Arm: TypeAlias = Literal["control", "variant"]
"""One of the two policies of an experiment."""

ARMS: tuple[Arm, ...] = get_args(Arm)


class Mark(NamedTuple):
    """What a provider may refuse: the markers that a rule sets on a kind of block."""

    rule: str
    kind: str


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """The engine's decision for one request.

    Attributes:
        request: What to send: the very request that was given when nothing changes.
        original: What was given.
        route: Where it goes.
        placements: Everything that matching rules wanted, with how it ended.
        edits: The changes, in prefix order.
        breakpoints: The markers of the request that is sent, in prefix order, those that take no effect too.
        intended: The same of the request that would be sent if the policy did not only observe.
        client_markers: The markers that the request carried.
        matched: The names of the rules that matched, in file order.
        policy: The policy's file, revision and name.
        injection: What litellm will add by itself.
        arm: Which policy of an experiment it is; None where there is none.
    """

    request: Mapping[str, object]
    original: Mapping[str, object]
    route: Route
    placements: Sequence[Placement]
    edits: Sequence[Edit]
    breakpoints: Sequence[Breakpoint]
    intended: Sequence[Breakpoint]
    client_markers: Sequence[ClientMarker]
    matched: Sequence[str]
    policy: Label
    injection: Injection | None = None
    arm: Arm | None = None

    @property
    def changed(self) -> bool:
        """Whether the request to send differs from the one given."""
        return self.request is not self.original

    @property
    def marks(self) -> dict[Location, Mark]:
        """What the markers that it sets are, by their place in the request as it was."""
        if not self.changed:
            return {}
        blocks = walk(Prompt(self.original, self.route.shape), self.route.blocks)
        kinds = {block.location: block.kind for block in blocks}
        return {
            edit.location: Mark(
                edit.source.rule, kinds.get(edit.location, "message" if edit.location else "request")
            )
            for edit in self.edits
            if edit.change == "mark"
        }

    def without(self, refused: Collection[Mark]) -> Plan:
        """The same plan without some of its markers, which a provider refused."""
        gone = {location for location, mark in self.marks.items() if mark in refused}
        if not gone:
            return self
        edits = [edit for edit in self.edits if edit.change != "mark" or edit.location not in gone]
        request = edited(self.original, edits)
        placements = [
            placement._replace(at=None, reason="refused", detail=MEANING["refused"])
            if placement.at in gone and placement.ttl is not None and placement.reason in ACTED
            else placement
            for placement in self.placements
        ]
        placed = [p for p in placements if p.at is not None and p.ttl is not None and p.reason in ACTED]
        points = breakpoints(
            self.original,
            request,
            self.route,
            owners={p.at: p.source for p in placed if p.at is not None},
            splits=[edit.location for edit in edits if edit.change == "split"],
            injection=injection(request),
        )
        return replace(
            self,
            request=request,
            placements=placements,
            edits=edits,
            breakpoints=points,
            intended=points,
            injection=injection(request),
        )

    def json_patch(self) -> list[PatchOperation]:
        """The changes as a JSON Patch (RFC 6902): applied to the original, it gives the request."""
        return [operation(step) for step in steps_of(self.edits)] if self.changed else []

    def diff(self) -> str:
        """The changes as a person reads them, long texts elided."""
        return plain(diff(self))
