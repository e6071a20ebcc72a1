"""`policy-cache schema`."""

from __future__ import annotations

import click

from policy_cache.policy.schema import schema_text


@click.command("schema")
def command() -> None:
    """Print the JSON Schema of policy files, for an editor to complete and explain them."""
    click.echo(schema_text(), nl=False)
