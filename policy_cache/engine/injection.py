"""litellm's own marking, which runs after policy-cache has returned."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

Injection: TypeAlias = Literal["points", "automatic"]

POINTS = "cache_control_injection_points"

MEANING: dict[Injection, str] = {
    "points": f"litellm places its own: the request carries `{POINTS}`",
    "automatic": "litellm's automatic prompt caching is on: it adds nothing where a marker is present, "
    "and otherwise marks Claude's system prompt and last message",
}


def injection(request: Mapping[str, object]) -> Injection | None:
    """What litellm will add to a request by itself, as the request or litellm's setting says."""
    if request.get(POINTS):
        return "points"
    asked = request.get("enable_prompt_caching")
    if asked is None:
        # Asked only where litellm has been imported already; policy-cache never imports it here.
        asked = getattr(sys.modules.get("litellm"), "enable_anthropic_prompt_caching", None)
    return "automatic" if asked is True else None
