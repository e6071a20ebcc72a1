"""The provider catalog: what each route takes, as data with its sources."""

from __future__ import annotations

import difflib
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, model_validator

from policy_cache.packaged import packaged_data
from policy_cache.request.blocks import BlockRules
from policy_cache.request.images import ImageRule, ImageRules
from policy_cache.request.prompt import Shape  # noqa: TC001, pydantic looks it up

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

Mechanism: TypeAlias = Literal["explicit", "automatic", "none", "unknown"]
Ttl: TypeAlias = Literal["5m", "1h"]
Passage: TypeAlias = Literal["argument", "extra_body", "header"]
MarkerKey: TypeAlias = Literal["cache_control", "prompt_cache_breakpoint"]
CacheKind: TypeAlias = Literal["explicit", "breakpoints", "automatic"]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Sourced(_Entry):
    sources: tuple[str, ...]


class DeployedEntry(_Entry):
    """Deployments whose name does not tell the model, so that litellm goes by their `base_model`.

    Attributes:
        names: Globs over their names.
        way: How litellm calls one whose name does not say it: `converse` for `converse/…`.
    """

    names: tuple[str, ...] = ("*",)
    way: str = ""


class ProviderEntry(_Entry):
    """How a provider is recognised when a request does not name it.

    Attributes:
        hosts: Globs over the host of `api_base`.
        models: Globs over a model that carries no provider prefix.
        example: A model there, without its provider prefix; a first policy's tests ask for it.
        family: The family of that model.
        deployed: Deployments that go by their `base_model`; None where litellm goes by the name all the same.
    """

    hosts: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    example: Annotated[str, Field(min_length=1)] | None = None
    family: str | None = None
    deployed: DeployedEntry | None = None


class FamilyEntry(_Entry):
    """Models that a first policy marks alike.

    Attributes:
        title: What people call them.
        models: Globs over the model without its provider prefix.
    """

    title: str
    models: Annotated[tuple[str, ...], Field(min_length=1)]


class DialectEntry(_Sourced):
    """How a breakpoint is written.

    Attributes:
        key: The member that makes a block the end of a prefix.
        marker: Its value.
        ttl: The member of the value that says a TTL; None where the provider takes none.
        says_default: Whether `5m` is said too, because the provider's own default is another.
        cache: How entries behave on a route that does not say so itself; None where that is not known.
    """

    key: MarkerKey
    marker: dict[str, str]
    ttl: str | None = None
    says_default: bool = False
    cache: str | None = None


class _Row(_Entry):
    """What holds for some models.

    Attributes:
        match: Globs over the model without its provider prefix.
        providers: The only providers for which it holds; empty for all.
    """

    match: tuple[str, ...]
    providers: tuple[str, ...] = ()


class MinimumEntry(_Row):
    """The smallest prefix that is cached, in tokens."""

    tokens: Annotated[int, Field(ge=0)]


class ImageCount(_Entry):
    """What an image counts as, by its width and height: tokens, and some for each square that covers it.

    Attributes:
        base: Tokens whatever its size.
        square: The side of a square, in pixels; without it and `crop`, an image counts alike in any size.
        crop: The side of a square is the image's shorter side by this.
        tokens: For each square.
        longest: Its longer side is scaled down to this first.
        shortest: Its shorter side then is, too.
        most: It is then scaled down until so many squares cover it.
        aligned: Whether that leaves the narrower way whole squares, rather than the largest image that fits.
        small: An image with no side longer than this is one square.
    """

    base: Annotated[int, Field(ge=0)] = 0
    square: Annotated[int, Field(ge=1)] | None = None
    crop: Annotated[float, Field(ge=1)] | None = None
    tokens: Annotated[float, Field(gt=0)] = 1.0
    longest: Annotated[int, Field(ge=1)] | None = None
    shortest: Annotated[int, Field(ge=1)] | None = None
    most: Annotated[int, Field(ge=1)] | None = None
    aligned: bool = False
    small: Annotated[int, Field(ge=1)] | None = None

    @cached_property
    def rule(self) -> ImageRule:
        """The same to be counted by."""
        return ImageRule(**{name: getattr(self, name) for name in ImageCount.model_fields})


