"""What a rule asks of providers that take no such thing, as far as its `provider` alone shows.

The routes are the catalog's, as plain data; see `providers.catalog.RouteEntry`. A rule that names
no provider may reach any of them, and nothing is said of it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from policy_cache.policy.check.cover import texts_of
from policy_cache.policy.check.finding import Finding
from policy_cache.policy.check.models import matching, models_of
from policy_cache.policy.check.walk import parameters
from policy_cache.request.names import matches
from policy_cache.text.words import listed, quoted, suggest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from policy_cache.diagnostics import Path
    from policy_cache.policy.text.source import Source

Route: TypeAlias = "Mapping[str, Any]"
Models: TypeAlias = "tuple[str, ...] | None"
"""Names of models; None where any may be meant."""


class Way(NamedTuple):
    """A route that a rule reaches.

    Attributes:
        route: The route.
        models: The known models with which it is reached; None where any may be.
    """

    route: Route
    models: Models

    @property
    def takes_hour(self) -> bool:
        """Whether a marker for an hour reaches the provider for some model."""
        return "1h" in self.route["ttls"] or _takes(self.route.get("long_ttl"), self.models)


def _takes(globs: Collection[str] | None, models: Models) -> bool:
    """Whether globs over models match one of some models."""
    return bool(globs) and (models is None or any(matches(tuple(globs or ()), model) for model in models))


class Routes:
    """The routes of a catalog, as plain data, with what was found in them."""

    __slots__ = ("_ways", "blocks", "providers", "routes")

    def __init__(self, data: Mapping[str, Any]) -> None:
        """Take a catalog's data: its `routes`, `providers` and tables of `blocks`."""
        self.routes: Sequence[Route] = data["routes"]
        self.providers = sorted({*data["providers"], *(name for r in self.routes for name in r["providers"])})
        self.blocks: Mapping[str, Any] = data["blocks"]
        self._ways: dict[tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]], list[Way]] = {}

    def reached(self, match: Mapping[str, Any]) -> list[Way]:
        """The routes that a match block may lead to, by providers, caching and the known models it matches.

        Where it matches no known model, or names are free, every route of its providers counts.
        """
        providers = texts_of(match["provider"]) if match.get("provider") else ()
        wanted = texts_of(match["model"]) if match.get("model") else ()
        caching = texts_of(match["caching"]) if match.get("caching") else ()
        ways = self._ways.get((providers, wanted, caching))
        if ways is None:
            ways = [way for way in self._reached(providers, wanted) if _caches(way.route, caching)]
            self._ways[providers, wanted, caching] = ways
        return ways

    def named(self, providers: tuple[str, ...]) -> list[Route]:
        """The routes of some providers; all routes for none."""
        names = set(matching(providers, tuple(self.providers))) if providers else None
        return [route for route in self.routes if names is None or names.intersection(route["providers"])]

    def _reached(self, providers: tuple[str, ...], wanted: tuple[str, ...]) -> list[Way]:
        models = models_of(providers) if providers and wanted else None
        if models is None or not matching(wanted, models):
            return [Way(route, None) for route in self.named(providers)]
        led: dict[str, list[str]] = {}
        for provider in matching(providers, tuple(self.providers)):
            for model in matching(wanted, models_of((provider,)) or ()):
                for name in self._first(provider, model):
                    led.setdefault(name, []).append(model)
        return [Way(route, tuple(led[route["name"]])) for route in self.routes if route["name"] in led]

    def _first(self, provider: str, model: str) -> Iterator[str]:
        """The route of a model at its provider's own host, and that at another host."""
        for elsewhere in (False, True):
            for route in self.routes:
                if route.get("custom_host") and not elsewhere:
                    continue
                models = tuple(route.get("models") or ("*",))
                if provider in route["providers"] and matches(models, model):
                    yield str(route["name"])
                    break


def _caches(route: Route, wanted: tuple[str, ...]) -> bool:
    """Whether caching on a route may be as a rule wants it; markers reach some for one shape alone."""
    mechanism = route["mechanism"]
    return not wanted or mechanism in wanted or (mechanism == "explicit" and "none" in wanted)


