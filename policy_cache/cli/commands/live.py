"""`policy-cache live`."""

from __future__ import annotations

import os
import sys
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import click

from policy_cache.cli.shared.catalog import catalog_option, read_catalog
from policy_cache.cli.shared.output import give_up, show, show_json
from policy_cache.errors import PolicyCacheError, reason_of
from policy_cache.report.live.data import as_json
from policy_cache.report.live.text import page
from policy_cache.text.styled import Span, ansi
from policy_cache.text.words import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

    from policy_cache.usage.live import Snapshot


_SHORTEST, _LONGEST = 0.2, 3_600


class _Source(Protocol):
    """What is followed."""

    state: str

    def read(self, seconds: float | None = None) -> bool: ...

    def snapshot(self) -> Snapshot: ...

    def close(self) -> None: ...


@click.command("live")
@click.argument("source", metavar="FILE|URL")
@click.option("--once", is_flag=True, help="Print what is known now, and exit; so it is without a terminal.")
@click.option(
    "--every",
    type=float,
    callback=lambda _, __, value: _every(value),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="How often to look.",
)
@catalog_option
@click.option("--output-format", type=click.Choice(["full", "json"]), default="full", show_default=True)
def command(source: str, *, once: bool, every: float, catalog_file: str | None, output_format: str) -> None:
    """Show what a router's caches do, as it happens, until you press Ctrl-C.

    FILE is what a TraceRecorder writes; it is followed when it is rotated. URL is where a proxy or router
    shows its metrics to Prometheus. JSON is printed once.
    """
    with suppress(KeyboardInterrupt), closing(_opened(source, catalog_file)) as opened:
        if output_format == "json":
            opened.read()
            show_json(as_json(opened.snapshot()))
        elif once or not _redraws():
            opened.read()
            show(page(opened.snapshot(), source, opened.state))
        else:
            _follow(opened, source, every)
    sys.exit(0)


def _every(value: float) -> float:
    if not _SHORTEST <= value <= _LONGEST:  # which also refuses what is no number
        raise click.BadParameter(f"expected {_SHORTEST} to {_LONGEST:,} seconds")
    return value


def _opened(source: str, catalog_file: str | None) -> _Source:
    catalog = read_catalog(catalog_file)
    try:
        if source.lower().startswith(("http://", "https://")):
            from policy_cache.integrations.scraped import Scraped  # noqa: PLC0415, for this alone

            return Scraped(source)
        from policy_cache.report.live.followed import Followed  # noqa: PLC0415, slow to import

        return Followed(Path(source), catalog=catalog)
    except PolicyCacheError as error:
        give_up(str(error))
    except (OSError, ValueError) as error:  # a name with a null character is no OSError
        give_up(f"{visible(source)}: {reason_of(error) if isinstance(error, OSError) else error}")


def _redraws() -> bool:
    return (
        sys.stdout is not None and sys.stdout.isatty() and os.environ.get("TERM") not in {"dumb", "unknown"}
    )


def _follow(opened: _Source, name: str, every: float) -> None:
    """Draw in place; what was drawn last stays when it ends."""
    from rich.console import Console  # noqa: PLC0415, only where something is drawn
    from rich.live import Live  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    def drawn(spans: Iterable[Span]) -> Text:
        return Text.from_ansi(ansi(spans), no_wrap=False, overflow="fold")

    last: list[Span] = []
    try:
        with Live(console=Console(), screen=True, auto_refresh=False) as screen:
            while True:
                ended = opened.read(every)
                last = list(page(opened.snapshot(), name, opened.state))
                screen.update(drawn(last), refresh=True)
                if ended:
                    time.sleep(every)
    finally:
        show(last)
