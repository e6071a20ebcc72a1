"""`policy-cache test`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from policy_cache.cli.shared.catalog import catalog_option, read_catalog
from policy_cache.cli.shared.number import Number
from policy_cache.cli.shared.output import give_up, show, show_json
from policy_cache.errors import PolicyError, reason_of
from policy_cache.report.diagnostics.render import concise, full
from policy_cache.testing.load import load_suite
from policy_cache.testing.outcome import coverage, percent
from policy_cache.testing.report import brief, coverage_table, failure, junit, skips, summary, tests_json
from policy_cache.testing.run import Runner, litellm_wire
from policy_cache.testing.session import SelectError, Session, selection
from policy_cache.testing.update import UpdateError, update
from policy_cache.text.styled import Span
from policy_cache.text.words import visible

if TYPE_CHECKING:
    from policy_cache.testing.outcome import Coverage
    from policy_cache.testing.session import Chosen


@click.command("test")
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(path_type=Path))
@click.option("-k", "expression", metavar="EXPR", help="Only tests of such names: `agent and not chat`.")
@catalog_option
@click.option("--update", "updates", is_flag=True, help="Write what is found into the failed tests.")
@click.option("--coverage", "covers", is_flag=True, help="Show in how many tests each rule acted.")
@click.option(
    "--fail-under",
    type=Number(0, 100),
    metavar="N",
    help="Exit with 1 when fewer than N percent of the rules acted; implies --coverage.",
)
@click.option("--require-tests", is_flag=True, help="Exit with 1 when a policy has no tests.")
@click.option(
    "--junit", "junit_file", metavar="FILE", type=click.Path(path_type=Path), help="Write JUnit XML."
)
@click.option(
    "--output-format",
    type=click.Choice(["full", "concise", "json"]),
    default="full",
    show_default=True,
    help="How to print what is found.",
)
@click.option("--exit-zero", is_flag=True, help="Exit with 0 though a test failed.")
def command(
    paths: tuple[Path, ...],
    expression: str | None,
    catalog_file: str | None,
    fail_under: float | None,
    junit_file: Path | None,
    output_format: str,
    *,
    updates: bool,
    covers: bool,
    require_tests: bool,
    exit_zero: bool,
) -> None:
    """Run the tests of policies: test files, policies, or folders with *.test.yaml in them.

    Without PATH, of the current folder. --catalog stands in place of the catalogs that test files name.
    Exits with 1 when a test failed, and with 2 when one could not be run.
    """
    catalog = None if catalog_file is None else read_catalog(catalog_file)
    runner, session = Runner(litellm_wire, catalog=catalog), Session()
    chosen = _chosen(expression)
    session.run(runner, paths or (Path(),), chosen)
    written = _update(session, runner, chosen) if updates else []
    covered = list(coverage(session.every)) if covers or fail_under is not None else None
    if junit_file is not None:
        _write_junit(junit_file, session)
    if output_format == "json":
        show_json(tests_json(session.every, session.wrong, covered))
    else:
        _show(session, written, covered, brief_=output_format == "concise")
    missing = require_tests and (bool(session.untested) or not session.every)
    if missing and output_format != "json":
        _show_untested(session)
    few = fail_under is not None and percent(covered or ()) < fail_under
    if few:
        show([Span(f"Fewer than {fail_under:g}% of the rules acted in a test.\n", "error")], err=True)
    statuses = {outcome.status for outcome in session.every}
    if session.broken or "error" in statuses:
        sys.exit(2)
    sys.exit(1 if ("failed" in statuses or missing or few) and not exit_zero else 0)


def _chosen(expression: str | None) -> Chosen:
    try:
        return (lambda _: True) if expression is None else selection(expression)
    except SelectError as error:
        give_up(str(error))


def _update(session: Session, runner: Runner, chosen: Chosen) -> list[Span]:
    """Write what was found, and run again what was written."""
    updated: list[Span] = []
    for name, outcomes in session.outcomes.items():
        if not outcomes:
            continue
        try:
            number = update(outcomes[0].suite, outcomes)
            if number:
                session.rerun(runner, load_suite(name), chosen)
                updated.append(Span(f"{visible(name)}: {number} updated\n", "warning"))
        except UpdateError as error:
            give_up(visible(str(error)))
        except PolicyError as error:
            session.broken[name] = error
    return updated


def _write_junit(file: Path, session: Session) -> None:
    errors = {name: error.diagnostics for name, error in session.broken.items()}
    try:
        file.write_bytes(junit(session.outcomes, errors))
    except OSError as error:
        give_up(f"{visible(str(file))}: {reason_of(error)}")


def _show(session: Session, written: list[Span], covered: list[Coverage] | None, *, brief_: bool) -> None:
    for error in session.broken.values():
        for diagnostic in error.diagnostics:
            show(concise(diagnostic) if brief_ else [*full(diagnostic, error.lines), Span("\n")])
    for outcome in session.every:
        if outcome.problems:
            show(brief(outcome) if brief_ else failure(outcome))
    show([*skips(session.every), *written], err=brief_)
    show([summary(session.every, len(session.outcomes), len(session.broken))], err=brief_)
    if covered is not None:
        show(coverage_table(covered))


def _show_untested(session: Session) -> None:
    for path in session.untested:
        show([Span(f"{visible(str(path))}", "location"), Span(": has no tests\n", "error")], err=True)
    if not session.every and not session.untested:
        show([Span("No tests were run, and --require-tests asks for some.\n", "error")], err=True)
