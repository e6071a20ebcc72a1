"""`policy-cache explain`."""

from __future__ import annotations

import click

from policy_cache.cli.inputs import Given, request_options
from policy_cache.cli.output import show
from policy_cache.report.explain import explain


@click.command("explain")
@request_options
def command(
    given: Given,
) -> None:
    """Say why each rule of a policy did or did not act on REQUEST, a JSON file or `-`."""
    inputs = given.read()
    plan = inputs.plan()
    show(explain(inputs.engine.rules, inputs.facts(), plan))
