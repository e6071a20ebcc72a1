"""`python -m benchmarks.warmth`: what a quote takes, and what 50,000 entries under churn do to it."""

from __future__ import annotations

import gc
import tracemalloc
from itertools import count

from benchmarks.measure import ratio, side_by_side, timing
from benchmarks.request import agent_request
from policy_cache import Engine
from policy_cache.cache.entries import Entry
from policy_cache.warmth import Table, Warmth

ENTRIES = 50_000
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


def main() -> None:
    engine, request = Engine.default(), agent_request()
    few, many = Table(), Table(ENTRIES)
    tracemalloc.start()
    churn(many, ENTRIES)
    gc.collect()
    full = tracemalloc.get_traced_memory()[0]
    churn(many, 2 * ENTRIES)
    gc.collect()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    print(
        f"{len(many):,} entries: {full / 1e6:.1f} MB, and {after / 1e6:.1f} MB after {2 * ENTRIES:,} others"
    )
    warmths = {table: Warmth(engine, table=table) for table in (few, many)}
    for model in MIXED:
        for warmth in warmths.values():
            warmth.answered(engine.plan({**request, "model": model}), None)
    timings = side_by_side(
        {
            "rewrite": lambda: engine.rewrite(request),
            "quote, one model": lambda: warmths[few].quote(request, MIXED[:1]),
            "quote, ten deployments": lambda: warmths[few].quote(request, DEPLOYMENTS),
            "quote, ten models on eight routes": lambda: warmths[few].quote(request, MIXED),
            "ten deployments, 50,000 entries": lambda: warmths[many].quote(request, DEPLOYMENTS),
            "ten deployments, under churn": lambda: (
                churn(many, 4),
                warmths[many].quote(request, DEPLOYMENTS),
            ),
        }
    )
    print(f"{'microseconds a call':36}{'best':>10}{'median':>10}")
    for name, rounds in timings.items():
        one = timing(rounds)
        print(f"{name:36}{one.best:10.1f}{one.median:10.1f}")
    base = "quote, ten deployments"
    for name in ("ten deployments, 50,000 entries", "ten deployments, under churn"):
        print(f"{name} / {base}: {ratio(timings, name, base):.2f}")


if __name__ == "__main__":
    main()
