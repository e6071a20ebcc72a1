"""The plan: what the engine decided for one request, and the request that comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from policy_cache.engine.changes import edited, operation, steps_of
from policy_cache.engine.diff import diff
from policy_cache.text.styled import plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from policy_cache.engine.breakpoints import Breakpoint
    from policy_cache.engine.changes import Edit, PatchOperation, Placement
    from policy_cache.engine.injection import Injection
    from policy_cache.providers.resolve import Route
    from policy_cache.request.markers import ClientMarker


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
        return [operation(step) for step in steps_of(self.edits)] if self.changed else []

    def diff(self) -> str:
        """The changes as a person reads them, long texts elided."""
        return plain(diff(self))
