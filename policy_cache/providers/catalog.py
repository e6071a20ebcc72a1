"""The provider catalog: what each route takes, as data with its sources."""

from __future__ import annotations

import difflib
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, model_validator

from policy_cache.providers.data import packaged_data

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Mechanism: TypeAlias = Literal["explicit", "automatic", "none"]
Ttl: TypeAlias = Literal["5m", "1h"]
Shape: TypeAlias = Literal["chat", "messages"]
Passage: TypeAlias = Literal["argument", "extra_body"]
MarkerKey: TypeAlias = Literal["cache_control", "prompt_cache_breakpoint"]


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


class DialectEntry(_Sourced):
    """How a breakpoint is written.

    Attributes:
        key: The member that makes a block the end of a prefix.
        marker: Its value.
        ttl: The member of the value that says a TTL; None where the provider takes none.
        says_default: Whether `5m` is said too, because the provider's own default is another.
    """

    key: MarkerKey
    marker: dict[str, str]
    ttl: str | None = None
    says_default: bool = False


class MinimumEntry(_Entry):
    """The smallest prefix, in tokens, for models that match one of the globs."""

    match: tuple[str, ...]
    tokens: Annotated[int, Field(ge=0)]


class ParameterEntry(_Entry):
    """How a request parameter reaches the provider.

    Attributes:
        send: What litellm forwards: a plain argument, or only a member of `extra_body`.
        longest: The most characters that the provider takes.
        values: The values that it takes; empty for any.
    """

    send: Passage
    longest: Annotated[int, Field(ge=16)] | None = None
    values: tuple[str, ...] = ()


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
        tool_content: Types of content blocks of a tool message that can, where the message cannot.
        message_level: A client's marker on a message of text takes effect on the text.
        calls_break_text: Beside `tool_calls`, litellm sends a list of texts wrongly: it stays a text.
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
    tool_content: tuple[str, ...] = ()
    calls_break_text: bool = False
    message_level: bool = True


class RouteEntry(_Sourced):
    """One route: who is on it, and what survives there.

    Attributes:
        providers: litellm's provider names.
        models: Globs over the model without its provider prefix.
        custom_host: Only behind an `api_base` that is not the provider's own.
        mechanism: Whether markers are needed, or the provider caches by itself, or not at all.
        dialect: How a breakpoint is written.
        breakpoints: The most that one request may carry.
        ttls: The TTLs that every model of the route takes.
        long_ttl: Globs over the models that take `1h` as well.
        lifetime: How long an entry lives where that is not the TTL of the marker, for people.
        lookback: How many positions before a breakpoint the provider looks for an entry.
        request_marker: Globs over the models that take a marker on the request itself.
        only_when_named: A word that a rule's `provider` or `model` must contain to mark here.
        run: A breakpoint is a run of marked messages from the first one to a user's turn.
        minimum: The table of minimum prefixes.
        parameters: The cache parameters it takes, and how litellm really forwards each.
        blocks: The table of blocks for each request shape.
        note: What an operator should know besides.
    """

    name: str
    providers: tuple[str, ...]
    models: tuple[str, ...] = ("*",)
    custom_host: bool = False
    mechanism: Mechanism
    dialect: str = "cache_control"
    breakpoints: Annotated[int, Field(ge=0)] = 0
    ttls: tuple[Ttl, ...] = ()
    long_ttl: tuple[str, ...] = ()
    lifetime: str | None = None
    lookback: Annotated[int, Field(ge=1)] | None = None
    request_marker: tuple[str, ...] = ()
    only_when_named: str | None = None
    run: bool = False
    minimum: str | None = None
    parameters: dict[str, ParameterEntry] = Field(default_factory=dict)
    blocks: dict[Shape, str] = Field(default_factory=dict)
    note: str | None = None


class Catalog(_Entry):
    """Every provider and route, with the tables they refer to."""

    version: Literal[1]
    sources: dict[str, str]
    providers: dict[str, ProviderEntry]
    dialects: dict[str, DialectEntry]
    minimums: dict[str, MinimumTable]
    blocks: dict[str, BlockTable]
    routes: tuple[RouteEntry, ...]

    @model_validator(mode="after")
    def _refers_to_what_exists(self, info: ValidationInfo) -> Catalog:
        # Who reports problems one by one, with their places, says so.
        for problem in problems(self) if not info.context else ():
            raise ValueError(f"{'.'.join(map(str, problem.path))}: {problem.message}")
        return self


class Problem(NamedTuple):
    """Something in a catalog that refers to nothing, or is not whole.

    Attributes:
        path: Where: the part, the entry's name, and the member.
        message: What is wrong, in one sentence.
    """

    path: tuple[str, ...]
    message: str


def problems(catalog: Catalog) -> Iterator[Problem]:
    """Say what a catalog's entries refer to in vain."""
    tables: dict[str, Mapping[str, _Sourced]] = {
        "dialects": catalog.dialects,
        "minimums": catalog.minimums,
        "blocks": catalog.blocks,
        "routes": {route.name: route for route in catalog.routes},
    }
    for part, entries in tables.items():
        for name, entry in entries.items():
            yield from _unknown((part, name, "sources"), "source", entry.sources, catalog.sources)
    for name in catalog.providers:
        if name != name.lower():
            yield Problem(("providers", name), f"a provider is written in lower case, as `{name.lower()}`")
    for route in catalog.routes:
        here = ("routes", route.name)
        yield from _unknown((*here, "providers"), "provider", route.providers, catalog.providers)
        yield from _unknown((*here, "dialect"), "dialect", (route.dialect,), catalog.dialects)
        minimum = () if route.minimum is None else (route.minimum,)
        yield from _unknown((*here, "minimum"), "table of minimums", minimum, catalog.minimums)
        tables_of = tuple(route.blocks.values())
        yield from _unknown((*here, "blocks"), "table of blocks", tables_of, catalog.blocks)
        if route.mechanism == "explicit":
            for name in ("breakpoints", "ttls", "blocks"):
                if not getattr(route, name):
                    yield Problem((*here, "mechanism"), f"an explicit route needs `{name}`")
            if route.ttls and "5m" not in route.ttls:
                yield Problem((*here, "ttls"), "an explicit route takes `5m` at least")
            if route.run and route.request_marker:
                yield Problem((*here, "run"), "a run is of messages, so there is no `request_marker`")


def _unknown(
    path: tuple[str, ...], what: str, names: Iterable[str], known: Iterable[str]
) -> Iterator[Problem]:
    known = set(known)
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            meant = f", did you mean `{close[0]}`?" if close else ""
            yield Problem(path, f"there is no {what} `{name}`{meant}")


@lru_cache(maxsize=1)
def packaged_catalog() -> Catalog:
    """The catalog that ships with policy-cache."""
    return Catalog.model_validate(packaged_data())
