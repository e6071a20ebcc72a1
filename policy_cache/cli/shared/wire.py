"""`--wire`: what the installed litellm makes of a plan, without sending anything."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from policy_cache.cli.shared.output import give_up

if TYPE_CHECKING:
    from collections.abc import Iterable

    from policy_cache.engine.plan import Plan
    from policy_cache.text.styled import Span


def wire_of(plan: Plan) -> tuple[Iterable[Span], dict[str, object]]:
    """The wire check for people and as JSON data; exits with 2 where litellm is not installed.

    Raises:
        WireError: litellm builds no body for the request.
    """
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # else importing litellm asks the network
    try:
        from policy_cache.integrations.litellm import check  # noqa: PLC0415, slow to import, and optional
        from policy_cache.integrations.litellm.report import wire_json, wire_report  # noqa: PLC0415
    except ModuleNotFoundError:
        give_up("--wire needs litellm: pip install 'policy-cache[litellm]'")
    found = check(plan)
    return wire_report(found), wire_json(found)
