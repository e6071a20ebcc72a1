"""The catalog as a person reads it: one line a route, or everything that is known of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy_cache.text.styled import Span
from policy_cache.text.words import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policy_cache.providers.catalog import (
        BlockTable,
        CacheTable,
        Catalog,
        LifetimeEntry,
        MinimumEntry,
        RouteEntry,
    )

_FLAGS = {
    "tools": "tools",
    "tool_calls": "tool calls",
    "system_parameter": "a top-level `system`",
    "needs_tools": "calls and results only beside tools",
    "sorts_assistant": "of an assistant's texts only the last",
    "joins_assistant": "no assistant's text beside another",
    "only_functions": "of the tools only functions",
    "calls_break_text": "no assistant's text beside tool calls",
    "bridged": "litellm makes a chat request of it first",
}
_CLIENTS = {
    "message_level": "on a message of text",
    "list_level": "on a message with a list, for its last block",
    "function_level": "inside a tool's `function`",
    "nested": "inside a result or a document, for the block around it",
    "translates_messages": "of the other dialect on a message",
    "translates_system": "of the other dialect in a top-level `system`",
}
"""What else takes effect if a client places it; the policy places its own on the block itself."""


_PASSAGES = {"argument": "as an argument", "extra_body": "in `extra_body`", "header": "as a header"}


def routes_of(catalog: Catalog, name: str) -> list[RouteEntry]:
    """The route of a name, and the routes of a provider of that name."""
    wanted = name.lower()
    return [route for route in catalog.routes if wanted == route.name or wanted in route.providers]


def table(catalog: Catalog) -> list[Span]:
    """Every route with its providers, its mechanism, its slots, its TTLs and its minimum."""
    head = ("route", "providers", "mechanism", "marker", "slots", "TTLs", "from tokens")
    rows = [
        (
            route.name,
            ", ".join(route.providers),
            route.mechanism,
            catalog.dialects[route.dialect].key if route.mechanism == "explicit" else "",
            str(route.breakpoints or ""),
            " ".join(_ttls(route)),
            _range(catalog, route),
        )
        for route in catalog.routes
    ]
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    spans = [Span(_line(head, widths), "strong")]
    spans += [Span(_line(row, widths)) for row in rows]
    return [
        *spans,
        Span("\n`policy-cache providers NAME` says which blocks, and where that is said.\n", "dim"),
    ]


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    return (
        visible("  ".join(f"{cell:{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip())
        + "\n"
    )


def _ttls(route: RouteEntry) -> list[str]:
    extended = ["1h*"] if route.long_ttl and "1h" not in route.ttls else []
    return [*route.ttls, *extended]


def _range(catalog: Catalog, route: RouteEntry) -> str:
    if route.minimum is None:
        return ""
    tokens = sorted({row.tokens for row in catalog.minimums[route.minimum].models if row.tokens})
    if not tokens:
        return "not known"
    return f"{tokens[0]:,}" if len(tokens) == 1 else f"{tokens[0]:,} to {tokens[-1]:,}"


def details(catalog: Catalog, route: RouteEntry, *, first: bool) -> Iterator[Span]:
    """Everything about one route, with its sources."""
    yield Span("" if first else "\n")
    yield Span(f"{visible(route.name)}\n", "strong")
    for name, value in _facts(catalog, route):
        yield Span(f"  {visible(name):14}", "dim")
        yield Span(f"{visible(value)}\n")
    for source in _sources(catalog, route):
        yield Span(f"  {visible(source):14}", "location")
        yield Span(f"{visible(catalog.sources[source])}\n")


def _facts(catalog: Catalog, route: RouteEntry) -> Iterator[tuple[str, str]]:
    yield "providers", ", ".join(route.providers)
    if route.models != ("*",):
        yield "models", "  ".join(route.models)
    if route.custom_host:
        yield "where", "behind an `api_base` that is not the provider's own"
    yield "mechanism", route.mechanism
    if route.drops_markers:
        yield "but", "litellm takes markers out on the way"
    if route.dropped_with_params:
        shapes = ", ".join(route.dropped_with_params)
        yield "but", f"litellm takes markers out with `drop_params` ({shapes})"
    if route.mechanism == "explicit":
        dialect = catalog.dialects[route.dialect]
        marker = ", ".join(f'"{key}": "{value}"' for key, value in dialect.marker.items())
        yield "marker", f'"{dialect.key}": {{{marker}}}'
        yield "slots", str(route.breakpoints)
        yield "TTLs", ", ".join(route.ttls)
        if route.long_ttl:
            yield "1h for", "  ".join(route.long_ttl)
        if route.only_when_named:
            yield "only", f"for a rule whose `match` names {route.only_when_named}"
        if route.run:
            yield "as", "a run of marked messages from the first one to a user's turn"
        if route.request_marker:
            yield "also", "on the request itself"
    if route.minimum is not None:
        for row in catalog.minimums[route.minimum].models:
            yield "from", f"{f'{row.tokens:,} tokens' if row.tokens else 'not known'}: {_models(row)}"
    for table in _caches(catalog, route):
        yield from _cache(table)
    for name, parameter in route.parameters.items():
        limits = [f"at most {parameter.longest} characters"] if parameter.longest else []
        limits += [" or ".join(parameter.values)] if parameter.values else []
        how = _PASSAGES[parameter.send]
        yield "takes", ", ".join([f"{name} {how}", *limits])
    for shape, name in route.blocks.items():
        for role, kinds in _blocks(catalog.blocks[name]):
            yield f"in {shape}", f"{role}: {kinds}" if kinds else role
        if route.mechanism == "explicit":
            for place in _clients(route, catalog.blocks[name]):
                yield "a client's", f"{place}, in {shape}"
    if route.note:
        yield "note", route.note


def _caches(catalog: Catalog, route: RouteEntry) -> list[CacheTable]:
    """What markers write to, and what the provider keeps by itself."""
    marked = route.mechanism == "explicit" and not route.run
    names = (
        (route.cache or catalog.dialects[route.dialect].cache) if marked else None,
        route.automatic,
    )
    return [catalog.caches[name] for name in names if name is not None]


def _cache(table: CacheTable) -> Iterator[tuple[str, str]]:
    lifetimes = table.lifetimes
    if table.kind == "automatic":
        if not table.models:
            yield "by itself", f"{_seconds(next(iter(lifetimes.values())).seconds)}: every model"
        for row in table.models:
            lives = "not known" if row.lifetime is None else _seconds(lifetimes[row.lifetime].seconds)
            if row.retention:
                lives += f", or as `prompt_cache_retention` says: {', '.join(lifetimes)}"
            yield "by itself", f"{lives}: {_models(row)}"
        if table.step > 1:
            yield "read", f"in steps of {table.step} tokens"
        if table.needs_key:
            yield "only", "requests with a `prompt_cache_key`"
    else:
        yield (
            "lives",
            ", ".join(f"{ttl} is {_seconds(one.seconds)}" for ttl, one in lifetimes.items())
            + ("" if table.prolonged else ", which reads do not prolong"),
        )
        if table.kind == "explicit":
            yield "lookback", f"{table.lookback} positions"
        else:
            yield "lookback", f"{table.lookback} breakpoints, and the endings of {table.messages} messages"
            yield "writes", f"at most {table.writes} breakpoints a request"
    for assumed in dict.fromkeys(one.assumes for one in lifetimes.values() if one.assumes):
        yield "assumed", assumed


def _models(row: MinimumEntry | LifetimeEntry) -> str:
    models = "any other model" if row.match == ("*",) else "  ".join(row.match)
    return f"{models}, on {', '.join(row.providers)}" if row.providers else models


def _seconds(seconds: float) -> str:
    return f"{seconds:,.0f} s"


def _blocks(table: BlockTable) -> Iterator[tuple[str, str]]:
    for flag, said in _FLAGS.items():
        if getattr(table, flag):
            yield said, ""
    for role in ("system", "user", "assistant"):
        if kinds := getattr(table, role):
            yield role, ", ".join(kinds)
    if table.tool_messages:
        yield f"messages of role {' or '.join(table.tool_messages)}", ""
    if table.tool_content:
        yield "in a tool message", ", ".join(table.tool_content)


def _clients(route: RouteEntry, table: BlockTable) -> Iterator[str]:
    """Where a client's marker takes effect beside the blocks that a policy marks."""
    results = table.tool_messages or table.tool_content or {"tool_result", "document"} & set(table.user)
    able = {"function_level": table.tools, "nested": results}
    for flag, said in _CLIENTS.items():
        if getattr(table, flag) and able.get(flag, True):
            yield said
    if route.request_marker and table.extra_body:
        yield "in `extra_body`, for the request"
    if table.kept:
        yield f"on {', '.join(table.kept)}"
    if table.blank:
        yield f"on a blank text: {', '.join(table.blank)}"
    if table.translated:
        beside = "" if table.translates_beside_tools else ", without tools"
        yield f"of the other dialect on {', '.join(table.translated)}{beside}"


def _sources(catalog: Catalog, route: RouteEntry) -> list[str]:
    """The sources of the route and of the tables that it names, each once."""
    tables = [*(catalog.blocks[name] for name in route.blocks.values())]
    named = [*route.sources, *(source for table in tables for source in table.sources)]
    if route.minimum is not None:
        named += catalog.minimums[route.minimum].sources
    named += [source for table in _caches(catalog, route) for source in table.sources]
    if route.mechanism == "explicit":
        named += catalog.dialects[route.dialect].sources
    return list(dict.fromkeys(named))
