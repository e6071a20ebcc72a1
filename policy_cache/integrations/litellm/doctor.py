"""What the installed litellm makes of a marker: on every explicit route, shape and kind of block.

A release other than the one that the catalog was observed on may lose a marker that another keeps.
"""

from __future__ import annotations

import os
from collections import Counter
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, TypedDict, get_args

import litellm
import yaml
from litellm.integrations.anthropic_cache_control_hook import AnthropicCacheControlHook

from policy_cache.integrations.litellm.handler import PolicyCacheHandler
from policy_cache.integrations.litellm.wire import WireError, check, wire
from policy_cache.live.engine import Engine
from policy_cache.policy.load import loads
from policy_cache.providers.resolve import resolve
from policy_cache.request.location import value_at
from policy_cache.request.markers import FOREIGN, KEY
from policy_cache.request.prompt import AREAS
from policy_cache.text.words import quoted

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, Sequence

    from policy_cache.engine.plan import Plan
    from policy_cache.integrations.litellm.wire import Check
    from policy_cache.providers.catalog import Catalog, RouteEntry
    from policy_cache.request.location import Location
    from policy_cache.request.prompt import Shape

Kind: TypeAlias = Literal["tool", "system", "user", "assistant", "call", "result", "request", "translated"]
Outcome: TypeAlias = Literal["kept", "moved", "lost", "refused", "unmarked", "unsent"]

KINDS: tuple[Kind, ...] = get_args(Kind)
"""What is marked; `translated`: a user's text, by the client, with the marker of the other dialect."""

BAD: frozenset[Outcome] = frozenset({"lost", "refused"})
_MARKED = BAD | {"kept", "moved"}

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

# More than any model's minimum, and one word in each block that tells it from the others.
_WORDS = "word " * 12_000
_IN_ORDER = ("look_up", "SYSTEM", "QUESTION", "ANSWER", "NEXT", "call_1", "RESULT", "LAST")
_SCHEMA: dict[str, Any] = {"type": "object", "properties": {}}
_ELSEWHERE = "https://proxy.example/v1"


class Finding(NamedTuple):
    """What became of a marker.

    Attributes:
        route: The catalog's name of the route.
        shape: The shape of the request.
        kind: The kind of block that was to be marked.
        outcome: `kept` on that block, `moved` to another one by litellm, `lost`, or `refused` as a whole;
            `unmarked` where the route takes none there, `unsent` where litellm sends no such request at all.
    """

    route: str
    shape: Shape
    kind: Kind
    outcome: Outcome


def examine(catalog: Catalog) -> Iterator[Finding]:
    """Have the installed litellm build the body of a marked request for each, with no network and no key."""
    engines: dict[tuple[Shape, Kind], Engine] = {
        (shape, kind): Engine(loads(_policy(shape, kind), "<doctor>"), catalog)
        for shape in AREAS
        for kind in KINDS
        if kind != "translated"
    }
    passing = Engine.passing(catalog)
    for entry in catalog.routes:
        if entry.mechanism != "explicit" or entry.example is None or _way(catalog, entry) != entry.name:
            continue
        for shape in entry.blocks:
            given = request(shape, entry.example, elsewhere=entry.custom_host)
            for kind in KINDS[:-1]:
                plan = engines[shape, kind].plan(given, shape=shape)
                yield Finding(entry.name, shape, kind, _outcome(plan))
            given = request(shape, entry.example, elsewhere=entry.custom_host, blocks="user")
            yield Finding(entry.name, shape, "translated", _translation(passing, given, shape))


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
    base = _ELSEWHERE if entry.custom_host else None
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


def _translation(passing: Engine, given: dict[str, Any], shape: Shape) -> Outcome:
    """What becomes of the other dialect's marker, where litellm is said to make the route's own of it."""
    area = AREAS[shape]
    first = 0 if shape == "messages" else 1
    short = {name: value for name, value in given.items() if name != "tools"}
    short[area] = [*given[area][: first + 2], given[area][-1]]
    [block] = short[area][first]["content"]
    foreign = passing.route(short, shape=shape).key == KEY
    block |= {FOREIGN: {"mode": "explicit"}} if foreign else {KEY: {"type": "ephemeral"}}
    if all(point.slot is None for point in passing.plan(short, shape=shape).breakpoints):
        return "unmarked"
    try:
        return "kept" if wire(short, shape=shape).markers else "lost"
    except WireError:
        return "unsent"


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
    return next((word for word in reversed(_IN_ORDER) if word in text), None)


def _policy(shape: Shape, kind: Kind) -> str:
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


