"""The catalog: what it refuses, and what every entry of the packaged one has."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from policy_cache.providers.catalog import Catalog, packaged_catalog

SMALL = {
    "version": 1,
    "sources": {"S": "https://example.com"},
    "providers": {"acme": {}},
    "minimums": {"acme": {"sources": ["S"], "models": [{"match": ["*"], "tokens": 1024}]}},
    "blocks": {"acme": {"sources": ["S"], "tools": True}},
    "routes": [
        {
            "name": "acme",
            "providers": ["acme"],
            "mechanism": "explicit",
            "breakpoints": 4,
            "ttls": ["5m"],
            "minimum": "acme",
            "blocks": {"chat": "acme"},
            "sources": ["S"],
        }
    ],
}


def changed(part, **values):
    """The small catalog with one table changed."""
    if part == "routes":
        return {**SMALL, "routes": [{**SMALL["routes"][0], **values}]}
    if part in {"minimums", "blocks"}:
        return {**SMALL, part: {"acme": {**SMALL[part]["acme"], **values}}}
    return {**SMALL, **values}


def test_a_small_catalog():
    assert Catalog.model_validate(SMALL).routes[0].minimum == "acme"


@pytest.mark.parametrize(
    ("catalog", "message"),
    [
        (changed("routes", sources=["S", "X"]), r"unknown sources \['X'\]"),
        (changed("blocks", sources=["X"]), r"unknown sources \['X'\]"),
        (changed("minimums", sources=["X"]), r"unknown sources \['X'\]"),
        (changed("routes", providers=["acme", "other"]), r"route acme: unknown providers \['other'\]"),
        (changed("routes", minimum="other"), "route acme: unknown minimum 'other'"),
        (changed("routes", blocks={"chat": "other"}), r"route acme: unknown blocks \['other'\]"),
        (changed("routes", breakpoints=0), "an explicit route needs breakpoints, ttls and blocks"),
        (changed("routes", ttls=[]), "an explicit route needs breakpoints, ttls and blocks"),
        (changed("routes", blocks={}), "an explicit route needs breakpoints, ttls and blocks"),
        (changed("routes", breakpoints=-1), "greater than or equal to 0"),
        (changed("routes", ttls=["2h"]), "Input should be '5m' or '1h'"),
        (changed("routes", mechanism="magic"), "Input should be 'explicit', 'automatic' or 'none'"),
        (changed("routes", blocks={"soap": "acme"}), "Input should be 'chat' or 'messages'"),
        (
            changed("routes", parameters={"prompt_cache_key": "header"}),
            "Input should be 'argument' or 'extra_body'",
        ),
        (changed("routes", surprise=1), "Extra inputs are not permitted"),
        (changed("blocks", thinking=["text"]), "Extra inputs are not permitted"),
        (changed("minimums", models=[{"match": ["*"], "tokens": -1}]), "greater than or equal to 0"),
        (changed("catalog", version=2), "Input should be 1"),
    ],
)
def test_refuses(catalog, message):
    with pytest.raises(ValidationError, match=message):
        Catalog.model_validate(catalog)


@pytest.mark.parametrize("name", ["sources", "providers", "minimums", "blocks", "routes", "version"])
def test_needs_every_part(name):
    with pytest.raises(ValidationError, match="Field required"):
        Catalog.model_validate({key: value for key, value in SMALL.items() if key != name})


def test_every_entry_of_the_packaged_catalog_has_a_source_and_is_used():
    catalog = packaged_catalog()
    tables = [*catalog.minimums.values(), *catalog.blocks.values(), *catalog.routes]
    assert all(table.sources for table in tables)
    assert {source for table in tables for source in table.sources} == set(catalog.sources)
    assert {name for route in catalog.routes for name in route.blocks.values()} == set(catalog.blocks)
    assert {route.minimum for route in catalog.routes if route.minimum} == set(catalog.minimums)
    names = [route.name for route in catalog.routes]
    assert len(names) == len(set(names))


def test_every_table_of_minimums_ends_with_every_model():
    for table in packaged_catalog().minimums.values():
        assert table.models[-1].match == ("*",)


def test_the_packaged_catalog_is_read_once_and_cannot_be_changed():
    catalog = packaged_catalog()
    assert packaged_catalog() is catalog
    with pytest.raises(ValidationError, match="frozen"):
        catalog.version = 2