class ImageEntry(_Row, ImageCount):
    """What an image counts as for some models.

    Attributes:
        details: For a `detail` that a request asks for, where it counts as something else.
    """

    details: dict[str, ImageCount] = Field(default_factory=dict)

    @cached_property
    def rules(self) -> ImageRules:
        """The same to be counted by."""
        return ImageRules(self.rule, tuple((name, count.rule) for name, count in self.details.items()))


class MediaEntry(_Row):
    """What else than text and images counts as for some models, in tokens.

    Attributes:
        page: A page of a PDF.
        sound: A second of sound.
        video: A second of video, its sound among it.
    """

    page: Annotated[float, Field(gt=0)] | None = None
    sound: Annotated[float, Field(gt=0)] | None = None
    video: Annotated[float, Field(gt=0)] | None = None


class Lifetime(_Entry):
    """How long an unused entry lives.

    Attributes:
        seconds: From the start of the request that last wrote or read it.
        assumes: What is not documented, and taken to be so, in a sentence.
    """

    seconds: Annotated[float, Field(gt=0)]
    assumes: str | None = None


class LifetimeEntry(_Row):
    """Which lifetime entries have.

    Attributes:
        lifetime: Its name; None where not enough is known to say anything.
        retention: Whether a request's `prompt_cache_retention` may name another one.
    """

    lifetime: str | None = None
    retention: bool = False


class ParameterEntry(_Entry):
    """How a request parameter reaches the provider.

    Attributes:
        send: What litellm forwards: a plain argument, only a member of `extra_body`, or a header.
        longest: The most characters that the provider takes.
        values: The values that it takes; empty for any.
    """

    send: Passage
    longest: Annotated[int, Field(ge=16)] | None = None
    values: tuple[str, ...] = ()


class MinimumTable(_Sourced):
    models: Annotated[tuple[MinimumEntry, ...], Field(min_length=1)]


class ImageTable(_Sourced):
    models: Annotated[tuple[ImageEntry, ...], Field(min_length=1)]


class MediaTable(_Sourced):
    models: Annotated[tuple[MediaEntry, ...], Field(min_length=1)]


class CacheTable(_Sourced):
    """How entries of a cache live, and are found.

    Attributes:
        kind: `explicit`: each marker writes an entry and looks back for another. `breakpoints`: OpenAI's,
            which also has an implicit breakpoint, and looks where that has been. `automatic`: every block
            ends an entry, and nothing is billed as written.
        lifetimes: By the marker's TTL, or for an automatic cache by any name.
        models: For an automatic cache, the first row that matches; left out, all have the first lifetime.
        lookback: Positions that a marker looks back, itself included; or the latest breakpoints looked at.
        prolonged: Whether a read starts the lifetime anew.
        writes: The most breakpoints that one request writes, the implicit one among them.
        messages: The endings of earlier messages that are looked at, too.
        step: What is read of an automatic cache is rounded down to a multiple of so many tokens.
        needs_key: Whether only requests with a `prompt_cache_key` are cached.
    """

    kind: CacheKind
    lifetimes: Annotated[dict[str, Lifetime], Field(min_length=1)]
    models: tuple[LifetimeEntry, ...] = ()
    lookback: Annotated[int, Field(ge=1)] | None = None
    prolonged: bool = True
    writes: Annotated[int, Field(ge=1)] | None = None
    messages: Annotated[int, Field(ge=0)] = 0
    step: Annotated[int, Field(ge=1)] = 1
    needs_key: bool = False


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
        joins_assistant: Several texts of an assistant's turn are sent as one unless a marker parts them.
        kept: Types of content blocks on which a client's marker takes effect, and no policy's is placed; as
            `document:base64`, only from a source of that type.
        blank: The turns in which a client's marker on a blank text takes effect, since litellm sends the text
            or words in its place; `later` is a system message's behind the conversation's beginning,
            `calling` an assistant's beside calls, `empty` if on a user's or an assistant's empty text, too,
            `content` if on that alone which is a user's whole content.
        defers: A deferred tool is sent as one; else it is in the prefix like any other.
        result_parts: Types of the parts of a tool message that are sent.
        nested: A marker on a block in a result or a document counts on what is around it.
        nested_parts: Where it does not, types of the parts of a result on which one counts all the same.
        list_level: A client's marker on a message with a list takes effect on the list's last block.
        function_level: A client's marker inside a tool's `function` takes effect on the tool.
        translated: Types of content blocks on which litellm turns a marker of the other dialect into the
            route's own, except in an assistant's turn.
        translates_messages: It does so with one on a message, too.
        translates_beside_tools: It does so in a request with tools, too.
        translates_system: It does so with the blocks of a top-level `system`, too.
        result_ends: Where a result without a text or an image at its end cannot: types of its parts that are
            an end, while others are left out. Empty where any result can.
        listed_results: A result of anything but one text can, like any other.
        texts_beside_tools: Types of the parts of a tool message that litellm writes as a text in a request
            with tools, so that a client's marker takes effect.
        clears_turns: `clear_at` is sent, and a marker on such a system message refused.
        extra_body: A marker in `extra_body` is one on the request.
        bridged: litellm makes a chat request of one in this shape before it sends it.
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
    joins_assistant: bool = False
    kept: tuple[str, ...] = ()
    blank: tuple[
        Literal["system", "later", "user", "assistant", "calling", "tool", "empty", "content"], ...
    ] = ()
    defers: bool = True
    result_parts: tuple[str, ...] = ("text", "image_url")
    nested: bool = True
    nested_parts: tuple[str, ...] = ()
    list_level: bool = False
    function_level: bool = True
    translated: tuple[str, ...] = ()
    translates_messages: bool = False
    translates_beside_tools: bool = True
    translates_system: bool = False
    result_ends: tuple[str, ...] = ()
    listed_results: bool = True
    texts_beside_tools: tuple[str, ...] = ()
    clears_turns: bool = False
    extra_body: bool = True
    bridged: bool = False

    @cached_property
    def rules(self) -> BlockRules:
        """The same for the walk over a prompt; a member that the walk does not know raises."""
        members: dict[str, Any] = {
            name: frozenset(value) if isinstance(value, tuple) else value
            for name, value in self
            if name != "sources"
        }
        return BlockRules(**members)


