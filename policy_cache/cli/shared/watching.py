"""Waiting for files to change, by their time and size."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

State: TypeAlias = dict[str, tuple[int, int] | None]


def pause() -> None:
    """Wait as long as an editor takes to save."""
    time.sleep(0.3)


def changes(find: Callable[[], Sequence[str]], wait: Callable[[], None]) -> Iterator[list[str]]:
    """The files that changed, came or went, whenever some did; at first, all of them.

    Arguments:
        find: Which files to look at; asked each time.
        wait: Waits a moment.
    """
    before: State | None = None
    while True:
        now: State = {file: _state(file) for file in find()}
        changed = sorted(
            file
            for file in now.keys() | (before or {})
            if before is None or now.get(file) != before.get(file)
        )
        if changed or before is None:
            yield changed
        before = now
        wait()


def _state(file: str) -> tuple[int, int] | None:
    try:
        found = Path(file).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
