"""What hostile requests cost, beside an ordinary request of as many bytes under the same policy.

`make bench` prints each as a ratio; the aim is at most 20.
"""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.measure import ratio, side_by_side
from benchmarks.request import agent_request, text
from policy_cache import Engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

AIM = 20
ANTHROPIC = "anthropic/claude-opus-4-5"
BEDROCK = "bedrock/anthropic.claude-sonnet-4-5-20250929-v1:0"
_TOOL: dict[str, Any] = {"type": "function", "function": {"name": "a", "description": "d", "parameters": {}}}


def policy(*rules: str) -> Engine:
    """A policy of rules, each given by its `match` and its targets, that place markers."""
    lines = [
        f"  - {{name: rule-{number}, {rule}, action: {{add_cache_control: {{}}}}}}\n"
        for number, rule in enumerate(rules)
    ]
    return Engine.from_text("version: 1\nname: hostile\nrules:\n" + "".join(lines))


def descending() -> Engine:
    return policy(
        'match: {missing: "$..zzz"}, targets: [system]',
        'match: {exists: "$..zzz"}, targets: [tools]',
        'targets: ["$..zzz"]',
    )


def names() -> Engine:
    """Conditions that engines which go back would take years for."""
    glob = "*a" * 9 + "*b"
    return policy(
        'match: {model: "re:(a+)+b"}, targets: [system]',
        f'match: {{model: "{glob}"}}, targets: [system]',
        f'match: {{metadata: {{x: "{glob}"}}}}, targets: [system]',
        'match: {headers: {x: "*?a?*?a?*?a?*?b"}}, targets: [system]',
        "targets: [system]",
    )


def searching() -> Engine:
    return policy("match: {exists: \"$.messages[?@.content =~ '(a+)+$']\"}, targets: [system]")


def everything() -> Engine:
    return policy('targets: ["$.messages[*]"]')


def every_part() -> Engine:
    return policy('targets: ["$.messages[*].content[*]"]')


def many() -> Engine:
    return policy(
        *(f"match: {{messages: {{min: {number % 5}}}}}, targets: [tools]" for number in range(1_200))
    )


def request(messages: list[dict[str, Any]], model: str = ANTHROPIC, **more: object) -> dict[str, Any]:
    """A request behind a system prompt that is large enough to be cached."""
    return {
        "model": model,
        "tools": [_TOOL],
        "messages": [{"role": "system", "content": text(20_000)}, *messages],
        **more,
    }


def user(content: object) -> dict[str, Any]:
    return {"role": "user", "content": content}


def cyclic(_: int) -> dict[str, Any]:
    metadata: dict[str, Any] = {"a": 1}
    metadata["self"] = [metadata, metadata]
    return agent_request() | {"metadata": metadata}


def long_names(size: int) -> dict[str, Any]:
    """What a client may choose, next to an ordinary request."""
    chosen = "a" * size
    return agent_request() | {
        "model": "anthropic/" + chosen[:1_000],
        "metadata": {"x": chosen},
        "extra_headers": {"x": chosen[:1_000]},
    }


