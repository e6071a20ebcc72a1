"""The provider catalog: what each route takes, as data with its sources."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Annotated, Literal, TypeAlias

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

Mechanism: TypeAlias = Literal["explicit", "automatic", "none"]
Ttl: TypeAlias = Literal["5m", "1h"]
Shape: TypeAlias = Literal["chat", "messages"]
Passage: TypeAlias = Literal["argument", "extra_body"]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Sourced(_Entry):
    sources: tuple[str, ...]


class ProviderEntry(_Entry):
    """How a provider is recognised when a request does not name it.

    Attributes:
        hosts: Globs over the host of `api_base`.
        models: Globs over a model that carries no provider prefix.
    """

    hosts: tuple[str, ...] = ()
    models: tuple[str, ...] = ()


class MinimumEntry(_Entry):
    match: tuple[str, ...]
    tokens: Annotated[int, Field(ge=0)]


class MinimumTable(_Sourced):
    models: tuple[MinimumEntry, ...]


class BlockTable(_Sourced):
    """The blocks that can carry a marker, by role.

    Attributes:
        tools: Tool definitions can.
        system: Types of system blocks that can.
        system_parameter: A top-level `system` beside OpenAI-shaped messages reaches the provider.
        user: Types of content blocks of a user that can.
        assistant: Types of content blocks of an assistant that can.
        tool_calls: An element of `tool_calls` can.
        tool_messages: The roles of messages that are tool results; the message itself carries.
        needs_tools: Without tools in the request, calls and results become text and lose theirs.
        sorts_assistant: Texts are sorted before calls, and only the last text keeps its place.
        only_functions: Of the tools, only functions can; others lose theirs on the way.
    """

    tools: bool = False
    system: tuple[str, ...] = ()
    system_parameter: bool = False
    user: tuple[str, ...] = ()
    assistant: tuple[str, ...] = ()
    tool_calls: bool = False
    tool_messages: tuple[str, ...] = ()
    needs_tools: bool = False
    sorts_assistant: bool = False
    only_functions: bool = False


class RouteEntry(_Sourced):
    """One route: who is on it, and what survives there.

    Attributes:
        providers: litellm's provider names.
        models: Globs over the model without its provider prefix.
        mechanism: Whether markers are needed, or the provider caches by itself, or not at all.
        breakpoints: The most that one request may carry.
        ttls: The TTLs that every model of the route takes.
        long_ttl: Globs over the models that take `1h` as well.
        request_marker: Globs over the models that take a marker on the request itself.
        minimum: The table of minimum prefixes.
        parameters: The cache parameters it takes, and how litellm really forwards each.
        blocks: The table of blocks for each request shape.
    """

    name: str
    providers: tuple[str, ...]
    models: tuple[str, ...] = ("*",)
    mechanism: Mechanism
    breakpoints: Annotated[int, Field(ge=0)] = 0
    ttls: tuple[Ttl, ...] = ()
    long_ttl: tuple[str, ...] = ()
    request_marker: tuple[str, ...] = ()
    minimum: str | None = None
    parameters: dict[str, Passage] = Field(default_factory=dict)
    blocks: dict[Shape, str] = Field(default_factory=dict)


class Catalog(_Entry):
    """Every provider and route, with the tables they refer to."""

    version: Literal[1]
    sources: dict[str, str]
    providers: dict[str, ProviderEntry]
    minimums: dict[str, MinimumTable]
    blocks: dict[str, BlockTable]
    routes: tuple[RouteEntry, ...]

    @model_validator(mode="after")
    def _refers_to_what_exists(self) -> Catalog:
        sourced: tuple[_Sourced, ...] = (*self.minimums.values(), *self.blocks.values(), *self.routes)
        for table in sourced:
            if missing := set(table.sources) - self.sources.keys():
                raise ValueError(f"unknown sources {sorted(missing)}")
        for route in self.routes:
            if missing := set(route.providers) - self.providers.keys():
                raise ValueError(f"route {route.name}: unknown providers {sorted(missing)}")
            if route.minimum is not None and route.minimum not in self.minimums:
                raise ValueError(f"route {route.name}: unknown minimum {route.minimum!r}")
            if missing := set(route.blocks.values()) - self.blocks.keys():
                raise ValueError(f"route {route.name}: unknown blocks {sorted(missing)}")
            if route.mechanism == "explicit" and not (route.breakpoints and route.ttls and route.blocks):
                raise ValueError(f"route {route.name}: an explicit route needs breakpoints, ttls and blocks")
        return self


@lru_cache(maxsize=1)
def packaged_catalog() -> Catalog:
    """The catalog that ships with policy-cache."""
    text = files("policy_cache.providers").joinpath("catalog.yaml").read_text(encoding="utf-8")
    return Catalog.model_validate(yaml.safe_load(text))
