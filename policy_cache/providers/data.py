"""What ships with the package about providers, as plain data, for those who need no model of it."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import yaml

_LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


def packaged_data(name: str = "catalog.yaml") -> dict[str, Any]:
    """A file of this folder, to be validated, merged, or looked at."""
    text = files("policy_cache.providers").joinpath(name).read_text(encoding="utf-8")
    data: dict[str, Any] = yaml.load(text, Loader=_LOADER)  # noqa: S506, a safe loader
    return data