class RouteEntry(_Sourced):
    """One route: who is on it, and what survives there.

    Attributes:
        providers: litellm's provider names.
        models: Globs over the model without its provider prefix.
        example: A model of the route, as litellm spells it, with which `policy-cache doctor` asks litellm.
        custom_host: Only behind an `api_base` that is not the provider's own.
        mechanism: Whether markers are needed, or the provider caches by itself, or not at all, or whether
            this is not known.
        dialect: How a breakpoint is written.
        breakpoints: The most that one request may carry.
        ttls: The TTLs that every model of the route takes.
        long_ttl: Globs over the models that take `1h` as well.
        request_marker: Globs over the models that take a marker on the request itself.
        drops_markers: The provider would take markers, and litellm takes them out on the way.
        dropped_with_params: The request shapes in which litellm takes markers out, too, where it is told to
            drop parameters that a model does not take (`drop_params`).
        only_when_named: A word that a rule's `provider` or `model` must contain to mark here.
        run: A breakpoint is a run of marked messages from the first one to a user's turn.
        prewarms: It takes `max_tokens: 0`, which reads and writes its cache and replies nothing.
        minimum: The table of minimum prefixes.
        cache: How the entries of markers behave; by default as the dialect says.
        automatic: What the provider caches by itself, as far as it is known.
        parameters: The cache parameters it takes, and how litellm really forwards each.
        blocks: The table of blocks for each request shape.
        note: What an operator should know besides.
    """

    name: str
    providers: tuple[str, ...]
    models: tuple[str, ...] = ("*",)
    example: str | None = None
    custom_host: bool = False
    mechanism: Mechanism
    dialect: str = "cache_control"
    breakpoints: Annotated[int, Field(ge=0)] = 0
    ttls: tuple[Ttl, ...] = ()
    long_ttl: tuple[str, ...] = ()
    request_marker: tuple[str, ...] = ()
    drops_markers: bool = False
    dropped_with_params: tuple[Shape, ...] = ()
    only_when_named: str | None = None
    run: bool = False
    prewarms: bool = False
    minimum: str | None = None
    cache: str | None = None
    automatic: str | None = None
    parameters: dict[str, ParameterEntry] = Field(default_factory=dict)
    blocks: dict[Shape, str] = Field(default_factory=dict)
    note: str | None = None


