"""The wire of a test: where litellm puts the markers, if it is installed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from policy_cache.engine.plan import Plan
    from policy_cache.request.location import Location
    from policy_cache.testing.run import Wire


def litellm_wire() -> Wire | None:
    """What tells the wire; None where litellm is not installed."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # else importing litellm asks the network
    try:
        from policy_cache.integrations.litellm import wire  # noqa: PLC0415, slow to import, and optional
    except ModuleNotFoundError:
        return None

    def places(plan: Plan) -> list[Location]:
        route = plan.route
        sent = wire(plan.request, provider=route.provider or None, shape=route.shape)
        return [marker.location for marker in sent.markers]

    return places
