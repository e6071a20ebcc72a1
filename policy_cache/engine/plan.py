"""The plan: what the engine decided for one request, and the request that comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, TypedDict

from policy_cache.request.edit import Draft
from policy_cache.request.location import Location, pointer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from policy_cache.engine.injection import Injection
    from policy_cache.engine.reasons import Reason
    from policy_cache.providers.catalog import Ttl
    from policy_cache.providers.resolve import Route
    from policy_cache.request.blocks import Order
    from policy_cache.request.edit import Operation
    from policy_cache.request.markers import ClientMarker


class PatchOperation(TypedDict, total=False):
    """One operation of a JSON Patch (RFC 6902)."""

    op: Operation
    path: str
    value: object


Party: TypeAlias = Literal["policy", "client", "litellm"]


class Source(NamedTuple):
    """The part of the policy that asked for something.

    Attributes:
        rule: The rule's name.
        target: The target as written; empty for a rule that acts on the whole request.
        line: The line in the policy file, of the target or else of the rule.
    """

    rule: str
    target: str
    line: int | None


class Placement(NamedTuple):
    """What became of one thing that a rule wanted.

    Attributes:
        source: Who wanted it.
        location: What the target named; None when it named nothing in this request.
        at: Where it was done, in the request as it was; None when it was not.
        ttl: The TTL that the marker has, or would have had; None when it is no marker.
        reason: How it ended.
        detail: More, for a person; never prompt text.
        wanted: The block that was to carry the marker, in the request as it was; None where none could.
    """

    source: Source
    location: Location | None
    at: Location | None
    ttl: Ttl | None
    reason: Reason
    detail: str = ""
    wanted: Location | None = None


class Breakpoint(NamedTuple):
    """A marker in the request that is sent.

    Attributes:
        at: What carries it there.
        block: The block on which it takes effect there: the last one for a marker on the request itself.
            None where it takes none.
        order: The block's place in the prefix.
        ttl: Its TTL as written; a bare marker counts as `5m`.
        key: The member that it is.
        slot: Which of the route's breakpoints it is, from 1, in prefix order; None where it takes no effect.
            Markers on one block share a slot, and so do those of a run.
        party: Who placed it.
        source: What the policy placed it for; None for the others.
        origin: Its block in the request as it was.
    """

    at: Location
    block: Location | None
    order: Order
    ttl: str
    key: str
    slot: int | None
    party: Party
    source: Source | None
    origin: Location | None

    @property
    def placer(self) -> str:
        """The name of the rule that placed it, or the party in parentheses, which no rule is called."""
        return f"({self.party})" if self.source is None else self.source.rule


class Step(NamedTuple):
    """One primitive change; `None` as a value stands for a removal."""

    op: Operation
    location: Location
    value: object = None


Change: TypeAlias = Literal["mark", "unmark", "split", "set"]


class Edit(NamedTuple):
    """One change, as a person sees it.

    Attributes:
        change: What kind it is.
        location: Where, in the request as it was.
        before: What stood there: a marker, a text, a parameter; None for nothing.
        after: What stands there now; None for nothing.
        source: Who asked for it.
        steps: The primitive changes it takes, in order.
    """

    change: Change
    location: Location
    before: object
    after: object
    source: Source
    steps: tuple[Step, ...]


def steps_of(edits: Sequence[Edit]) -> list[Step]:
    """The steps in an order in which none shifts the place of another: the prompt's last block first."""
    prompt = [edit for edit in edits if edit.change != "set"]
    parameters = [edit for edit in edits if edit.change == "set"]
    return [step for edit in (*reversed(prompt), *parameters) for step in edit.steps]


def edited(request: Mapping[str, object], edits: Sequence[Edit]) -> Mapping[str, object]:
    """A copy of a request with edits applied; without any, the very request."""
    if not edits:
        return request
    draft = Draft(request)
    for step in steps_of(edits):
        draft.apply(step.op, step.location, step.value)
    return draft.request


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
        policy: The policy's display name and revision.
        injection: What litellm will add by itself.
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
    policy: tuple[str, str]
    injection: Injection | None = None

    @property
    def changed(self) -> bool:
        """Whether the request to send differs from the one given."""
        return self.request is not self.original

    def without_markers(self) -> Mapping[str, object]:
        """The request with all that the plan changes, but the markers that it adds."""
        kept = [edit for edit in self.edits if edit.change != "mark"] if self.changed else []
        return edited(self.original, kept)

    def json_patch(self) -> list[PatchOperation]:
        """The changes as a JSON Patch (RFC 6902): applied to the original, it gives the request."""
        return [_operation(step) for step in steps_of(self.edits)] if self.changed else []

    def diff(self) -> str:
        """The changes as a person reads them, long texts elided."""
        from policy_cache.report.plan.diff import plain_diff  # noqa: PLC0415, the one look upwards

        return plain_diff(self)


def _operation(step: Step) -> PatchOperation:
    if step.op == "remove":
        return {"op": "remove", "path": pointer(step.location)}
    return {"op": step.op, "path": pointer(step.location), "value": step.value}
