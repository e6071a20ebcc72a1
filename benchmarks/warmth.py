"""`python -m benchmarks.warmth`: what a quote takes, and what 50,000 entries under churn do to it.

Each quote is of a conversation that went on: two of its 41 messages are new. Models report their usage, so
that each has a scale of its own.
"""

from __future__ import annotations

import gc
import tracemalloc
from itertools import count
from typing import TYPE_CHECKING, Any

from benchmarks.measure import ratio, side_by_side, timing
from benchmarks.request import agent_request
from policy_cache import Engine
from policy_cache.cache.entries import Entry
from policy_cache.usage.usage import CacheUsage
from policy_cache.warmth import Table, Warmth

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ENTRIES = 50_000
CONVERSATIONS = 1_000
MESSAGES = 41
MIXED = [
    "anthropic/claude-sonnet-4-5",
    "anthropic/claude-haiku-4-5",
    "anthropic/claude-opus-4-8",
    "openai/gpt-5.6",
    "openai/gpt-4o",
    "gemini/gemini-2.5-flash",
    "deepseek/deepseek-chat",
    "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "openrouter/anthropic/claude-sonnet-4.5",
    "vertex_ai/claude-sonnet-4-5",
]
DEPLOYMENTS = [
    {"litellm_params": {"model": MIXED[0], "api_key": f"key-{number}"}, "model_info": {"id": str(number)}}
    for number in range(10)
]
numbers = count()


def churn(table: Table, entries: int) -> None:
    """Write entries that nobody wrote before, one prompt's four at a time."""
    for _ in range(entries // 4):
        number = next(numbers)
        made = {f"{number:015d}{part}".encode(): Entry(0.0, 9e9 + number) for part in range(4)}
        table.change(number.to_bytes(16, "big"), made, (), 0.0)


def next_turn(request: dict[str, Any]) -> dict[str, object]:
    """The same conversation with two messages that nobody read before; the others are its own."""
    number, messages = next(numbers), request["messages"]
    new = [{**message, "content": f"{number} {message['content']}"} for message in messages[-2:]]
    return {**request, "messages": [*messages[:-2], *new]}


def another(request: dict[str, Any]) -> dict[str, object]:
    """A conversation of as many messages that nobody read before, a few words each."""
    number = next(numbers)
    said = [{**message, "content": f"{number} {message['role']}"} for message in request["messages"]]
    return {**request, "messages": said}


def taught(engine: Engine, request: dict[str, object], table: Table) -> Warmth:
    """What knows each model's own scale, and that the conversation is warm there."""
    warmth = Warmth(engine, table=table)
    for model in MIXED:
        plan = engine.plan({**request, "model": model})
        warmth.answered(plan, CacheUsage(write_5m=32_000, uncached=500))
        for _ in range(3):
            warmth.answered(plan, CacheUsage(read=32_000, uncached=500))
    return warmth


def memory(engine: Engine, request: dict[str, object]) -> None:
    """Print what entries take, and what is remembered of prompts and sessions."""
    tracemalloc.start()
    table = Table(ENTRIES)
    churn(table, ENTRIES)
    gc.collect()
    full = tracemalloc.get_traced_memory()[0]
    churn(table, 2 * ENTRIES)
    gc.collect()
    after = tracemalloc.get_traced_memory()[0]
    print(
        f"{len(table):,} entries: {full / 1e6:.1f} MB, and {after / 1e6:.1f} MB after {2 * ENTRIES:,} others"
    )
    del table
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    warmth = Warmth(engine, table=Table(0))
    most = 0
    for number in range(CONVERSATIONS):
        warmth.answered(engine.plan(another(request)), None)
        if number % 100 == 99:
            most = max(most, tracemalloc.get_traced_memory()[0] - before)
    print(f"read of {CONVERSATIONS:,} conversations of {MESSAGES} messages: at most {most / 1e6:.1f} MB")
    tracemalloc.stop()


def main() -> None:
    engine, request = Engine.default(), agent_request(messages=MESSAGES)
    memory(engine, request)
    few, many = Table(), Table(ENTRIES)
    churn(many, ENTRIES)
    warmths = {table: taught(engine, request, table) for table in (few, many)}

    def quote(table: Table, models: Sequence[str | Mapping[str, object]]) -> Callable[[], object]:
        return lambda: warmths[table].quote(next_turn(request), models)

    timings = side_by_side(
        {
            "rewrite": lambda: engine.rewrite(request),
            "quote, one model": quote(few, MIXED[:1]),
            "quote, ten deployments": quote(few, DEPLOYMENTS),
            "quote, ten models on eight routes": quote(few, MIXED),
            "ten deployments, at first sight": lambda: Warmth(engine).quote(request, DEPLOYMENTS),
            "ten deployments, 50,000 entries": quote(many, DEPLOYMENTS),
            "ten deployments, under churn": lambda: (
                churn(many, 4),
                warmths[many].quote(next_turn(request), DEPLOYMENTS),
            ),
        }
    )
    print(f"{'microseconds a call':36}{'best':>10}{'median':>10}")
    for name, rounds in timings.items():
        one = timing(rounds)
        print(f"{name:36}{one.best:10.1f}{one.median:10.1f}")
    for name, base in (
        ("quote, one model", "rewrite"),
        ("quote, ten deployments", "rewrite"),
        ("quote, ten models on eight routes", "rewrite"),
        ("ten deployments, 50,000 entries", "quote, ten deployments"),
        ("ten deployments, under churn", "quote, ten deployments"),
    ):
        print(f"{name} / {base}: {ratio(timings, name, base):.2f}")


if __name__ == "__main__":
    main()
