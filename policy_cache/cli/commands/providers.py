"""`policy-cache providers`."""

from __future__ import annotations

import sys

import click

from policy_cache.cli.shared.catalog import catalog_option, read_catalog
from policy_cache.cli.shared.output import show, show_json
from policy_cache.integrations import difference
from policy_cache.report.providers import details, routes_of, table
from policy_cache.text.words import suggest


@click.command("providers")
@click.argument("name", required=False)
@catalog_option
@click.option("--output-format", type=click.Choice(["full", "json"]), default="full", show_default=True)
def command(name: str | None, catalog_file: str | None, output_format: str) -> None:
    """Show what each provider takes; with NAME, a provider or a route, everything and its sources."""
    catalog = read_catalog(catalog_file)
    routes = list(catalog.routes) if name is None else routes_of(catalog, name)
    if not routes:
        known = sorted({route.name for route in catalog.routes} | catalog.providers.keys())
        close = suggest(name or "", known)
        meant = f"; did you mean {close!r}?" if close else ""
        click.echo(f"policy-cache: no provider or route is called {name!r}{meant}", err=True)
        sys.exit(2)
    if output_format == "json":
        show_json([route.model_dump(mode="json", exclude_defaults=True) for route in routes])
    elif name is None:
        show(table(catalog))
        if sentence := difference(catalog):
            click.echo(f"policy-cache: {sentence}", err=True)
    else:
        for number, route in enumerate(routes):
            show(details(catalog, route, first=number == 0))
