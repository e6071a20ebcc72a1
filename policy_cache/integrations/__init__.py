"""What stands between policy-cache and others: litellm, and systems of metrics."""

from __future__ import annotations

import os
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

    from policy_cache.providers.catalog import Catalog


def installed_litellm() -> ModuleType | None:
    """`policy_cache.integrations.litellm`, for what asks no network; None where litellm is not installed.

    Importing litellm takes seconds, and would fetch its list of prices.
    """
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    try:
        return import_module("policy_cache.integrations.litellm")
    except ModuleNotFoundError:
        return None


def difference(catalog: Catalog) -> str | None:
    """In a sentence, that a catalog was observed on another litellm than the installed one; None if not."""
    try:
        installed = version("litellm")
    except PackageNotFoundError:
        return None
    if catalog.observed in (None, installed):
        return None
    return (
        f"the catalog was observed on litellm {catalog.observed}, and {installed} is installed: "
        "`policy-cache doctor` says what differs"
    )
