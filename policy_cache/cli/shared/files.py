"""Files that commands write."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import click

from policy_cache.cli.shared.output import give_up
from policy_cache.errors import reason_of
from policy_cache.policy.write.file import replacing
from policy_cache.text.words import visible

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO


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