def overlong_model(size: int) -> dict[str, Any]:
    return agent_request() | {"model": "anthropic/" + "claude" * (size // 6)}


def repetitive_texts(size: int) -> dict[str, Any]:
    return request([user("a" * 2_000 + "!") for _ in range(size)])


def blank_assistants(size: int) -> dict[str, Any]:
    return request([{"role": "assistant", "content": ""} for _ in range(size)], BEDROCK)


def many_parts(size: int) -> dict[str, Any]:
    part = {"type": "text", "text": "a"}
    return request([user("a"), {"role": "assistant", "content": [dict(part) for _ in range(size)]}], BEDROCK)


def short_messages(size: int) -> dict[str, Any]:
    """All below the minimum of any model."""
    roles = itertools.cycle(("user", "assistant"))
    messages = [{"role": next(roles), "content": [{"type": "text", "text": "ab"}]} for _ in range(size)]
    return {"model": ANTHROPIC, "messages": messages}


def one_message(size: int) -> dict[str, Any]:
    return request([user([{"type": "text", "text": "abcdef"} for _ in range(size)])])


def client_markers(size: int) -> dict[str, Any]:
    marker = {"cache_control": {"type": "ephemeral"}}
    return request([user([{"type": "text", "text": "a", **marker} for _ in range(size)]) for _ in range(3)])


def client_markers_elsewhere(size: int) -> dict[str, Any]:
    return client_markers(size) | {"model": "azure/gpt-4o"}


def deep(size: int) -> dict[str, Any]:
    """As deep as a JSON parser goes, in as many places as wanted."""
    value: object = "x"
    for _ in range(300):
        value = [value]
    return request([user([{"type": "tool_result", "tool_use_id": "t", "content": value}])] * size)


def wide_tools(size: int) -> dict[str, Any]:
    return request([user("a")]) | {"tools": [dict(_TOOL, defer_loading=True) for _ in range(size)]}


class Case(NamedTuple):
    """A hostile request.

    Attributes:
        engine: Makes the engine of the policy that it meets.
        build: Makes the request, of a given size.
        size: Its size in the benchmark.
    """

    engine: Callable[[], Engine]
    build: Callable[[int], dict[str, Any]]
    size: int


CASES: dict[str, Case] = {
    "`..` in a request that holds itself": Case(descending, cyclic, 0),
    "`..` in deep lists": Case(descending, deep, 200),
    "names that make patterns go back": Case(names, long_names, 20_000),
    "texts that make `=~` go back": Case(searching, repetitive_texts, 300),
    "a model's name of 100,000 characters": Case(Engine.default, overlong_model, 100_000),
    "4,000 empty assistant messages": Case(Engine.default, blank_assistants, 4_000),
    "an assistant message of 16,000 parts": Case(Engine.default, many_parts, 16_000),
    "10,000 hits of `$.messages[*]`": Case(everything, short_messages, 10_000),
    "4,000 hits of `…content[*]`": Case(every_part, one_message, 4_000),
    "6,000 client markers": Case(Engine.default, client_markers, 2_000),
    "6,000 client markers to remove": Case(Engine.default, client_markers_elsewhere, 2_000),
    "deep lists in messages": Case(Engine.default, deep, 200),
    "8,000 deferred tools": Case(Engine.default, wide_tools, 8_000),
}


def ordinary(size: int, model: str) -> dict[str, Any]:
    """An agent's request of about as many bytes, by the number of its messages."""
    short, long = (len(json.dumps(agent_request(messages=count))) for count in (41, 141))
    turns = max(0, round((size - short) * 50 / (long - short)))
    return agent_request(messages=41 + 2 * turns) | {"model": model}


def bytes_of(hostile: dict[str, Any]) -> int:
    """The length of a request as JSON; what holds itself counts as what is around it."""
    try:
        return len(json.dumps(hostile))
    except ValueError:
        return len(json.dumps({name: value for name, value in hostile.items() if name != "metadata"}))


def fresh_names(given: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The request, each time for a model that nobody has named before."""
    return (given | {"model": f"anthropic/claude-opus-4-5-{number}"} for number in itertools.count())


def rows() -> Iterator[tuple[str, float, str]]:
    """Each case with its ratio, and the aim, as it is measured."""
    aim = f"<= {AIM}"
    for name, case in CASES.items():
        engine, hostile = case.engine(), case.build(case.size)
        model = str(hostile["model"])
        peer = ordinary(bytes_of(hostile), model if len(model) < 100 else ANTHROPIC)
        yield name, _ratio(engine, lambda request=hostile: request, peer), aim
    peer = agent_request()
    for name, engine in (("default", Engine.default()), ("1,200 rules", many())):
        fresh = fresh_names(peer)
        yield f"a new model's name each time, {name}", _ratio(engine, fresh.__next__, peer), aim


def _ratio(engine: Engine, hostile: Callable[[], dict[str, Any]], peer: dict[str, Any]) -> float:
    contestants = {"hostile": lambda: engine.rewrite(hostile()), "ordinary": lambda: engine.rewrite(peer)}
    return ratio(side_by_side(contestants, rounds=3), "hostile", "ordinary")