def keeps(way: Way, section: int, shape: str | None, routes: Routes) -> bool:
    """Whether a route keeps a marker on tools (0), the system prompt (1), messages (2) or the request (3)."""
    route = way.route
    if section == 3:
        return _takes(route.get("request_marker"), way.models)
    if section == 2 or route.get("run"):
        return section == 2
    tables = [
        routes.blocks.get(name, {})
        for route_shape, name in route["blocks"].items()
        if shape in {None, route_shape}
    ]
    return any(table.get("tools" if section == 0 else "system") for table in tables)


def unreachable(source: Source, routes: Routes) -> Iterator[Finding]:
    """Say of a valid policy what can never reach the providers that its rules name."""
    data: Any = source.data
    for index, rule in enumerate(data["rules"] or ()):
        path: Path = ("rules", index)
        match = rule.get("match") or {}
        given = match.get("provider") or ()
        wanted = (given,) if isinstance(given, str) else tuple(given)
        marks = "add_cache_control" in rule["action"] or "split_text" in rule["action"]
        if marks and "explicit" not in match.get("caching", "explicit"):
            message = "no marker is sent where caching is not `explicit`"
            yield _warning(source, "PC321", message, (*path, "match", "caching"), None, "remove the rule")
            continue
        named = routes.named(wanted) if wanted else []
        yield from _caching(source, path, match, named)
        if "remove_cache_control" in rule["action"]:
            continue
        yield from _prefixed(source, path, match.get("model") or (), wanted, routes.providers)
        if not wanted:
            continue
        yield from _unknown(source, path, wanted, routes.providers)
        if named:
            ways = routes.reached(rule["match"])
            yield from _markers(source, path, rule, named, ways)
            yield from _parameters(source, path, rule, ways or [Way(route, None) for route in named])


