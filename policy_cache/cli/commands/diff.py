"""`policy-cache diff`."""

from __future__ import annotations

import sys

import click

from policy_cache.cli.shared.inputs import Given, request_options, wire_of
from policy_cache.cli.shared.output import show, show_json
from policy_cache.engine.diff import diff, unified


@click.command("diff")
@request_options
@click.option("--unified", "as_unified", is_flag=True, help="Print a unified diff of the JSON.")
@click.option("--json-patch", is_flag=True, help="Print a JSON Patch (RFC 6902).")
@click.option("--wire", "on_wire", is_flag=True, help="Show where litellm puts each marker; sends nothing.")
@click.option("--exit-zero", is_flag=True, help="Exit with 0 though there are changes.")
def command(
    given: Given,
    *,
    as_unified: bool,
    json_patch: bool,
    on_wire: bool,
    exit_zero: bool,
) -> None:
    """Show what a policy changes in REQUEST: a JSON file, `-`, or `trace.jsonl:3`.

    Exits with 1 when it changes anything, or when `--wire` finds that litellm loses a marker.
    """
    if as_unified + json_patch + on_wire > 1:
        raise click.UsageError("--unified, --json-patch and --wire exclude each other")
    plan = given.read().plan()
    if json_patch:
        show_json(plan.json_patch())
    elif as_unified:
        name = "request" if str(given.request_file) == "-" else str(given.request_file)
        show(unified(plan.original, plan.request, (name, f"{name} (rewritten)")))
    else:
        show(diff(plan))
    wire = wire_of(plan) if on_wire else None
    if wire is not None:
        show(wire.shown)
    sys.exit(not exit_zero and (plan.changed or (wire is not None and wire.loses)))
