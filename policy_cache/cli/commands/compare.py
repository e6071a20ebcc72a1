"""`policy-cache compare`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from policy_cache.cli.shared.output import give_up, progress, refuse, show, show_json
from policy_cache.cli.shared.positional import named_kind
from policy_cache.cli.shared.revisions import is_revision
from policy_cache.cli.shared.traces import called, nothing_evaluated, read_policy, traces
from policy_cache.errors import PolicyError
from policy_cache.providers.catalog import packaged_catalog
from policy_cache.report.review import as_json, for_github, full, markdown
from policy_cache.review.review import review_requests, review_trace, samples
from policy_cache.testing.discover import tests_beside
from policy_cache.testing.load import load_suite
from policy_cache.testing.run import asked_of
from policy_cache.text.amounts import counted
from policy_cache.text.words import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policy_cache.engine.repair import Fault
    from policy_cache.forecast.compare import TraceOptions
    from policy_cache.review.review import Asked, Review

_FAULTS: dict[str, frozenset[Fault]] = {
    "loss": frozenset({"lost", "lowered"}),
    "refusal": frozenset({"refused"}),
}


@click.command("compare")
@click.argument("old")
@click.argument("new")
@traces(required=False)
@click.option(
    "--examples", is_flag=True, help="Also one request of each group, as it is sent before and after."
)
@click.option(
    "--fail-on",
    multiple=True,
    type=click.Choice(["cost", "loss", "refusal"]),
    help="Exit with 1 only where the trace costs more, a marker is newly lost or lowered on its way, or a "
    "request is newly refused; any number of times.",
)
@click.option(
    "--output-format",
    type=click.Choice(["full", "json", "markdown", "github"]),
    default="full",
    show_default=True,
)
def command(
    options: TraceOptions,
    *,
    old: str,
    new: str,
    examples: bool,
    fail_on: tuple[str, ...],
    output_format: str,
) -> None:
    """Show what the policy NEW changes against OLD, and what that is worth on TRACE, any number of files.

    Each is a policy file, or git:REV:path. Without a trace, over the requests of the policy's tests and
    examples of every route: what can change at all. Exits with 1 when anything does.
    """
    for name, file in (("OLD", old), ("NEW", new)):
        if (kind := named_kind(file)) in ("request", "trace"):
            raise click.UsageError(f"{visible(file)} is a {kind}, where the policy {name} was expected")
    policies = read_policy(old), read_policy(new)
    names = old, new
    if options.paths:
        over = called(options)
        with progress(options.paths) as advance:
            review = review_trace(options, *policies, examples=examples, progress=advance)
        if review.simulation is not None and review.summary is not None:
            nothing_evaluated(over, review.simulation.requests, review.summary, review.simulation.unread)
    else:
        tests = () if is_revision(new) else tuple(_tests(new))
        over = f"{counted(len(tests), 'request')} of its tests, and examples of every route"
        before, after = (options.engine(policy) for policy in policies)
        asked = [*tests, *samples(options.catalog or packaged_catalog())]
        review = review_requests(before, after, asked, examples=examples)
    _print(review, names, over, output_format, examples=examples)
    sys.exit(_fails(review, fail_on) if fail_on else bool(review.changed))


def _tests(policy: str) -> Iterator[Asked]:
    """The requests of the tests beside a policy."""
    file = tests_beside(Path(policy))
    if file.is_file():
        try:
            yield from asked_of(load_suite(file))
        except PolicyError as error:
            refuse(error)


def _print(review: Review, names: tuple[str, str], over: str, form: str, *, examples: bool) -> None:
    if form == "json":
        show_json(as_json(review, names))
    elif form == "markdown":
        click.echo(markdown(review, names, over).encode(), nl=False)
    elif form == "github":
        click.echo("".join(for_github(review, names)).encode(), nl=False)
    else:
        show(full(review, names, over, examples=examples))


def _fails(review: Review, fail_on: tuple[str, ...]) -> bool:
    """Whether what is asked about happens; exits with 2 where a cost is asked for and none is known."""
    if "cost" in fail_on and review.changed:
        if review.simulation is None:
            give_up("--fail-on cost needs a trace: without one nothing has a cost")
        if not review.whole.is_known:
            give_up("--fail-on cost: no price is known for any request of the trace")
    dearer = "cost" in fail_on and review.whole.difference > 0
    return dearer or any(review.worse & _FAULTS.get(kind, frozenset()) for kind in fail_on)