def unknown_providers(wanted: Iterable[str], known: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """The names and globs that stand for no known provider, each with what was probably meant."""
    for name in wanted:
        if not matching((name,), tuple(known)):
            yield name, suggest(name, known)


def _unknown(source: Source, path: Path, wanted: Sequence[str], known: Sequence[str]) -> Iterator[Finding]:
    """PC320: a provider that the catalog does not know, and for which nothing is done.

    Bad:
        match: {provider: anthropc}
    Good:
        match: {provider: anthropic}
    """
    for name, close in unknown_providers(wanted, known):
        yield _warning(
            source,
            "PC320",
            f"the catalog has no provider {quoted(name)}, and nothing is done for it",
            (*path, "match", "provider"),
            name,
            f"did you mean {quoted(close)}?" if close else "`policy-cache providers` lists them",
        )


def _caching(source: Source, path: Path, match: Mapping[str, Any], named: list[Route]) -> Iterator[Finding]:
    """PC330: caching that no provider of the rule has, so that the rule never matches.

    Bad:
        match: {provider: groq, caching: explicit}
    Good:
        match: {provider: anthropic, caching: explicit}
    """
    wanted = texts_of(match["caching"]) if match.get("caching") else ()
    if not named or "unknown" in wanted or any(_caches(route, wanted) for route in named):
        return
    there = listed(sorted({str(route["mechanism"]) for route in named}))
    message = f"caching on {_providers(named)} is {there}, so the rule never matches"
    yield _warning(source, "PC330", message, (*path, "match", "caching"), None, f"write {there}")


def _prefixed(
    source: Source, path: Path, models: str | Sequence[str], wanted: Sequence[str], known: Sequence[str]
) -> Iterator[Finding]:
    """PC319: a model begins with its provider's prefix, which is not part of a model's name.

    A gateway's models may have such names: then name the gateway as `provider`.

    Bad:
        match: {provider: anthropic, model: "anthropic/claude*"}
    Good:
        match: {provider: anthropic, model: "claude*"}
    """
    for model in (models,) if isinstance(models, str) else models:
        prefix, slash, rest = model.partition("/")
        at = (*path, "match", "model")
        if slash and rest and not wanted and prefix in known:
            message = f"a model is named without its provider: {quoted(model)} matches behind gateways alone"
            yield _warning(source, "PC319", message, at, model, f'write "{rest}", and `provider: {prefix}`')
        if slash and prefix in wanted:
            message = f"a model is named without its provider, so {quoted(model)} never matches"
            plain = rest and not re.search(r"[\"\\]", rest) and rest.isprintable()
            certain = f'"{rest}"' if plain else None
            yield _warning(source, "PC319", message, at, model, f'write "{rest}"', write=certain)


def _markers(
    source: Source, path: Path, rule: Mapping[str, Any], named: list[Route], ways: list[Way]
) -> Iterator[Finding]:
    """PC321: a marker for providers that take none.

    Most of them cache by themselves.

    Bad:
        match: {provider: groq}
    Good:
        match: {provider: anthropic}

    PC322: a lifetime that no route takes which the rule reaches.

    The marker is sent with `5m`.

    Bad:
        match: {provider: snowflake}
        action: {add_cache_control: {ttl: 1h}}
    Good:
        match: {provider: anthropic}
        action: {add_cache_control: {ttl: 1h}}
    """
    action = rule["action"]
    if "add_cache_control" not in action and "split_text" not in action:
        return
    providers = _providers(named)
    if not any(route["mechanism"] == "explicit" for route in named):
        name = next(iter(action))
        message = f"no marker is sent to {providers}"
        yield _warning(source, "PC321", message, (*path, "action", name), None, "remove the rule")
        return
    marking = [way for way in ways if way.route["mechanism"] == "explicit"]
    if not marking or any(way.takes_hour for way in marking):
        return
    models = "" if any(way.models is None for way in marking) else " for these models"
    providers = _providers([route for route in named if route["mechanism"] == "explicit"])
    for at, ttl in _ttls(rule, path):
        if ttl == "1h":
            message = f"no route of {providers} takes `1h`{models}: the marker is sent with `5m`"
            yield _warning(source, "PC322", message, at, None, "write `ttl: 5m`")


def _parameters(source: Source, path: Path, rule: Mapping[str, Any], ways: list[Way]) -> Iterator[Finding]:
    """PC323: a parameter, or a value of it, that none of the rule's providers takes.

    Bad:
        match: {provider: anthropic}
        action: {set: {prompt_cache_key: "{alias}"}}
    Good:
        match: {provider: openai}
        action: {set: {prompt_cache_key: "{alias}"}}
    """
    providers = _providers([way.route for way in ways])
    models = "" if any(way.models is None for way in ways) else " for these models"
    for where, value in parameters(rule["action"]):
        is_header = len(where) > 2
        name = str(where[-1]).lower() if is_header else str(where[-1])
        known = [way.route["parameters"][name] for way in ways if name in way.route.get("parameters", ())]
        taking = [taken for taken in known if is_header is (taken["send"] == "header")]
        at = (*path, "action", *where)
        if not taking:
            message = f"{quoted(name)} does not reach {providers}{models}"
            yield _warning(source, "PC323", message, at, None, "remove it, or the provider")
            continue
        values = [taken["values"] for taken in taking if taken.get("values")]
        fixed = isinstance(value, str) and "{" not in value
        if fixed and len(values) == len(taking) and not any(value in some for some in values):
            message = f"no route of {providers} takes {quoted(str(value))} for {quoted(name)}"
            allowed = listed(sorted({choice for some in values for choice in some}))
            yield _warning(source, "PC323", message, at, None, f"expected one of {allowed}")


def _providers(named: list[Route]) -> str:
    return listed(sorted({name for route in named for name in route["providers"]}))


def _ttls(rule: Mapping[str, Any], path: Path) -> Iterator[tuple[Path, str]]:
    added = rule["action"].get("add_cache_control") or {}
    own = [isinstance(target, dict) and "ttl" in target for target in rule.get("targets", ())]
    if "ttl" in added and not all(own):
        yield (*path, "action", "add_cache_control", "ttl"), added["ttl"]
    for index, target in enumerate(rule.get("targets", ())):
        if isinstance(target, dict) and "ttl" in target:
            yield (*path, "targets", index, "ttl"), target["ttl"]


def _warning(
    source: Source,
    code: str,
    message: str,
    path: Path,
    item: str | None,
    help: str,
    write: str | None = None,
) -> Finding:
    """A warning at a value, or at the item of a list that has this text."""
    value = source.at(path)
    if item is not None and isinstance(value, list):
        path = (*path, value.index(item))
    return Finding(code, message, path, help, write=write)
