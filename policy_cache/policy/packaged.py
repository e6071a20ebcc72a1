"""Files that ship with the package: in a wheel inside it, in a checkout beside it."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent.parent


def packaged(*parts: str) -> Path:
    """The path of a shipped file, such as `packaged("schema", "policy.schema.json")`."""
    inside = _PACKAGE.joinpath(*parts)
    return inside if inside.exists() else _PACKAGE.parent.joinpath(*parts)
