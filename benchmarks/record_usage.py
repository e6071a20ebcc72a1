"""`python -m benchmarks.record_usage [FOLDER]`: what providers report of a fixed set of 40 small requests.

For whoever has keys: each provider whose key is in the environment is asked, by a model that caches from a
thousand tokens on or so, and the requests are written with their usage to `FOLDER/PROVIDER.jsonl`, for
`python -m benchmarks.recorded`. A provider costs less than $1: 40 prompts of up to 3,000 tokens, and replies
of 16. Without a key nothing runs.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from policy_cache import TraceRecorder

if TYPE_CHECKING:
    from collections.abc import Iterator

MODELS = {
    "ANTHROPIC_API_KEY": "anthropic/claude-sonnet-4-5",
    "OPENAI_API_KEY": "openai/gpt-4o-mini",
    "GEMINI_API_KEY": "gemini/gemini-2.5-flash",
    "DEEPSEEK_API_KEY": "deepseek/deepseek-chat",
    "XAI_API_KEY": "xai/grok-3-mini",
    "MISTRAL_API_KEY": "mistral/mistral-small-latest",
    "COHERE_API_KEY": "cohere_chat/command-r-08-2024",
}
"""By the variable that has the key."""

WORDS = "the build failed because a test expects the old name of the function and nobody renamed it "
_TOOL = {
    "type": "function",
    "function": {
        "name": "look_up",
        "description": WORDS * 20,
        "parameters": {"type": "object", "properties": {"name": {"type": "string", "description": WORDS}}},
    },
}
_JSON = '{"name": "look_up", "lines": [12, 40, 71], "ok": false} '


def requests(model: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each request with its session: marked, for an hour, unmarked, near minimums, with tools, and so on."""
    yield from _talk("marked", model, 6, WORDS * 110, ttl="5m")
    yield from _talk("an hour", model, 4, WORDS * 115, ttl="1h")
    yield from _talk("unmarked", model, 6, WORDS * 120)
    for size in (55, 62, 120, 125):  # near a thousand tokens, and near two
        for session, request in _talk(f"{size} sentences", model, 2, WORDS * size, ttl="5m"):
            yield session, {**request, "messages": request["messages"][:2]}
    yield from _talk("tools", model, 6, WORDS * 100, ttl="5m", tools=[_TOOL])
    yield from _talk("other letters", model, 4, "Größe, Straße, 東京, Δοκιμή, проверка. " * 90, ttl="5m")
    yield from _talk("data", model, 6, _JSON * 130, ttl="5m")


def _talk(
    session: str, model: str, turns: int, system: str, ttl: str = "", **more: object
) -> Iterator[tuple[str, dict[str, Any]]]:
    block: dict[str, Any] = {"type": "text", "text": f"{session}. {system}"}
    if ttl:
        block["cache_control"] = {"type": "ephemeral", "ttl": ttl}
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": [block]},
        {"role": "user", "content": "Go."},
    ]
    for turn in range(turns):
        yield session, {"model": model, "messages": list(messages), "max_tokens": 16, **more}
        messages += [
            {"role": "assistant", "content": f"{turn} {WORDS}"},
            {"role": "user", "content": f"{turn} {WORDS * 3}"},
        ]


def record(model: str, path: Path, **where: object) -> int:
    """Send them one after the other, and write each with its usage; how many were answered."""
    import litellm

    answered = 0
    with TraceRecorder(path) as recorder:
        for session, request in requests(model):
            try:
                response = litellm.completion(**request, **where)
            except Exception as error:  # noqa: BLE001, the others are worth having
                print(f"{model}, {session}: {type(error).__name__}")
                continue
            recorder.record(request, response=response, scope=model, session=session)
            answered += 1
    return answered


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "usage")
    asked = [(name, model) for name, model in MODELS.items() if os.environ.get(name)]
    if not asked:
        print(f"no key: set one of {', '.join(MODELS)}")
        return
    folder.mkdir(exist_ok=True)
    for name, model in asked:
        path = folder / f"{name.removesuffix('_API_KEY').lower()}.jsonl"
        print(f"{model}: {record(model, path)} of 40 answered, in {path}")


if __name__ == "__main__":
    main()
