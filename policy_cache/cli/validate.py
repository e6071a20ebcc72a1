"""`policy-cache validate`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from policy_cache.cli.output import refuse, show, show_json
from policy_cache.errors import PolicyError
from policy_cache.policy.diagnostics import by_position
from policy_cache.policy.examine import examine, examine_content
from policy_cache.policy.packaged import packaged
from policy_cache.policy.reach import unreachable
from policy_cache.providers.data import packaged_data
from policy_cache.report.render import Span, as_json, concise, full

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policy_cache.policy.diagnostics import Diagnostic
    from policy_cache.policy.reach import Route


@click.command("validate")
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option(
    "--output-format",
    type=click.Choice(["full", "concise", "json"]),
    default="full",
    show_default=True,
    help="How to print what is found.",
)
@click.option(
    "--catalog",
    "catalog_file",
    metavar="FILE",
    help="A file that adds to the catalog of providers, or changes it.",
)
@click.option("--exit-zero", is_flag=True, help="Exit with 0 though a policy is invalid.")
def command(files: tuple[str, ...], output_format: str, catalog_file: str | None, *, exit_zero: bool) -> None:
    """Check policy files; `-` is standard input, and none the packaged default policy.

    Exits with 1 when a policy is invalid, and with 2 when a file cannot be read.
    """
    found: list[Diagnostic] = []
    rules = 0
    unreadable = False
    routes, providers = _catalog(catalog_file)
    for file in files or (str(packaged("policies", "default.yaml")),):
        diagnostics, lines, count, readable = _check(file, routes, providers)
        found += diagnostics
        rules += count
        unreadable = unreadable or not readable
        for diagnostic in diagnostics:
            if output_format == "full":
                show([*full(diagnostic, lines), Span("\n")])
            elif output_format == "concise":
                show(concise(diagnostic))
    if output_format == "json":
        show_json(as_json(found))
    else:
        show(_summary(found, len(files) or 1, rules), err=output_format == "concise")
    invalid = any(diagnostic.severity == "error" for diagnostic in found)
    sys.exit(2 if unreadable else 1 if invalid and not exit_zero else 0)


def _catalog(catalog_file: str | None) -> tuple[list[Route], list[str]]:
    """The catalog's routes and providers as plain data: its model is only built where a file changes it."""
    if catalog_file is None:
        data = packaged_data()
        return data["routes"], list(data["providers"])
    from policy_cache.engine.catalog_file import load_catalog  # noqa: PLC0415, slow to import

    try:
        catalog = load_catalog(catalog_file)
    except PolicyError as error:
        refuse(error)
    return [route.model_dump() for route in catalog.routes], list(catalog.providers)


def _check(
    file: str, routes: Sequence[Route], providers: Sequence[str]
) -> tuple[Sequence[Diagnostic], Sequence[str], int, bool]:
    """What there is to say about a file, its lines, its rules, and whether it could be read."""
    try:
        examined = examine_content(sys.stdin.buffer.read(), "<stdin>") if file == "-" else examine(file)
    except PolicyError as error:
        return error.diagnostics, error.lines, 0, not error.unreadable
    source = examined.source
    rules = source.data.get("rules") if isinstance(source.data, dict) else None
    found = examined.diagnostics
    if examined.ok:
        found = by_position([*found, *unreachable(source, routes, providers)])
    return found, source.lines, len(rules) if isinstance(rules, list) else 0, True


def _summary(found: Sequence[Diagnostic], files: int, rules: int) -> list[Span]:
    errors = sum(1 for diagnostic in found if diagnostic.severity == "error")
    warnings = len(found) - errors
    where = f"in {_counted(files, 'file')}"
    beside = f" and {_counted(warnings, 'warning')}" if warnings else ""
    if errors:
        return [Span(f"Found {_counted(errors, 'error')}{beside} {where}.\n", "error")]
    return [Span(f"Valid{beside and ', with' + beside[4:]}: {_counted(rules, 'rule')} {where}.\n", "added")]


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
