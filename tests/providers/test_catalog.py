"""The catalog: what it refuses, and what every entry of the packaged one has."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from policy_cache.providers.catalog import Catalog, packaged_catalog
from policy_cache.providers.file import loads_catalog
from policy_cache.providers.resolve import resolve

MINUTES = {"5m": {"seconds": 300}}
SMALL = {
    "version": 1,
    "sources": {"S": "https://example.com"},
    "providers": {"acme": {}},
    "dialects": {
        "cache_control": {"sources": ["S"], "key": "cache_control", "marker": {"type": "ephemeral"}}
    },
    "minimums": {"acme": {"sources": ["S"], "models": [{"match": ["*"], "tokens": 1024}]}},
    "caches": {"acme": {"sources": ["S"], "kind": "explicit", "lookback": 20, "lifetimes": MINUTES}},
    "blocks": {"acme": {"sources": ["S"], "tools": True}},
    "routes": [
        {
            "name": "acme",
            "providers": ["acme"],
            "mechanism": "explicit",
            "breakpoints": 4,
            "ttls": ["5m"],
            "minimum": "acme",
            "cache": "acme",
            "blocks": {"chat": "acme"},
            "sources": ["S"],
        }
    ],
}


def changed(part, **values):
    """The small catalog with one table changed."""
    if part == "routes":
        return {**SMALL, "routes": [{**SMALL["routes"][0], **values}]}
    if part == "dialects":
        return {**SMALL, part: {"cache_control": {**SMALL[part]["cache_control"], **values}}}
    if part in {"minimums", "caches", "blocks"}:
        return {**SMALL, part: {"acme": {**SMALL[part]["acme"], **values}}}
    return {**SMALL, **values}


def test_a_small_catalog():
    assert Catalog.model_validate(SMALL).routes[0].minimum == "acme"


@pytest.mark.parametrize(
    ("catalog", "message"),
    [
        (changed("routes", sources=["S", "X"]), "routes.acme.sources: there is no source `X`"),
        (changed("blocks", sources=["X"]), "blocks.acme.sources: there is no source `X`"),
        (changed("minimums", sources=["X"]), "minimums.acme.sources: there is no source `X`"),
        (changed("dialects", sources=["X"]), "dialects.cache_control.sources: there is no source `X`"),
        (
            changed("routes", providers=["acme", "other"]),
            "routes.acme.providers: there is no provider `other`",
        ),
        (changed("routes", minimum="other"), "routes.acme.minimum: there is no table of minimums `other`"),
        (changed("routes", minimum="acne"), "no table of minimums `acne`, did you mean `acme`?"),
        (changed("routes", dialect="other"), "routes.acme.dialect: there is no dialect `other`"),
        (
            changed("routes", blocks={"chat": "other"}),
            "routes.acme.blocks: there is no table of blocks `other`",
        ),
        (changed("routes", breakpoints=0), "routes.acme.mechanism: an explicit route needs `breakpoints`"),
        (changed("routes", ttls=[]), "routes.acme.mechanism: an explicit route needs `ttls`"),
        (changed("routes", blocks={}), "routes.acme.mechanism: an explicit route needs `blocks`"),
        (changed("routes", cache="other"), "routes.acme.cache: there is no cache `other`"),
        (changed("routes", automatic="acme"), "routes.acme.automatic: the cache `acme` is one of markers"),
        (changed("dialects", cache="acne"), "dialects.cache_control.cache: there is no cache `acne`"),
        (
            changed("caches", kind="automatic"),
            "routes.acme.cache: the cache `acme` is not one of markers",
        ),
        (changed("caches", sources=["X"]), "caches.acme.sources: there is no source `X`"),
        (changed("caches", lookback=None), "caches.acme.kind: a cache of markers needs `lookback`"),
        (changed("caches", kind="breakpoints"), "caches.acme.kind: a cache of breakpoints needs `writes`"),
        (
            changed("caches", lifetimes={"1h": {"seconds": 3600}}),
            "caches.acme.lifetimes: the lifetimes of markers are `5m`, and `1h` beside it",
        ),
        (
            changed("caches", lifetimes=MINUTES | {"1h": {"seconds": 299}}),
            "caches.acme.lifetimes: an entry for `1h` lives no shorter than one for `5m`",
        ),
        (changed("caches", lifetimes={}), "at least 1 item"),
        (changed("caches", lifetimes={"5m": {"seconds": 0}}), "greater than 0"),
        (
            changed("caches", models=[{"match": ["*"], "lifetime": "day"}]),
            "caches.acme.models: there is no lifetime `day`",
        ),
        (
            changed("catalog", providers={"acme": {"family": "claude"}}),
            "providers.acme.family: there is no family `claude`",
        ),
        (changed("dialects", key="marker"), "Input should be 'cache_control' or 'prompt_cache_breakpoint'"),
        (
            changed("routes", parameters={"prompt_cache_key": {"send": "argument", "longest": 8}}),
            "greater than or equal to 16",
        ),
        (changed("routes", breakpoints=-1), "greater than or equal to 0"),
        (changed("routes", ttls=["2h"]), "Input should be '5m' or '1h'"),
        (
            changed("routes", mechanism="magic"),
            "Input should be 'explicit', 'automatic', 'none' or 'unknown'",
        ),
        (changed("routes", blocks={"soap": "acme"}), "Input should be 'chat', 'messages' or 'responses'"),
        (
            changed("routes", parameters={"prompt_cache_key": {"send": "cookie"}}),
            "Input should be 'argument', 'extra_body' or 'header'",
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


@pytest.mark.parametrize(
    "name", ["sources", "providers", "dialects", "minimums", "caches", "blocks", "routes", "version"]
)
def test_needs_every_part(name):
    with pytest.raises(ValidationError, match="Field required"):
        Catalog.model_validate({key: value for key, value in SMALL.items() if key != name})


def test_every_entry_of_the_packaged_catalog_has_a_source_and_is_used():
    catalog = packaged_catalog()
    tables = [
        *catalog.dialects.values(),
        *catalog.minimums.values(),
        *catalog.caches.values(),
        *catalog.images.values(),
        *catalog.media.values(),
        *catalog.blocks.values(),
        *catalog.routes,
    ]
    assert all(table.sources for table in tables)
    assert {source for table in tables for source in table.sources} == set(catalog.sources)
    assert {name for route in catalog.routes for name in route.blocks.values()} == set(catalog.blocks)
    assert {route.dialect for route in catalog.routes} == set(catalog.dialects)
    assert {route.minimum for route in catalog.routes if route.minimum} == set(catalog.minimums)
    named = [*(route.cache for route in catalog.routes), *(route.automatic for route in catalog.routes)]
    named += [dialect.cache for dialect in catalog.dialects.values()]
    assert set(named) - {None} == set(catalog.caches)
    assert {one.family for one in catalog.providers.values() if one.family} == set(catalog.families)
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


def test_images_of_a_file_go_before_the_packaged_ones():
    text = 'version: 1\nimages: {own: {models: [{match: ["gpt-4o*"], base: 7, details: {low: {base: 3}}}]}}\n'
    catalog = loads_catalog(text, "own.yaml")
    found = [
        resolve(catalog, model=model, provider="openai", api_base=None, shape="chat").media.images.of(detail)
        for model, detail in (("gpt-4o", None), ("gpt-4o-mini", "low"), ("o3", "low"))
    ]
    assert [rule.tokens_of(None) for rule in found] == [7, 3, 75]