def request(shape: Shape, model: str, *, elsewhere: bool = False, blocks: str = "") -> dict[str, Any]:
    """An agent's request in a shape, with every kind of block.

    Args:
        shape: The shape.
        model: The model, as litellm spells it.
        elsewhere: Whether it goes to a host that is not the provider's own.
        blocks: A kind whose text is a list of one block.
    """
    part = {"chat": "text", "messages": "text", "responses": "input_text"}[shape]

    def said(words: str, kind: str, part: str = part) -> object:
        return [{"type": part, "text": words}] if kind == blocks else words

    system = said(f"SYSTEM {_WORDS}", "system")
    question, result = said("QUESTION", "user"), said("RESULT", "result")
    answer = said("ANSWER", "assistant", "output_text" if shape == "responses" else part)
    about = {"name": "look_up", "description": f"d {_WORDS}"}
    asked: list[dict[str, Any]] = [
        {"role": "user", "content": question},
        {"role": "assistant", "content": answer},
        {"role": "user", "content": "NEXT"},
    ]
    last: dict[str, Any] = {"role": "user", "content": "LAST"}
    turns: list[dict[str, Any]]
    whole: dict[str, Any] = {"model": model, **({"api_base": _ELSEWHERE} if elsewhere else {})}
    if shape == "messages":
        use = {"type": "tool_use", "id": "call_1", "name": "look_up", "input": {}}
        answered = {"type": "tool_result", "tool_use_id": "call_1", "content": result}
        turns = [{"role": "assistant", "content": [use]}, {"role": "user", "content": [answered]}]
        tools: list[dict[str, Any]] = [{**about, "input_schema": _SCHEMA}]
        return {
            **whole,
            "max_tokens": 16,
            "tools": tools,
            "system": system,
            "messages": [*asked, *turns, last],
        }
    if shape == "responses":
        turns = [
            {"type": "function_call", "call_id": "call_1", "name": "look_up", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "call_1", "output": result},
        ]
        tools = [{"type": "function", **about, "parameters": _SCHEMA}]
        items = [{"role": "developer", "content": system}, *asked, *turns, last]
        return {**whole, "max_output_tokens": 16, "tools": tools, "input": items}
    call = {"id": "call_1", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}
    turns = [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": result},
    ]
    tools = [{"type": "function", "function": {**about, "parameters": _SCHEMA}}]
    messages = [{"role": "system", "content": system}, *asked, *turns, last]
    return {**whole, "max_tokens": 16, "tools": tools, "messages": messages}


def overlay_text(
    catalog: Catalog, findings: Sequence[Finding], given: Mapping[str, Any] | None = None
) -> str:
    """A catalog file that turns off what the installed litellm loses or refuses.

    Args:
        catalog: The catalog.
        findings: What was found of it.
        given: What an operator's own catalog file says, which the new one says too.
    """
    about = f"# What litellm {version('litellm')} loses or refuses is off; made by `policy-cache doctor`.\n"
    off = overlay(catalog, findings)
    own: Mapping[str, Any] = given or {}
    changed = {str(route["name"]): route for route in off["routes"]}
    # Of two entries of one name, the last says how it is.
    routes = [{**route, **changed.pop(route["name"], {})} for route in reversed(own.get("routes", ()))]
    whole = {
        **own,
        "version": 1,
        "blocks": {**own.get("blocks", {}), **off["blocks"]},
        "routes": [*reversed(routes), *changed.values()],
    }
    return about + yaml.safe_dump({name: part for name, part in whole.items() if part}, sort_keys=False)


class Overlay(TypedDict):
    """Of a catalog file, the tables and the members of routes that change."""

    blocks: dict[str, object]
    routes: list[dict[str, object]]


def overlay(catalog: Catalog, findings: Sequence[Finding]) -> Overlay:
    """What turns off what is lost or refused, as data."""
    blocks: dict[str, object] = {}
    routes: list[dict[str, object]] = []
    for entry in catalog.routes:
        bad = [f for f in findings if f.route == entry.name and f.outcome in BAD]
        if not bad:
            continue
        marked = Counter(f.shape for f in findings if f.route == entry.name and f.outcome in _MARKED)
        tables: dict[Shape, str] = dict(entry.blocks)
        for shape in entry.blocks:
            off = [f.kind for f in bad if f.shape == shape]
            if off and len(off) == marked[shape]:
                del tables[shape]
            elif set(off) - {"request"}:
                tables[shape] = _fresh(f"{entry.name}-{shape}", catalog.blocks)
                blocks[tables[shape]] = _without(catalog, entry.blocks[shape], off)
        changed: dict[str, object] = {"name": entry.name, "blocks": tables}
        if not tables:
            changed |= {"mechanism": "none", "note": f"litellm {version('litellm')} loses every marker."}
        if "request" in {f.kind for f in bad}:
            changed["request_marker"] = []
        routes.append(changed)
    return {"blocks": blocks, "routes": routes}


def _fresh(name: str, taken: Container[str]) -> str:
    """A name that no table has."""
    while name in taken:
        name += "-kept"
    return name


# What a table says of each kind: flags, and lists of which some members are about it.
_FLAGS: Mapping[Kind, tuple[str, ...]] = {
    "tool": ("tools",),
    "call": ("tool_calls",),
    "translated": ("translated", "translates_messages", "translates_system"),
}
_MEMBERS: Mapping[Kind, Mapping[str, frozenset[str]]] = {
    "system": {"system": frozenset({"text"})},
    "user": {"user": frozenset({"text"})},
    "assistant": {"assistant": frozenset({"text"})},
    "call": {"assistant": frozenset({"tool_use"})},
    "result": {
        "user": frozenset({"tool_result"}),
        "tool_messages": frozenset({"tool", "function"}),
        "tool_content": frozenset({"text"}),
    },
}


def _without(catalog: Catalog, name: str, kinds: list[Kind]) -> dict[str, object]:
    """A table without what some kinds need."""
    table = catalog.blocks[name].model_dump(mode="json", exclude_defaults=True, exclude={"sources"})
    for kind in kinds:
        for flag in _FLAGS.get(kind, ()):
            table.pop(flag, None)
        for member, words in _MEMBERS.get(kind, {}).items():
            if member in table:
                table[member] = [word for word in table[member] if word not in words]
    return table


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
