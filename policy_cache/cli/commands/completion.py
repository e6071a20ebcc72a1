"""`policy-cache completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from policy_cache.cli.main import cli


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script of a shell: `eval "$(policy-cache completion bash)"`."""
    script = get_completion_class(shell)
    assert script is not None
    click.echo(script(cli, {}, "policy-cache", "_POLICY_CACHE_COMPLETE").source())
