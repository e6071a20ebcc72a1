"""What stands between policy-cache and others: litellm, and systems of metrics."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType


def installed_litellm() -> ModuleType | None:
    """`policy_cache.integrations.litellm`, for what asks no network; None where litellm is not installed.

    Importing litellm takes seconds, and would fetch its list of prices.
    """
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    try:
        return import_module("policy_cache.integrations.litellm")
    except ModuleNotFoundError:
        return None
