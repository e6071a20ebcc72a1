"""`policy-cache explain`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from policy_cache.cli.inputs import read_inputs, request_options
from policy_cache.cli.output import show
from policy_cache.report.explain import explain

if TYPE_CHECKING:
    from pathlib import Path

    from policy_cache.request.prompt import Shape


@click.command("explain")
@request_options
def command(
    request_file: Path,
    policy_file: str | None,
    provider: str | None,
    alias: str | None,
    metadata: tuple[str, ...],
    headers: tuple[str, ...],
    shape: Shape | None,
) -> None:
    """Say why each rule of a policy did or did not act on REQUEST, a JSON file or `-`."""
    inputs = read_inputs(request_file, policy_file, provider, alias, metadata, headers, shape)
    plan = inputs.plan()
    show(explain(inputs.engine.rules, inputs.facts(), plan))
