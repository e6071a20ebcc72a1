"""From a request's own words to its route: who serves it, and what that provider takes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from policy_cache.providers.cache_rules import automatic_rules, marked_rules
from policy_cache.request.blocks import BlockRules
from policy_cache.request.markers import client_markers
from policy_cache.request.media import CLAUDE, MediaRules
from policy_cache.request.names import matches

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TypeVar

    from policy_cache.providers.cache_rules import AutomaticRules, BreakpointRules, CacheRules, ExplicitRules
    from policy_cache.providers.catalog import (
        Catalog,
        DialectEntry,
        ImageEntry,
        LifetimeEntry,
        MarkerKey,
        Mechanism,
        MediaEntry,
        MinimumEntry,
        ParameterEntry,
        RouteEntry,
        Ttl,
    )
    from policy_cache.request.markers import ClientMarker
    from policy_cache.request.prompt import Prompt, Shape

    _R = TypeVar("_R", "MinimumEntry", "LifetimeEntry", "ImageEntry", "MediaEntry")


def qualified(provider: str, model: str) -> str:
    """A model as litellm spells it, with its provider's prefix; without one where that cannot be told."""
    return f"{provider}/{model}" if provider else model


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request goes, and what survives on the way.

    Attributes:
        name: The catalog's name for the route; None for a provider it does not know.
        provider: litellm's name for the provider; empty when it cannot be told.
        model: The model, without its provider prefix: what `base_model` says it is, where that is said.
        deployment: The model as sent, where `base_model` says what it is; None where not.
        shape: The request's shape.
        mechanism: How the provider caches.
        breakpoints: The most markers in one request.
        ttls: The TTLs that reach the provider.
        minimum: The smallest prefix that is cached, in tokens.
        request_marker: Whether a marker on the request itself reaches the provider.
        parameters: The cache parameters that reach the provider, and how.
        blocks: Which blocks can carry a marker.
        key: The member that marks a block.
        markers: The marker for each TTL, to be copied.
        bridged: Whether litellm makes a chat request of it first: what stands before its `completion` sees it
            again, with more to mark.
        left_alone: Whether it stays as it is, since nobody knows what becomes of markers in this shape.
        drops_markers: Whether the provider would take markers, and litellm takes them out on the way.
        only_when_named: A word that a rule's `provider` or `model` must contain to mark here.
        run: Whether a breakpoint is a run of marked messages from the first one on.
        prewarms: Whether it takes `max_tokens: 0`, which reads and writes its cache and replies nothing.
        marked: How the entries of markers behave; None where there are none, or that is not known.
        automatic: What the provider caches by itself; None where it does not, or too little is known.
        media: What images, documents, sound and video count as.
    """

    name: str | None
    provider: str
    model: str
    shape: Shape
    mechanism: Mechanism
    breakpoints: int
    ttls: frozenset[Ttl]
    minimum: int
    request_marker: bool
    parameters: Mapping[str, ParameterEntry]
    blocks: BlockRules
    key: MarkerKey = "cache_control"
    markers: Mapping[Ttl, dict[str, str]] = field(default_factory=dict)
    bridged: bool = False
    left_alone: bool = False
    drops_markers: bool = False
    only_when_named: str | None = None
    run: bool = False
    prewarms: bool = False
    marked: ExplicitRules | BreakpointRules | None = None
    automatic: AutomaticRules | None = None
    deployment: str | None = None
    media: MediaRules = CLAUDE

    @property
    def cache(self) -> CacheRules | None:
        """How what is sent there is cached, as far as it is known: markers go before what is unasked."""
        return self.marked or self.automatic

    @property
    def qualified(self) -> str:
        """The model as litellm spells it, with its provider's prefix."""
        return qualified(self.provider, self.model)

    @property
    def is_plain(self) -> bool:
        """Whether a breakpoint is one `cache_control`, for any rule that asks for it."""
        return self.key == "cache_control" and self.only_when_named is None and not self.run

    def markers_of(self, prompt: Prompt) -> Sequence[ClientMarker]:
        """The markers that a request carries already, each with where it takes effect on this route."""
        return client_markers(prompt, self.key, self.blocks, request=self.request_marker, run=self.run)

    def lifetime_of(self, marker: ClientMarker) -> Ttl:
        """The TTL that a marker has here: litellm drops one that the route does not take."""
        return "1h" if marker.ttl == "1h" and marker.key == self.key and "1h" in self.ttls else "5m"


