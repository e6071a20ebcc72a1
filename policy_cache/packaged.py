"""What ships with the package: in a wheel inside it, in a checkout beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

_PACKAGE = Path(__file__).parent
_LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


def packaged(*parts: str) -> Path:
    """The path of a shipped file, such as `packaged("schema", "policy.schema.json")`."""
    inside = _PACKAGE.joinpath(*parts)
    return inside if inside.exists() else _PACKAGE.parent.joinpath(*parts)


def packaged_data(name: str = "catalog.yaml") -> dict[str, Any]:
    """What is known of providers, as plain data, for those who need no model of it: to validate, to merge."""
    text = packaged("providers", name).read_text(encoding="utf-8")
    data: dict[str, Any] = yaml.load(text, Loader=_LOADER)  # noqa: S506, a safe loader
    return data
