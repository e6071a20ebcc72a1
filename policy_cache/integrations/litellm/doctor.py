"""What the installed litellm makes of a marker: on every explicit route, shape and kind of block.

A release other than the one that the catalog was observed on may lose a marker that another keeps.
"""

from __future__ import annotations

import os
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import litellm
from litellm.integrations.anthropic_cache_control_hook import AnthropicCacheControlHook

from policy_cache.integrations.litellm.brought import brought
from policy_cache.integrations.litellm.finding import PLACED, Finding
from policy_cache.integrations.litellm.handler import PolicyCacheHandler
from policy_cache.integrations.litellm.wire import WireError, check, wire
from policy_cache.live.engine import Engine
from policy_cache.policy.load import loads
from policy_cache.providers.resolve import resolve
from policy_cache.request.location import value_at
from policy_cache.request.prompt import AREAS
from policy_cache.request.sample import ELSEWHERE, IN_ORDER, request
from policy_cache.text.words import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policy_cache.engine.plan import Plan
    from policy_cache.integrations.litellm.finding import Outcome, Placed
    from policy_cache.integrations.litellm.wire import Check
    from policy_cache.providers.catalog import Catalog, RouteEntry
    from policy_cache.request.location import Location
    from policy_cache.request.prompt import Shape

_BESIDE = {
    "openai": "OpenAI's SDK",
    "anthropic": "Anthropic's SDK",
    "fastapi": "litellm's proxy can run",
    "prometheus-client": "metrics can go to Prometheus",
    "opentelemetry-api": "metrics can go to OpenTelemetry",
}
_SWITCHES = {
    "POLICY_CACHE_DISABLED": "switches policy-cache off if it says yes",
    "POLICY_CACHE_CATALOG": "the proxy's catalog file",
    "POLICY_CACHE_RECORD": "the proxy records there",
}


def examine(catalog: Catalog) -> Iterator[Finding]:
    """Have the installed litellm build the body of a marked request for each, with no network and no key."""
    engines: dict[tuple[Shape, Placed], Engine] = {
        (shape, kind): Engine(loads(_policy(shape, kind), "<doctor>"), catalog)
        for shape in AREAS
        for kind in PLACED
    }
    passing = Engine.passing(catalog)
    for entry in catalog.routes:
        if entry.mechanism != "explicit" or entry.example is None or _way(catalog, entry) != entry.name:
            continue
        for shape, table in entry.blocks.items():
            given = request(shape, entry.example, elsewhere=entry.custom_host)
            for kind in PLACED:
                plan = engines[shape, kind].plan(given, shape=shape)
                yield Finding(entry.name, shape, kind, _outcome(plan))
            for client, outcome in brought(passing, entry, shape, catalog.blocks[table]):
                yield Finding(entry.name, shape, client, outcome)


def left_out(catalog: Catalog) -> Iterator[str]:
    """In sentences, which explicit routes are not looked at: for want of an example model of theirs."""
    explicit = [entry for entry in catalog.routes if entry.mechanism == "explicit"]
    names = [quoted(entry.name) for entry in explicit if entry.example is None]
    if names:
        yield f"without an `example`, not looked at: {', '.join(names)}"
    for entry in explicit:
        if entry.example is not None and (way := _way(catalog, entry)) != entry.name:
            goes = "no route that is known" if way is None else quoted(way)
            yield f"{quoted(entry.name)} is not looked at: its `example` goes by {goes}"


def _way(catalog: Catalog, entry: RouteEntry) -> str | None:
    """The name of the route that an entry's example takes."""
    base = ELSEWHERE if entry.custom_host else None
    return resolve(catalog, model=str(entry.example), provider=None, api_base=base, shape="chat").name


def _outcome(plan: Plan) -> Outcome:
    if not plan.changed:
        return "unmarked"
    try:
        checked = check(plan)
    except WireError:
        return "refused" if _is_sent(plan) else "unsent"
    if checked.lost or not checked.wire.markers:
        return "lost"
    if plan.route.run:
        return "kept"
    return "kept" if all(_stands(plan, checked, number) for number in range(len(checked.fates))) else "moved"


def _is_sent(plan: Plan) -> bool:
    """Whether litellm builds a body of the request as it was."""
    try:
        wire(plan.original, provider=plan.route.provider or None, shape=plan.route.shape)
    except WireError:
        return False
    return True


def _stands(plan: Plan, checked: Check, number: int) -> bool:
    """Whether a marker stands, in the body, on the block that it was planned on."""
    fate = checked.fates[number]
    block = fate.marker.block
    if block is None or fate.marker.at == ():
        return True
    place = fate.places[-1]
    body = checked.wire.sent[place.call].body
    return _word(value_at(plan.request, block)) == _word(_block(body, place.location))


def _block(value: Any, location: Location) -> object:  # noqa: ANN401, a body as litellm made it
    """What stands at a location of a body, a Converse `cachePoint` not being counted."""
    for key in location:
        members: Any = value
        if isinstance(key, int):
            members = [item for item in value if set(item) != {"cachePoint"}]
        value = members[key]
    return value


def _word(value: object) -> str | None:
    """The word that tells a block from the others; a result has its call's, too."""
    text = str(value)
    return next((word for word in reversed(IN_ORDER) if word in text), None)


def _policy(shape: Shape, kind: Placed) -> str:
    """A policy that marks a kind of block in `request`."""
    first = 0 if shape == "messages" else 1
    area = AREAS[shape]
    targets = {
        "tool": "tools",
        "user": f"$.{area}[{first}]",
        "assistant": f"$.{area}[{first + 1}]",
        "call": f"$.{area}[{first + 3}]",
        "result": "messages.last_tool_result",
    }
    return (
        "version: 1\nname: doctor\nrules:\n"
        '  - {name: mark, match: {provider: ["*", gemini], model: "*"}, '
        f'targets: ["{targets.get(kind, kind)}"], action: {{add_cache_control: {{}}}}}}\n'
    )


def surroundings() -> Iterator[tuple[str, str]]:
    """What stands beside the catalog in this process and its environment, each with what it means."""
    for name, what in _BESIDE.items():
        with suppress(PackageNotFoundError):
            yield f"{name} {version(name)}", what
    for name, what in _SWITCHES.items():
        if name in os.environ:
            yield name, what
    yield f"policy {os.environ.get('POLICY_CACHE_POLICY') or 'default'}", "in force where no other is named"
    injecting = [c for c in litellm.callbacks if isinstance(c, AnthropicCacheControlHook)]
    if injecting:
        yield "litellm's own injection", "is registered: requests with injection points get its markers"
    engines = sum(isinstance(callback, PolicyCacheHandler) for callback in litellm.callbacks)
    engines += hasattr(litellm.completion, "__wrapped__")
    if engines > 1:
        yield f"{engines} engines", "stand before litellm in this process: each rewrites what the other did"
