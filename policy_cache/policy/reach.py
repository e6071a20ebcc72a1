"""What a rule asks of providers that take no such thing, as far as its `provider` alone shows.

The routes are the catalog's, as plain data; see `providers.catalog.RouteEntry`. A rule that names
no provider may reach any of them, and nothing is said of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from policy_cache.policy.diagnostics import Diagnostic, listed, quoted, suggest
from policy_cache.request.names import Names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from policy_cache.policy.source import Source
    from policy_cache.policy.span import Path

Route: TypeAlias = "Mapping[str, Any]"


def unreachable(source: Source, routes: Sequence[Route], providers: Iterable[str]) -> Iterator[Diagnostic]:
    """Say of a valid policy what can never reach the providers that its rules name.

    PC319: a model glob that begins with the provider's own prefix, which is not part of a model's name.
    PC320: a provider that the catalog does not know. PC321: a marker for providers that take none.
    PC322: a TTL that none of them takes. PC323: a parameter, or a value of it, that none of them takes.
    """
    data: Any = source.data
    known = sorted({*providers, *(name for route in routes for name in route["providers"])})
    for index, rule in enumerate(data["rules"] or ()):
        path: Path = ("rules", index)
        given = (rule.get("match") or {}).get("provider") or ()
        wanted = (given,) if isinstance(given, str) else tuple(given)
        if not wanted or "remove_cache_control" in rule["action"]:
            continue
        yield from _unknown(source, path, wanted, known)
        yield from _prefixed(source, path, rule["match"].get("model") or (), wanted)
        names = Names(wanted)
        reached = [route for route in routes if any(map(names.match, route["providers"]))]
        if reached:
            yield from _refused(source, path, rule, reached)


def _unknown(source: Source, path: Path, wanted: Sequence[str], known: Sequence[str]) -> Iterator[Diagnostic]:
    for name in wanted:
        if any(map(Names((name,)).match, known)):
            continue
        close = suggest(name, known)
        yield _warning(
            source,
            "PC320",
            f"the catalog has no provider {quoted(name)}, and nothing is done for it",
            (*path, "match", "provider"),
            name,
            f"did you mean {quoted(close)}?" if close else "`policy-cache providers` lists them",
        )


def _prefixed(
    source: Source, path: Path, models: str | Sequence[str], wanted: Sequence[str]
) -> Iterator[Diagnostic]:
    for model in (models,) if isinstance(models, str) else models:
        prefix, slash, rest = model.partition("/")
        if slash and prefix in wanted:
            message = f"a model is named without its provider, so {quoted(model)} never matches"
            at = (*path, "match", "model")
            yield _warning(source, "PC319", message, at, model, f'write "{rest}"')


def _refused(
    source: Source, path: Path, rule: Mapping[str, Any], reached: list[Route]
) -> Iterator[Diagnostic]:
    action = rule["action"]
    providers = listed(sorted({name for route in reached for name in route["providers"]}))
    marking = [route for route in reached if route["mechanism"] == "explicit"]
    if "add_cache_control" in action or "split_text" in action:
        name = next(iter(action))
        if not marking:
            message = f"no marker is sent to {providers}"
            yield _warning(source, "PC321", message, (*path, "action", name), None, "remove the rule")
            return
        for at, ttl in _ttls(rule, path):
            if ttl == "1h" and not any("1h" in route["ttls"] or route.get("long_ttl") for route in marking):
                message = f"no route of {providers} takes `1h`: the marker is sent with `5m`"
                yield _warning(source, "PC322", message, at, None, "write `ttl: 5m`")
    for name, value in (action.get("set") or {}).items():
        taking = [route["parameters"][name] for route in reached if name in route.get("parameters", ())]
        at = (*path, "action", "set", name)
        if not taking:
            message = f"{quoted(name)} does not reach {providers}"
            yield _warning(source, "PC323", message, at, None, "remove it, or the provider")
            continue
        values = [taken["values"] for taken in taking if taken.get("values")]
        fixed = isinstance(value, str) and "{" not in value
        if fixed and len(values) == len(taking) and not any(value in some for some in values):
            message = f"no route of {providers} takes {quoted(str(value))} for {quoted(name)}"
            allowed = listed(sorted({one for some in values for one in some}))
            yield _warning(source, "PC323", message, at, None, f"expected one of {allowed}")


def _ttls(rule: Mapping[str, Any], path: Path) -> Iterator[tuple[Path, str]]:
    added = rule["action"].get("add_cache_control") or {}
    own = [isinstance(target, dict) and "ttl" in target for target in rule.get("targets", ())]
    if "ttl" in added and not all(own):
        yield (*path, "action", "add_cache_control", "ttl"), added["ttl"]
    for index, target in enumerate(rule.get("targets", ())):
        if isinstance(target, dict) and "ttl" in target:
            yield (*path, "targets", index, "ttl"), target["ttl"]


def _warning(source: Source, code: str, message: str, path: Path, item: str | None, help: str) -> Diagnostic:
    """A warning at a value, or at the item of a list that has this text."""
    value = source.at(path)
    if item is not None and isinstance(value, list):
        path = (*path, value.index(item))
    return Diagnostic(
        code, "warning", message, span=source.span(path), path=path, help=help, file=source.name
    )
