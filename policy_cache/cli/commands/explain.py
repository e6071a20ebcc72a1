"""`policy-cache explain`."""

from __future__ import annotations

import sys

import click

from policy_cache.cli.shared.inputs import Given, request_options, wire_of
from policy_cache.cli.shared.output import give_up, show, show_json
from policy_cache.errors import RequestError
from policy_cache.report.plan.explain import explain, explain_place
from policy_cache.report.plan.explain_json import explain_json
from policy_cache.report.plan.spot import SpotError, locate
from policy_cache.report.plan.why import why


@click.command("explain")
@request_options
@click.option(
    "--why",
    "spot",
    metavar="LOCATION",
    help="Say only why one place is marked or not: \"['messages'][4]\".",
)
@click.option("--wire", "on_wire", is_flag=True, help="Show where litellm puts each marker; sends nothing.")
@click.option("--output-format", type=click.Choice(["full", "json"]), default="full", show_default=True)
@click.option("--exit-zero", is_flag=True, help="Exit with 0 though litellm loses a marker.")
def command(given: Given, *, spot: str | None, on_wire: bool, output_format: str, exit_zero: bool) -> None:
    """Say why each rule of a policy did or did not act on REQUEST: a JSON file, `-`, or `trace.jsonl:3`.

    Then who wanted which place in which order, and the prefix that comes of it with its sizes. Exits with 1
    when `--wire` finds that litellm loses a marker.
    """
    inputs = given.read()
    plan = inputs.plan()
    facts, rules = inputs.facts(), inputs.engine.rules
    try:
        answer = None if spot is None else why(locate(spot, inputs.request), rules, facts, plan)
        wire = wire_of(plan) if on_wire else None
        if output_format == "json":
            show_json(explain_json(rules, facts, plan, wire=wire and wire.data, answer=answer))
        else:
            show(explain(rules, facts, plan) if answer is None else explain_place(answer, plan))
            show(wire.shown if wire is not None else ())
    except (RequestError, SpotError) as error:
        give_up(f"{inputs.name}: {error}")
    sys.exit(wire is not None and wire.loses and not exit_zero)
