"""`policy-cache doctor`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from policy_cache.cli.shared.catalog import catalog_option, read_catalog, read_data
from policy_cache.cli.shared.output import give_up, show, show_json
from policy_cache.errors import reason_of
from policy_cache.integrations import difference, installed_litellm


@click.command("doctor")
@catalog_option
@click.option(
    "--write-catalog",
    "written",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write a catalog file that turns off what litellm loses.",
)
@click.option("--output-format", type=click.Choice(["full", "json"]), default="full", show_default=True)
@click.option("--exit-zero", is_flag=True, help="Exit with 0 though a marker is lost.")
def command(catalog_file: str | None, *, written: Path | None, output_format: str, exit_zero: bool) -> None:
    """Say what the installed litellm makes of a marker on every route; sends nothing.

    Exits with 1 when it loses or refuses one.
    """
    if installed_litellm() is None:
        give_up("doctor needs litellm: pip install 'policy-cache[litellm]'")
    from policy_cache.integrations.litellm import doctor  # noqa: PLC0415, optional
    from policy_cache.integrations.litellm.finding import BAD  # noqa: PLC0415, optional
    from policy_cache.integrations.litellm.overlay import overlay_text  # noqa: PLC0415, optional
    from policy_cache.integrations.litellm.report import doctor_json, doctor_report  # noqa: PLC0415, optional

    catalog = read_catalog(catalog_file)
    findings, beside = list(doctor.examine(catalog)), list(doctor.surroundings())
    if output_format == "json":
        show_json(doctor_json(findings, beside))
    else:
        show(doctor_report(findings, beside))
    for sentence in filter(None, (difference(catalog), *doctor.left_out(catalog))):
        click.echo(f"policy-cache: {sentence}", err=True)
    if written is not None:
        _write(written, overlay_text(catalog, findings, read_data(catalog_file)))
    sys.exit(not exit_zero and any(finding.outcome in BAD for finding in findings))


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        give_up(f"{file}: {reason_of(error)}")
    click.echo(f"policy-cache: {file} is written", err=True)
