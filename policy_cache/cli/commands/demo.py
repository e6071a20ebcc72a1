"""`policy-cache demo`."""

from __future__ import annotations

import click

from policy_cache.cli.shared.output import show


@click.command("demo")
def command() -> None:
    """Send an agent's conversation through litellm to a provider on this machine, and count the cost.

    Eight requests, without the default policy and with it. Nothing leaves this machine.
    """
    from policy_cache.demo import report, run_demo  # noqa: PLC0415, litellm takes seconds to import

    click.echo("importing litellm, which takes some seconds", err=True)
    show(report(run_demo()))
