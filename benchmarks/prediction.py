"""`python -m benchmarks.prediction`: what litellm's own prediction says of a cache, and what `Warmth` does.

On its home ground: bodies of Anthropic's Messages API, as they would be sent, answered by the emulator.
litellm is asked by its own functions, with what its callback would have observed of the first request.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, NamedTuple

import httpx
from litellm.caching.dual_cache import DualCache
from litellm.llms.anthropic import prompt_cache_prediction as theirs
from litellm.types.utils import ModelResponse, Usage
from starlette.testclient import TestClient

from policy_cache import Engine
from policy_cache.emulator import create_app
from policy_cache.usage.usage import CacheUsage
from policy_cache.warmth import Warmth

LONG = "word " * 3_000
MODEL = "claude-sonnet-4-5-20250929"
DEPLOYMENT = "deployment"


class Clock:
    """Time that is set."""

    now = 1_000.0

    def __call__(self) -> float:
        """The time."""
        return self.now


class Case(NamedTuple):
    """A first request, and the one that is asked about.

    Attributes:
        name: What the case is.
        first: The body that was sent; None for none.
        later: The body that is asked about.
        pause: Seconds between the two.
        key: The API key of the second one.
    """

    name: str
    first: dict[str, Any] | None
    later: dict[str, Any]
    pause: float = 10.0
    key: str = "key"


def text(said: str, **more: Any) -> dict[str, Any]:
    """A text block."""
    return {"type": "text", "text": said, **more}


def body(*turns: object, system: object = LONG, **more: Any) -> dict[str, Any]:
    """A body; the user and the assistant in turn."""
    roles = ["user", "assistant"] * len(turns)
    messages = [{"role": role, "content": said} for role, said in zip(roles, turns, strict=False)]
    return {"model": MODEL, "max_tokens": 16, "system": system, "messages": messages, **more}


def marked(said: str, ttl: str | None = None) -> list[dict[str, Any]]:
    """A turn of one marked text."""
    return [text(said, cache_control={"type": "ephemeral"} | ({"ttl": ttl} if ttl else {}))]


ONE, HOUR = body(marked(LONG), "a", "r"), body(marked(LONG, "1h"), "a", "r")
IN_SYSTEM, IN_BOTH = body("q", system=marked(LONG)), body(marked(LONG), "a", "r", system=marked(LONG))
PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
CASES = [
    Case("nothing was sent", None, ONE),
    Case("one marker, the same again", ONE, ONE),
    Case("one marker, after six minutes", ONE, ONE, 360),
    Case("one marker for an hour, after six minutes", HOUR, HOUR, 360),
    Case("one marker, another key", ONE, ONE, key="other"),
    Case("one marker, another system prompt", ONE, body(marked(LONG), "a", "r", system="x" + LONG)),
    Case("one marker, moved on by a turn", body(marked(LONG)), body(LONG, "a", marked("r"))),
    Case("a marker in the system prompt", IN_SYSTEM, IN_SYSTEM),
    Case("two markers", IN_BOTH, IN_BOTH),
    Case("no marker", body(LONG), body(LONG)),
    Case("an image behind the marker", ONE, body(marked(LONG), "a", [PICTURE])),
]


def ask(case: Case, engine: Engine) -> tuple[str, str, str]:
    """What litellm says, what `Warmth` does, and what the provider then does."""
    clock = Clock()
    warmth = Warmth(engine, clock=clock)
    cache = DualCache()
    with TestClient(create_app(clock=clock)) as provider:

        def send(given: dict[str, Any], key: str) -> tuple[dict[str, Any], CacheUsage]:
            sent = engine.rewrite(given)
            answer = provider.post("/v1/messages", json=sent, headers={"x-api-key": key}).json()
            return sent, CacheUsage.from_response(answer) or CacheUsage()

        if case.first is not None:
            sent, usage = send(case.first, "key")
            asyncio.run(_observe(cache, sent, usage, clock.now))
            warmth.answered(engine.plan({**case.first, "api_key": "key"}), usage)
        clock.now += case.pause
        said = asyncio.run(_predicted(cache, engine.rewrite(case.later), case.key, clock.now))
        [quote] = warmth.quote({**case.later, "api_key": case.key}, [MODEL])
        ours = f"{'warm' if quote.is_warm else 'cold'}, {quote.tokens.read:,} read"
        _, usage = send(case.later, case.key)
    return said, ours, f"{usage.read:,} read"


async def _observe(cache: DualCache, sent: dict[str, Any], usage: CacheUsage, now: float) -> None:
    """What litellm's callback keeps of an answer."""
    headers = {"x-api-key": "key", "anthropic-version": "2023-06-01", "content-type": "application/json"}
    wire = httpx.Request(
        "POST", "https://api.anthropic.com/v1/messages", headers=headers, content=json.dumps(sent)
    )
    del wire.headers["host"]
    details = {
        "cached_tokens": usage.read,
        "cache_creation_tokens": usage.written,
        "cache_creation_token_details": {
            "ephemeral_5m_input_tokens": usage.write_5m,
            "ephemeral_1h_input_tokens": usage.write_1h,
        },
    }
    answer = ModelResponse(model=MODEL)
    answer.usage = Usage(prompt_tokens=usage.prompt, completion_tokens=1, prompt_tokens_details=details)  # type: ignore[attr-defined]
    observed = theirs.parse_observed_cache(wire, answer, "caller", DEPLOYMENT)
    if observed is None:
        return
    kept = theirs.CacheObservation(
        fingerprint=observed.prefix.fingerprint,
        cached_tokens=observed.cached_tokens,
        observed_at=now,
        expires_at=now + observed.prefix.ttl_seconds,
    )
    key = theirs._cache_key(observed.scope, kept.fingerprint)  # noqa: SLF001, it has no other way in
    await cache.async_set_cache(key, kept.model_dump_json())


async def _predicted(cache: DualCache, sent: dict[str, Any], key: str, now: float) -> str:
    prefix = theirs.parse_prompt(sent)
    if prefix is None:
        return "abstains"
    found = await theirs.lookup(cache, theirs.cache_scope("caller", DEPLOYMENT, key, MODEL), prefix, now=now)
    if found is None:
        return "cold"
    return f"warm, {found.cached_tokens:,} read" if found.expires_at > now else "cold"


def main() -> None:
    asked = "litellm", "policy-cache", "the provider"
    print(f"| case | {' | '.join([*asked, *(f'{name}, with the default policy' for name in asked)])} |")
    print("|---|---|---|---|---|---|---|")
    for case in CASES:
        cells = [*ask(case, Engine.passing()), *ask(case, Engine.default())]
        print(f"| {case.name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
