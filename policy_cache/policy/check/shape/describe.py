"""The words that diagnostics use for places and types: YAML's, not Python's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from policy_cache.text.words import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from policy_cache.diagnostics import Path


_EXPECTED = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
}


def place(path: Path, whole: str = "the policy") -> str:
    """Name a place in a file: `match`, rule 2, item 1 of `targets`."""
    if not path:
        return whole
    last = path[-1]
    if isinstance(last, str):
        return quoted(last)
    if path[:-1] == ("rules",):
        return f"rule {last + 1}"
    return f"item {last + 1} of {place(path[:-1])}"


def what(value: object) -> str:
    """What a value is."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, (int, float)):
        return f"the number `{value}`"
    if isinstance(value, str):
        return f"the text {quoted(value)}" if value else "an empty text"
    return "a list" if isinstance(value, list) else "a mapping"


def expected(types: str | Iterable[str]) -> str:
    """Say which types a place takes."""
    names = [types] if isinstance(types, str) else types
    words = [_EXPECTED[name] for name in names if name in _EXPECTED]
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]


def flow(value: object) -> str:
    """Spell an example the way it would be written on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, str) and value.replace("_", "").replace("-", "").replace(".", "").isalnum():
        return value
    return json.dumps(value, ensure_ascii=False)
