"""Long texts in short tests: `{repeat: "word ", times: 4000}` where a request has a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policy_cache.diagnostics import Path


FIELDS = ("repeat", "times")
LONGEST = 10_000_000
"""Characters that one text may have."""

_HOLDERS = frozenset({"content", "text", "system", "description"})


def repeats(value: object, path: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every mapping that stands for a text, below a value at a path."""
    if isinstance(value, dict):
        for name, item in value.items():
            if name in _HOLDERS and isinstance(item, dict) and FIELDS[0] in item:
                yield (*path, name), item
            else:
                yield from repeats(item, (*path, name))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from repeats(item, (*path, number))


def expanded(value: Any) -> Any:  # noqa: ANN401, a request is any JSON
    """A copy of a checked value with every such text written out."""
    if isinstance(value, dict):
        return {
            name: item["repeat"] * item["times"]
            if name in _HOLDERS and isinstance(item, dict) and FIELDS[0] in item
            else expanded(item)
            for name, item in value.items()
        }
    return [expanded(item) for item in value] if isinstance(value, list) else value
