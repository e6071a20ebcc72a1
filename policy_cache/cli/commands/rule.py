"""`policy-cache rule`."""

from __future__ import annotations

import sys

import click

from policy_cache.cli.shared.output import show, show_json
from policy_cache.policy.check.explanation import explanations
from policy_cache.report.diagnostics.rule import explained, overview, page
from policy_cache.text.words import quoted, suggest


@click.command("rule")
@click.argument("code", required=False)
@click.option(
    "--output-format",
    type=click.Choice(["full", "json", "markdown"]),
    default="full",
    show_default=True,
    help="How to print it; markdown is a page of every code.",
)
def command(code: str | None, output_format: str) -> None:
    """Explain a code that `validate` reports, with a bad and a good example; without CODE, list them."""
    every = explanations()
    if code is not None and code.upper() not in every:
        close = suggest(code.upper(), every) or next(
            (name for name in every if name.lower() == suggest(code, map(str.lower, every))), None
        )
        meant = f"; did you mean `{close}`?" if close else "; `policy-cache rule` lists them"
        click.echo(f"policy-cache: there is no code {quoted(code)}{meant}", err=True)
        sys.exit(2)
    chosen = list(every.values()) if code is None else [every[code.upper()]]
    if output_format == "json":
        shown = [
            {name: getattr(explanation, name) for name in ("code", "title", "text", "bad", "good")}
            for explanation in chosen
        ]
        show_json(shown)
    elif output_format == "markdown":
        click.echo(page(chosen), nl=False)
    else:
        show(overview(chosen) if code is None else explained(chosen[0]))
