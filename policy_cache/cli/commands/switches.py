"""`policy-cache switches`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import click

from policy_cache.cli.shared.number import Number
from policy_cache.cli.shared.output import progress, show, show_json
from policy_cache.cli.shared.traces import called, nothing_evaluated, read_policy, traces
from policy_cache.forecast.switches import Switches
from policy_cache.report.switches import as_json, dearest, full

if TYPE_CHECKING:
    from policy_cache.forecast.compare import TraceOptions

_MOST_MODELS = 10


@click.command("switches")
@traces(required=True, sized=False)
@click.option("--policy", "policy_file", metavar="FILE", help="Policy file; the default policy if left out.")
@click.option(
    "--among",
    multiple=True,
    metavar="MODEL",
    help="A model that the other routers may choose; those of the trace if left out. May be repeated.",
)
@click.option(
    "--max-premium",
    type=Number(min=0),
    default=0.0,
    show_default=True,
    help="What a warm model may cost above the cheapest one where quotes are followed: 0.1 for a tenth.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    help="How many switches to show, the dearest first.",
)
@click.option("--output-format", type=click.Choice(["full", "json"]), default="full", show_default=True)
def command(
    options: TraceOptions,
    *,
    policy_file: str | None,
    among: tuple[str, ...],
    max_premium: float,
    limit: int,
    output_format: str,
) -> None:
    """Say what switches of model in TRACE cost, and what other routers would have paid.

    Each switch is held against staying: the same request, sent to the model before, whose cache may be warm.
    The routers are given the requests of the trace, and choose among its models, the ten most used at most.
    """
    engine = options.engine(read_policy(policy_file))
    models = among
    if not models:
        asked = Counter(str(record.request.get("model", "")) for record in options.read())
        models = tuple(model for model, _ in asked.most_common(_MOST_MODELS) if model)
    for model in among:
        if not engine.route({"model": model, "messages": []}).provider:
            raise click.UsageError(f"--among: whose model is {model!r}? Write it as litellm does")
    switches = Switches(engine, models or ("",), max_premium)
    with progress(options.paths) as advance:
        trace = options.read(progress=advance)
        for record in trace:
            switches.add(record)
    nothing_evaluated(called(options), switches.requests, trace.summary, switches.unread)
    shown = dearest(switches, limit)
    if output_format == "json":
        show_json(as_json(switches, shown, trace.summary))
    else:
        show(full(switches, shown, trace.summary, called(options)))
