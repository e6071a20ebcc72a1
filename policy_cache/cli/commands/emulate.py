"""`policy-cache emulate`."""

from __future__ import annotations

import click

from policy_cache.emulator import run


@click.command("emulate")
@click.option(
    "--port", default=8402, show_default=True, type=click.IntRange(0, 65_535), help="0 takes any free port."
)
def command(port: int) -> None:
    """Serve the Anthropic Messages API on 127.0.0.1, with its caching rules and errors.

    It answers `POST /v1/messages` with the usage that the provider would report. Any API key will
    do, and each has a cache of its own.
    """
    run(announce=click.echo, port=port)