class Catalog(_Entry):
    """Every provider and route, with the tables they refer to.

    Attributes:
        observed: The release of litellm that its routes were observed on.
    """

    version: Literal[1]
    observed: str | None = None
    sources: dict[str, str]
    providers: dict[str, ProviderEntry]
    dialects: dict[str, DialectEntry]
    minimums: dict[str, MinimumTable]
    caches: dict[str, CacheTable]
    blocks: dict[str, BlockTable]
    routes: tuple[RouteEntry, ...]
    images: dict[str, ImageTable] = Field(default_factory=dict)
    media: dict[str, MediaTable] = Field(default_factory=dict)
    families: dict[str, FamilyEntry] = Field(default_factory=dict)

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
        "caches": catalog.caches,
        "blocks": catalog.blocks,
        "images": catalog.images,
        "media": catalog.media,
        "routes": {route.name: route for route in catalog.routes},
    }
    for part, entries in tables.items():
        for name, entry in entries.items():
            yield from _unknown((part, name, "sources"), "source", entry.sources, catalog.sources)
    for name, provider in catalog.providers.items():
        if name != name.lower():
            yield Problem(("providers", name), f"a provider is written in lower case, as `{name.lower()}`")
        family = () if provider.family is None else (provider.family,)
        yield from _unknown(("providers", name, "family"), "family", family, catalog.families)
    for name, dialect in catalog.dialects.items():
        yield from _cache(catalog, ("dialects", name, "cache"), dialect.cache, automatic=False)
    for name, table in catalog.caches.items():
        yield from _unwhole(("caches", name), table)
    for route in catalog.routes:
        here = ("routes", route.name)
        yield from _unknown((*here, "providers"), "provider", route.providers, catalog.providers)
        yield from _unknown((*here, "dialect"), "dialect", (route.dialect,), catalog.dialects)
        minimum = () if route.minimum is None else (route.minimum,)
        yield from _unknown((*here, "minimum"), "table of minimums", minimum, catalog.minimums)
        yield from _cache(catalog, (*here, "cache"), route.cache, automatic=False)
        yield from _cache(catalog, (*here, "automatic"), route.automatic, automatic=True)
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


def _cache(
    catalog: Catalog, path: tuple[str, ...], name: str | None, *, automatic: bool
) -> Iterator[Problem]:
    if name is None:
        return
    yield from _unknown(path, "cache", (name,), catalog.caches)
    table = catalog.caches.get(name)
    if table is not None and (table.kind == "automatic") != automatic:
        yield Problem(path, f"the cache `{name}` is {'' if automatic else 'not '}one of markers")


def _unwhole(path: tuple[str, ...], table: CacheTable) -> Iterator[Problem]:
    """Say what a cache lacks for its kind, or has for another."""
    for row in table.models:
        named = () if row.lifetime is None else (row.lifetime,)
        yield from _unknown((*path, "models"), "lifetime", named, table.lifetimes)
    if table.kind == "automatic":
        return
    if table.lookback is None:
        yield Problem((*path, "kind"), "a cache of markers needs `lookback`")
    if table.kind == "breakpoints" and table.writes is None:
        yield Problem((*path, "kind"), "a cache of breakpoints needs `writes`")
    short, long = table.lifetimes.get("5m"), table.lifetimes.get("1h")
    if short is None or not table.lifetimes.keys() <= {"5m", "1h"}:
        yield Problem((*path, "lifetimes"), "the lifetimes of markers are `5m`, and `1h` beside it")
    elif long is not None and long.seconds < short.seconds:
        yield Problem((*path, "lifetimes"), "an entry for `1h` lives no shorter than one for `5m`")


def _unknown(
    path: tuple[str, ...], what: str, names: Iterable[str], known: Collection[str]
) -> Iterator[Problem]:
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            meant = f", did you mean `{close[0]}`?" if close else ""
            yield Problem(path, f"there is no {what} `{name}`{meant}")


@lru_cache(maxsize=1)
def packaged_catalog() -> Catalog:
    """The catalog that ships with policy-cache."""
    return Catalog.model_validate(packaged_data())
