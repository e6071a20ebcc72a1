"""`--catalog`: what an operator says of providers, for every command that asks what they take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from policy_cache.cli.shared.output import refuse
from policy_cache.errors import PolicyError
from policy_cache.packaged import packaged_data
from policy_cache.policy.check.reach.routes import Routes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policy_cache.providers.catalog import Catalog

catalog_option = click.option(
    "--catalog",
    "catalog_file",
    metavar="FILE",
    help="A file that adds to the catalog of providers, or changes it.",
)
"""Gives a command `catalog_file`, None where it is left out."""


def read_catalog(catalog_file: str | None) -> Catalog:
    """The catalog, with what a file adds to it or changes; exits with 2 on one that is not valid."""
    from policy_cache.providers.catalog import packaged_catalog  # noqa: PLC0415, validating loads no model
    from policy_cache.providers.file import load_catalog  # noqa: PLC0415

    try:
        return packaged_catalog() if catalog_file is None else load_catalog(catalog_file)
    except PolicyError as error:
        refuse(error)


def read_data(catalog_file: str | None) -> Mapping[str, Any] | None:
    """What a catalog file says, which was read before."""
    from policy_cache.providers.file import catalog_data  # noqa: PLC0415

    return None if catalog_file is None else catalog_data(catalog_file)


def read_routes(catalog_file: str | None) -> Routes:
    """What checks of a policy look at; the catalog's model is only built where a file changes it."""
    return Routes(packaged_data() if catalog_file is None else read_catalog(catalog_file).model_dump())
