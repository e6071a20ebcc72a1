"""The providers that a first policy can be for, as the catalog tells of their example models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy_cache.policy.write.answers import Family, Provider
from policy_cache.providers.resolve import resolve

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policy_cache.providers.catalog import Catalog
    from policy_cache.providers.resolve import Route


def examples(catalog: Catalog) -> Mapping[str, Provider]:
    """Every provider that has an example, by litellm's name, in the order of names."""
    return {
        name: _provider(catalog, name, entry.example, entry.family)
        for name, entry in sorted(catalog.providers.items())
        if entry.example is not None
    }


def _provider(catalog: Catalog, name: str, model: str, family: str | None) -> Provider:
    route = resolve(catalog, model=model, provider=name, api_base=None, shape="chat")
    marked = route.mechanism == "explicit" and not route.run and route.only_when_named is None
    return Provider(
        name,
        route.qualified,
        _family(catalog, family or name, route) if marked else None,
        minimum=route.minimum,
        tools=marked and route.blocks.tools,
        hour=marked and "1h" in route.ttls,
        stores=route.run,
    )


def _family(catalog: Catalog, name: str, route: Route) -> Family:
    """The family of that name; where the catalog has none, whatever the provider serves."""
    for place, (known, entry) in enumerate(catalog.families.items()):
        if known == name:
            return Family(place, name, entry.title, entry.models, route.key)
    return Family(len(catalog.families), name, name, (), route.key)
