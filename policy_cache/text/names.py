"""Names of files, as short as tells them apart, and some of many."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MOST_NAMES = 3
"""How many names a sentence has at most, what stands for the others included."""


def told_apart(paths: Iterable[str]) -> list[str]:
    """Each path without the leading folders that it can do without and still differ from the others.

    `default.yaml` of `policies/default.yaml`, and `mine/a.yaml` beside `yours/a.yaml`. A path that another
    one ends with stays whole.
    """
    given = list(paths)
    met = Counter(end for path in set(given) for end in _ends(path))
    return [next((end for end in _ends(path) if met[end] == 1), path) for path in given]


def _ends(path: str) -> Iterator[str]:
    """What a path ends with, the shortest first and the whole path last."""
    parts = path.split("/")
    for start in range(len(parts) - 1, 0, -1):
        # Behind a slash at the end, and between two of them, is no name to begin with.
        if parts[start]:
            yield "/".join(parts[start:])
    yield path


def some_of(names: Sequence[str], most: int = MOST_NAMES) -> str:
    """`a`, `a and b`, `a, b and c`; `a, b and 4 more` where they are more than `most`."""
    shown = list(names)
    if len(shown) > most:
        kept = most - 1
        shown[kept:] = [f"{len(shown) - kept:,} more"]
    *before, last = shown
    return f"{', '.join(before)} and {last}" if before else last
