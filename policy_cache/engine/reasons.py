"""Why a placement ended as it did."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

Reason: TypeAlias = Literal[
    "applied",
    "moved",
    "kept_client_marker",
    "duplicate",
    "no_target",
    "not_markable",
    "below_minimum",
    "over_budget",
    "ttl_lowered",
    "ttl_unsupported",
    "provider_automatic",
    "provider_unsupported",
    "route_drops_marker",
    "stood_down",
    "repaired",
    "refused",
    "observed",
]

REASONS: tuple[Reason, ...] = get_args(Reason)

ACTED: frozenset[Reason] = frozenset({"applied", "moved", "ttl_lowered", "ttl_unsupported", "repaired"})
"""The reasons of placements that changed the request."""

GRANTED: frozenset[Reason] = ACTED | {"observed"}
"""Those, and the one of placements that a policy would make if it did not only observe."""

MEANING: dict[Reason, str] = {
    "applied": "done, at the place the target names",
    "moved": "done, at the nearest earlier block that can carry a marker",
    "kept_client_marker": "the client's own marker or value stays",
    "duplicate": "an earlier target or rule claimed the place",
    "no_target": "the target is not in this request",
    "not_markable": "nothing there, or before it, can carry a marker",
    "below_minimum": "the prefix is too small for the model to cache",
    "over_budget": "the route's breakpoints are used up",
    "ttl_lowered": "done with 5m: a 1h marker may not follow a 5m one",
    "ttl_unsupported": "done with 5m: the route does not take 1h",
    "provider_automatic": "the provider caches by itself",
    "provider_unsupported": "the route takes no such marker or parameter",
    "route_drops_marker": "litellm would lose it on the way",
    "stood_down": "the client marked the request, and the policy stands down",
    "repaired": "what the client brought is put right",
    "refused": "the provider refused such a marker a while ago",
    "observed": "would be done; the policy only observes",
}
