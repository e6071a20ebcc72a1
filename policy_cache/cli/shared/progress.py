"""A progress bar."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def progress(paths: tuple[str, ...], *, passes: int = 1) -> Iterator[Callable[[int], None]]:
    """A bar over the bytes of files that are read so many times, where someone sees it."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415, only where something is drawn
    from rich.progress import Progress  # noqa: PLC0415

    total = passes * sum(Path(path).stat().st_size for path in paths if Path(path).is_file())
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=total)
        yield lambda size: bar.advance(task, size)
