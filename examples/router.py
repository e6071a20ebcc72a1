"""A small router: two aliases, a fallback, and prompt caching decided by a policy.

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

DEPLOYMENTS: dict[str, dict[str, Any]] = {
    "smart": {"model": "anthropic/claude-sonnet-4-5", "api_key": "any"},
    "cheap": {"model": "openai/gpt-4.1-mini", "mock_response": "The cheap model takes over."},
}
FALLBACKS = {"smart": ["cheap"]}

engine = Engine.default()


async def complete(alias: str, request: dict[str, Any]) -> litellm.ModelResponse:
    """Ask a deployment, and the ones behind it while the provider fails."""
    failure: Exception | None = None
    for name in (alias, *FALLBACKS.get(alias, ())):
        # Rewritten for each attempt: what one provider caches, the next may refuse.
        params = {**request, **DEPLOYMENTS[name]}
        try:
            response = await litellm.acompletion(**engine.rewrite(params))
        except (litellm.APIConnectionError, litellm.InternalServerError, litellm.RateLimitError) as error:
            failure = error
        else:
            return response
    assert failure is not None
    raise failure


async def main() -> None:
    request = json.loads((Path(__file__).parent / "requests" / "agent.json").read_text("utf-8"))
    with serve(create_app()) as address:
        DEPLOYMENTS["smart"]["api_base"] = address
        for turn in range(1, 4):
            response = await complete("smart", request)
            request["messages"] += [response.choices[0].message, {"role": "user", "content": "Go on."}]
            usage = response.usage
            read, total = usage.prompt_tokens_details.cached_tokens, usage.prompt_tokens
            print(f"turn {turn}: {total:,} tokens, {read:,} read from the cache")
        await litellm.close_litellm_async_clients()


if __name__ == "__main__":
    asyncio.run(main())