def resolve(
    catalog: Catalog,
    *,
    model: str,
    provider: str | None,
    api_base: str | None,
    shape: Shape,
    base_model: str | None = None,
    drop_params: bool = False,
) -> Route:
    """Resolve the route of a request, without asking litellm.

    Args:
        catalog: What is known of providers.
        model: The model, or the name of a deployment of one.
        provider: litellm's name for who serves it, if that is said.
        api_base: Where it is served, if that is said.
        shape: The shape of the request.
        base_model: What a deployment is of, in litellm's words: `azure/gpt-5.6`.
        drop_params: Whether litellm drops what it thinks that a model does not take.
    """
    name, bare = _provider(catalog, model, provider, api_base)
    served, deployment = catalog.providers.get(name), None
    if base_model and served and served.deployed and matches(served.deployed.names, bare):
        deployment, bare = bare, _deployed(catalog, name, bare, base_model, served.deployed.way)
    elsewhere = _is_elsewhere(catalog, name, api_base)
    entry = next(
        (
            entry
            for entry in catalog.routes
            if name in entry.providers
            and matches(entry.models, bare)
            and (elsewhere or not entry.custom_host)
        ),
        None,
    )
    if entry is None:
        return Route(
            None,
            name,
            bare,
            shape,
            "unknown",
            0,
            frozenset(),
            0,
            False,
            {},
            BlockRules(),
            deployment=deployment,
            media=_media(catalog, name, bare),
        )
    dropped = drop_params and shape in entry.dropped_with_params
    explicit = entry.mechanism == "explicit" and shape in entry.blocks and not dropped
    mechanism = entry.mechanism
    if mechanism == "explicit" and not explicit:  # in this shape no marker gets there
        mechanism = "automatic" if entry.automatic else "none"
    ttls: tuple[Ttl, ...] = ("5m", "1h") if matches(entry.long_ttl, bare) else entry.ttls
    dialect = catalog.dialects[entry.dialect]
    smallest = _row(catalog.minimums[entry.minimum].models, name, bare) if entry.minimum else None
    minimum = smallest.tokens if smallest else 0
    cache = entry.cache or dialect.cache
    automatic = catalog.caches[entry.automatic] if entry.automatic else None
    rules = _block_rules(catalog, entry, shape) if explicit else BlockRules()
    return Route(
        name=entry.name,
        provider=name,
        model=bare,
        shape=shape,
        mechanism=mechanism,
        breakpoints=entry.breakpoints if explicit else 0,
        ttls=frozenset(ttls),
        minimum=minimum,
        request_marker=explicit and matches(entry.request_marker, bare),
        parameters=entry.parameters,
        blocks=rules,
        key=dialect.key,
        markers={ttl: _marker(dialect, ttl) for ttl in ttls},
        bridged=rules.bridged,
        left_alone=shape == "responses" and entry.mechanism == "explicit" and not explicit,
        drops_markers=entry.drops_markers or dropped,
        only_when_named=entry.only_when_named.lower() if entry.only_when_named else None,
        run=entry.run,
        prewarms=entry.prewarms,
        marked=marked_rules(catalog.caches[cache], minimum) if explicit and cache and not entry.run else None,
        automatic=automatic_rules(automatic, _row(automatic.models, name, bare), minimum)
        if automatic
        else None,
        deployment=deployment,
        media=_media(catalog, name, bare),
    )


def _media(catalog: Catalog, provider: str, model: str) -> MediaRules:
    """What a model's media count as; what they do for Claude, where that is not known."""
    images = _first([table.models for table in catalog.images.values()], provider, model)
    others = _first([table.models for table in catalog.media.values()], provider, model)
    if images is None and others is None:
        return CLAUDE
    rules = CLAUDE.images if images is None else images.rules
    if others is None:
        return MediaRules(rules, CLAUDE.page)
    return MediaRules(rules, others.page or CLAUDE.page, others.sound, others.video)


def _first(tables: Sequence[Sequence[_R]], provider: str, model: str) -> _R | None:
    """The first row for a model; those of a file go before the packaged ones."""
    rows = (_row(table, provider, model) for table in reversed(tables))
    return next((row for row in rows if row is not None), None)


def _deployed(catalog: Catalog, provider: str, sent: str, base_model: str, usual: str) -> str:
    """The model behind a deployment, called in the way that the deployment is: `converse/`, `invoke/`."""
    prefix, slash, rest = base_model.partition("/")
    model = rest if slash and prefix.lower() in catalog.providers else base_model
    way, slash, _ = sent.partition("/")
    globs = (glob for entry in catalog.routes if provider in entry.providers for glob in entry.models)
    if not slash or not any(glob.startswith(f"{way}/") for glob in globs):
        way = usual
    return f"{way}/{model}" if way and not model.startswith(f"{way}/") else model


def _is_elsewhere(catalog: Catalog, provider: str, api_base: str | None) -> bool:
    """Whether an `api_base` leads to another host than the provider's own."""
    host, entry = _host(api_base), catalog.providers.get(provider)
    return host is not None and not (entry is not None and matches(entry.hosts, host))


def _marker(dialect: DialectEntry, ttl: Ttl) -> dict[str, str]:
    if dialect.ttl is None or (ttl == "5m" and not dialect.says_default):
        return dict(dialect.marker)
    return {**dialect.marker, dialect.ttl: ttl}


def _provider(catalog: Catalog, model: str, provider: str | None, api_base: str | None) -> tuple[str, str]:
    prefix, slash, rest = model.partition("/")
    prefix = prefix.lower()
    if provider:
        name = provider.lower()
        return name, rest if slash and prefix == name else model
    if slash and prefix in catalog.providers:
        return prefix, rest
    host = _host(api_base)
    if host is not None:
        for name, entry in catalog.providers.items():
            if matches(entry.hosts, host):
                return name, model
    if slash:
        return prefix, rest
    for name, entry in catalog.providers.items():
        if matches(entry.models, model):
            return name, model
    return "", model


def _host(api_base: str | None) -> str | None:
    try:
        return urlsplit(api_base).hostname if api_base else None
    except ValueError:
        return None


def _row(rows: Sequence[_R], provider: str, model: str) -> _R | None:
    """The first row that holds for a model of a provider."""
    return next(
        (
            row
            for row in rows
            if (not row.providers or provider in row.providers) and matches(row.match, model)
        ),
        None,
    )


def _block_rules(catalog: Catalog, entry: RouteEntry, shape: Shape) -> BlockRules:
    rules = catalog.blocks[entry.blocks[shape]].rules
    return replace(rules, system_parameter=True) if shape == "messages" else rules
