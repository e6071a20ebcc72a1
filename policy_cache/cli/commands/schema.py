"""`policy-cache schema`."""

from __future__ import annotations

import click

from policy_cache.policy.language.schema import schema_text


@click.command("schema")
@click.option("--catalog", "of_catalog", is_flag=True, help="Of catalog files instead.")
@click.option("--tests", "of_tests", is_flag=True, help="Of test files instead.")
def command(*, of_catalog: bool, of_tests: bool) -> None:
    """Print the JSON Schema of policy files, for an editor to complete and explain them."""
    if of_catalog and of_tests:
        raise click.UsageError("--catalog and --tests exclude each other")
    if of_tests:
        from policy_cache.testing.model import tests_schema_text  # noqa: PLC0415, slow to import

        click.echo(tests_schema_text(), nl=False)
        return
    if of_catalog:
        from policy_cache.providers.file import catalog_schema_text  # noqa: PLC0415, slow to import

        click.echo(catalog_schema_text(), nl=False)
        return
    click.echo(schema_text(), nl=False)
