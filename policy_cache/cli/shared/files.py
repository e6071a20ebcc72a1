"""Files that commands read, write, mend, and wait for."""

from __future__ import annotations

import difflib
import errno
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, TypeAlias

import click

from policy_cache.cli.shared.output import give_up
from policy_cache.errors import reason_of
from policy_cache.policy.write.file import replacing, write
from policy_cache.policy.write.mend import Mended, mend
from policy_cache.text.styled import Span
from policy_cache.text.words import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import BinaryIO

    from policy_cache.diagnostics import Diagnostic
    from policy_cache.text.styled import Style

_STYLES: dict[str, Style] = {"+": "added", "-": "removed", "@": "note"}


def refuse_existing(path: Path, *, force: bool) -> None:
    """Keep from writing over a file unless that was asked for."""
    try:
        there = path.exists() or path.is_symlink()
    except OSError as error:
        give_up(f"{visible(str(path))}: {reason_of(error)}")
    if there and not force:
        raise click.UsageError(f"{visible(str(path))} exists; --force writes over it")


@contextmanager
def writing(*paths: Path) -> Iterator[list[BinaryIO]]:
    """Files that appear, each in one step, once the block has ended; gives up at once where one cannot."""
    files = []
    with ExitStack() as opened:
        for path in paths:
            try:
                files.append(opened.enter_context(replacing(path.resolve())))
            except OSError as error:
                give_up(f"{visible(str(path))}: {reason_of(error)}")
        yield files
    for path in paths:
        click.echo(f"wrote {visible(str(path))}", err=True)


def standard_input() -> bytes:
    """All of standard input.

    Raises:
        OSError: It is closed, or cannot be read.
    """
    stream: TextIO | None = sys.stdin
    if stream is None:
        raise OSError(errno.EBADF, "standard input is closed")
    return stream.buffer.read()


def fix_file(content: bytes, examine: Callable[[bytes], Sequence[Diagnostic]], file: str | None) -> Mended:
    """Mend the content of a file, and write it where one is given."""
    mended = mend(content, examine)
    if file is not None and mended.fixes:
        write(Path(file).resolve(), mended.content)
    return mended


def difference(before: bytes, after: bytes, name: str) -> list[Span]:
    """The unified difference of two versions of a file."""
    old, new = (data.decode().splitlines(keepends=True) for data in (before, after))
    lines = list(difflib.unified_diff(old, new, visible(name), visible(name)))
    return [Span(_shown(line), _STYLES.get(line[:1], "")) for line in lines]


def _shown(line: str) -> str:
    return visible(line.rstrip("\r\n")) + "\n"


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
        status = Path(file).stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
