"""`policy-cache rewrite`."""

from __future__ import annotations

import click

from policy_cache.cli.shared.inputs import Given, request_options
from policy_cache.cli.shared.output import show_json


@click.command("rewrite")
@request_options
def command(
    given: Given,
) -> None:
    """Print the request that a policy makes of REQUEST: a JSON file, `-`, or `trace.jsonl:3`."""
    plan = given.read().plan()
    show_json(plan.request)
