"""A small router: a choice among deployments that knows where a conversation is warm, and a fallback.

It runs as it is, without a key: `python examples/router.py` sends everything to an emulator on
loopback. To reach real providers, take `api_base`, `api_key` and `mock_response` out of DEPLOYMENTS.
"""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # no look-up on import

import litellm

from policy_cache import Engine
from policy_cache.emulator import create_app, serve
from policy_cache.usage.usage import CacheUsage
from policy_cache.warmth import Warmth, prefer

DEPLOYMENTS: dict[str, dict[str, Any]] = {
    "sonnet": {"model": "anthropic/claude-sonnet-4-5", "api_key": "any"},
    "haiku": {"model": "anthropic/claude-haiku-4-5", "api_key": "any"},
    "cheap": {"model": "openai/gpt-4.1-mini", "mock_response": "The cheap model takes over."},
}
# What is good enough, best first: the router's own choice.
CHOICES = {"smart": ["sonnet", "cheap"], "any": ["haiku", "sonnet", "cheap"]}

engine = Engine.default()
warmth = Warmth(engine)


def ordered(alias: str, request: dict[str, Any]) -> list[str]:
    """The deployments to try in turn: first the cheapest for this request, now, and the turns to come."""
    names = CHOICES[alias]
    quotes = warmth.quote(request, [{"litellm_params": DEPLOYMENTS[name]} for name in names[:-1]])
    best = prefer(quotes, max_premium=0.1)
    return names if best is None else sorted(names, key=lambda name: name != names[quotes.index(best)])


async def complete(alias: str, request: dict[str, Any]) -> tuple[str, litellm.ModelResponse]:
    """Ask a deployment, and the ones behind it while the provider fails."""
    failure: Exception | None = None
    for name in ordered(alias, request):
        # Rewritten for each attempt: what one provider caches, the next may refuse.
        params = {**request, **DEPLOYMENTS[name]}
        try:
            response = await litellm.acompletion(**engine.rewrite(params))
        except (litellm.APIConnectionError, litellm.InternalServerError, litellm.RateLimitError) as error:
            failure = error
        else:
            warmth.answered(engine.plan(params), CacheUsage.from_response(response))
            return name, response
    assert failure is not None
    raise failure


async def main() -> None:
    request = json.loads((Path(__file__).parent / "requests" / "agent.json").read_text("utf-8"))
    with serve(create_app()) as address:
        DEPLOYMENTS["sonnet"]["api_base"] = DEPLOYMENTS["haiku"]["api_base"] = address
        for turn, alias in enumerate(("smart", "smart", "any"), 1):
            name, response = await complete(alias, request)
            request["messages"] += [response.choices[0].message, {"role": "user", "content": "Go on."}]
            usage = response.usage
            read, total = usage.prompt_tokens_details.cached_tokens, usage.prompt_tokens
            print(f"turn {turn}, {alias}: {name} took {total:,} tokens, {read:,} read from the cache")
        await litellm.close_litellm_async_clients()


if __name__ == "__main__":
    asyncio.run(main())
