"""Printing: styled text in colour on a terminal only, policy errors with their exit code, and progress."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, NoReturn

import click

from policy_cache.report.diagnostics.render import full
from policy_cache.text.styled import Span, ansi, plain
from policy_cache.text.values import indented

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from policy_cache.errors import PolicyError


def show(spans: Iterable[Span], *, err: bool = False) -> None:
    """Print styled text; in colour only on a terminal that has any, and never with `NO_COLOR`."""
    stream: IO[str] | None = sys.stderr if err else sys.stdout
    coloured = (
        stream is not None
        and stream.isatty()
        and not os.environ.get("NO_COLOR")
        and os.environ.get("TERM") != "dumb"
    )
    click.echo(ansi(spans) if coloured else plain(spans), err=err, nl=False, color=coloured)


def show_json(value: object) -> None:
    """Print a value as JSON: in UTF-8, whatever the terminal's encoding."""
    click.echo(indented(value).encode())


def refuse(error: PolicyError) -> NoReturn:
    """Report a policy that cannot be used to someone who wanted to use it, and exit."""
    errors = [diagnostic for diagnostic in error.diagnostics if diagnostic.severity == "error"]
    for number, diagnostic in enumerate(errors):
        show([Span("\n" if number else ""), *full(diagnostic, error.lines)], err=True)
    sys.exit(2)


def give_up(message: str) -> NoReturn:
    """Say in one line what cannot be done, and exit with 2."""
    click.echo(f"policy-cache: {message}", err=True)
    sys.exit(2)


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
