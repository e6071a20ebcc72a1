"""`policy-cache diff`."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from policy_cache.cli.inputs import Given, give_up, request_options
from policy_cache.cli.output import show, show_json
from policy_cache.report.diff import diff, unified

if TYPE_CHECKING:
    from collections.abc import Iterable

    from policy_cache.engine.plan import Plan
    from policy_cache.report.render import Span


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
    """Show what a policy changes in REQUEST, a JSON file or `-`.

    Exits with 1 when it changes anything.
    """
    if as_unified + json_patch + on_wire > 1:
        raise click.UsageError("--unified, --json-patch and --wire exclude each other")
    plan = given.read().plan()
    if json_patch:
        show_json(plan.json_patch())
    elif as_unified:
        name = "request" if str(given.request_file) == "-" else str(given.request_file)
        show(unified(plan, name, f"{name} (rewritten)"))
    else:
        show(diff(plan))
    if on_wire:
        show(_wire(plan))
    sys.exit(0 if exit_zero or not plan.changed else 1)


def _wire(plan: Plan) -> Iterable[Span]:
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # else importing litellm asks the network
    try:
        from policy_cache.integrations.litellm import check  # noqa: PLC0415, slow to import, and optional
        from policy_cache.integrations.litellm.report import wire_report  # noqa: PLC0415
    except ModuleNotFoundError:
        give_up("--wire needs litellm: pip install 'policy-cache[litellm]'")
    return wire_report(check(plan))
