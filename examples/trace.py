"""Writes `examples/trace.jsonl`: some sessions of a router, as its `TraceRecorder` would have recorded them.

Two agents mark their own requests, and one of them waits for a person; a third has a clock in its system
prompt; a fourth goes on with another model; a chat marks nothing. The router's policy only observes. Words
are drawn at random, and usage is what the packaged model of the cache bills. Two runs write the same.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from policy_cache import CacheUsage, Engine, TraceRecorder
from policy_cache.cache.explicit import CacheModel
from policy_cache.cache.reading import read
from policy_cache.usage.account import account_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policy_cache.engine.plan import Plan

TRACE = Path(__file__).parent / "trace.jsonl"
START = 1_767_603_600.0  # 2026-01-05, 09:00 UTC
SONNET, OPUS = "anthropic/claude-sonnet-4-5", "anthropic/claude-opus-4-1"
POLICY = """\
version: 1
name: first-look
mode: observe
rules:
  - name: prefix
    match: {model: "*claude*"}
    targets: [tools, system]
    action: {add_cache_control: {ttl: 1h}}
"""
WORDS = (
    *("a", "the", "of", "to", "in", "and", "is", "one", "two", "for", "with", "on", "at", "from", "by"),
    *("amber", "bridge", "candle", "door", "engine", "field", "garden", "harbour", "island", "journey"),
    *("kettle", "lantern", "meadow", "number", "orchard", "paper", "quiet", "river", "stone", "table"),
    *("umbrella", "valley", "window", "yellow"),
)
MARKER = {"type": "ephemeral"}


class Sent(NamedTuple):
    """One request."""

    at: float
    session: str
    request: dict[str, Any]


def text(chance: random.Random, words: int) -> str:
    return " ".join(chance.choices(WORDS, k=words))


def tools(chance: random.Random, number: int) -> list[dict[str, Any]]:
    schema = {"type": "object", "properties": {"name": {"type": "string"}}}
    return [
        {
            "type": "function",
            "function": {"name": f"tool_{one}", "description": text(chance, 60), "parameters": schema},
        }
        for one in range(number)
    ]


def agent(
    name: str, start: float, pauses: list[float], *, models: tuple[str, ...] = (SONNET,), clock: bool = False
) -> Iterator[Sent]:
    """A session that calls a tool in each turn, and marks its system prompt and its last message."""
    # All agents are one program: they have the same tools and, but for the clock, the same prompt.
    shared = random.Random("agent")  # noqa: S311, words
    given, prompt = tools(shared, 4), text(shared, 700)
    chance = random.Random(name)  # noqa: S311, words
    talk: list[dict[str, Any]] = [{"role": "user", "content": text(chance, 60)}]
    at = start
    for turn in range(len(pauses) + 1):
        said = f"{prompt} It is 09:{turn:02}." if clock else prompt
        system = {"role": "system", "content": [{"type": "text", "text": said, "cache_control": MARKER}]}
        last = {
            **talk[-1],
            "content": [{"type": "text", "text": talk[-1]["content"], "cache_control": MARKER}],
        }
        model = models[turn * len(models) // (len(pauses) + 1)]
        yield Sent(at, name, {"model": model, "tools": given, "messages": [system, *talk[:-1], last]})
        call = {
            "id": f"call_{turn}",
            "type": "function",
            "function": {"name": f"tool_{turn % 4}", "arguments": "{}"},
        }
        talk.append({"role": "assistant", "content": None, "tool_calls": [call]})
        talk.append({"role": "tool", "tool_call_id": call["id"], "content": text(chance, 120)})
        talk.append({"role": "assistant", "content": text(chance, 20)})
        talk.append({"role": "user", "content": text(chance, 20)})
        at += pauses[turn] if turn < len(pauses) else 0


def chat(name: str, start: float, pauses: list[float]) -> Iterator[Sent]:
    """A session of a person who asks, without any marker."""
    chance = random.Random(name)  # noqa: S311, words
    messages: list[dict[str, Any]] = [{"role": "system", "content": text(chance, 900)}]
    at = start
    for pause in (*pauses, 0.0):
        messages.append({"role": "user", "content": text(chance, 50)})
        yield Sent(at, name, {"model": SONNET, "messages": list(messages)})
        messages.append({"role": "assistant", "content": text(chance, 150)})
        at += pause


def sent() -> list[Sent]:
    """All requests, in the order of their start."""
    sessions = (
        agent("agent-1", START, [12.0, 9.0, 15.0, 20.0, 8.0, 11.0]),
        agent("agent-2", START + 400, [14.0, 10.0, 1_200.0, 13.0, 900.0, 16.0]),
        agent("agent-3", START + 700, [10.0, 18.0, 12.0, 9.0], clock=True),
        agent("agent-4", START + 1_000, [15.0, 11.0, 13.0, 17.0, 10.0], models=(SONNET, OPUS)),
        chat("chat-1", START + 1_300, [45.0, 80.0, 70.0, 150.0, 60.0]),
    )
    return sorted((one for session in sessions for one in session), key=lambda one: one.at)


def answers(engine: Engine) -> Iterator[tuple[Sent, Plan, dict[str, Any]]]:
    """All requests as an engine plans them, each with the usage that the model of the cache bills."""
    caches = {}
    for one in sent():
        plan = engine.plan(one.request)
        prompt = read(plan.request, plan.route)
        cache = caches.setdefault(plan.route.model, CacheModel(plan.route.marked))
        found = cache.plan(prompt, one.at)
        cache.commit(found, one.at + 2)
        billed = found.outcome
        written = {
            "ephemeral_5m_input_tokens": billed.write_5m,
            "ephemeral_1h_input_tokens": billed.write_1h,
        }
        yield (
            one,
            plan,
            {
                "input_tokens": billed.uncached,
                "cache_read_input_tokens": billed.read,
                "cache_creation": written,
                "output_tokens": 120,
            },
        )


def write(path: Path) -> None:
    """Record them."""
    path.unlink(missing_ok=True)
    with TraceRecorder(path) as recorder:
        for one, plan, usage in answers(Engine.from_text(POLICY)):
            account = account_of(plan, CacheUsage.from_response(usage), "warm")
            recorder.record(one.request, usage=usage, session=one.session, policy=account.line(), ts=one.at)


if __name__ == "__main__":
    write(Path(sys.argv[1]) if sys.argv[1:] else TRACE)
