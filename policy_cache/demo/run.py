"""The demo: one conversation through litellm, without a policy and with one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from policy_cache.cache.cost import cost
from policy_cache.cache.explicit import CacheOutcome
from policy_cache.demo.client import Send, check_installed, client
from policy_cache.demo.conversation import MODEL, reply, requests
from policy_cache.demo.result import Comparison, DemoResult, Usage
from policy_cache.live.engine import Engine
from policy_cache.providers.prices import list_prices

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def run_demo(engine: Engine | None = None) -> DemoResult:
    """Send a conversation of eight requests to the emulator, without the policy and with it.

    Args:
        engine: The policy to show; the packaged default policy without one.

    Raises:
        DemoError: litellm or the emulator is not installed.
    """
    check_installed()
    from policy_cache.emulator import create_app, serve  # noqa: PLC0415, needs the extra

    engine = engine or Engine.default()
    conversation = list(requests())
    with serve(create_app(reply=reply)) as address, client(address) as send:
        # Two keys are two workspaces, and no cache is shared between them.
        without = _send_all(send, conversation, "demo-without")
        rewritten = _send_all(send, map(engine.rewrite, conversation), "demo-with")
    return DemoResult(
        tuple(map(Comparison, without, rewritten)),
        engine.plan(conversation[0]),
    )


def _send_all(send: Send, conversation: Iterable[Mapping[str, Any]], key: str) -> list[Usage]:
    return [_usage(send(request, key).usage) for request in conversation]


def _usage(usage: Any) -> Usage:  # noqa: ANN401, litellm's `Usage`
    details = usage.prompt_tokens_details
    read = details.cached_tokens or 0
    written = details.cache_creation_tokens or 0
    by_ttl = details.cache_creation_token_details
    write_1h = (by_ttl.ephemeral_1h_input_tokens or 0) if by_ttl else 0
    prompt = CacheOutcome(
        read=read,
        write_5m=written - write_1h,
        write_1h=write_1h,
        # litellm counts what was read and written among the prompt's tokens.
        uncached=usage.prompt_tokens - read - written,
    )
    prices = list_prices(MODEL)
    assert prices is not None
    paid = cost(prompt, prices.for_prompt(prompt.total), usage.completion_tokens)
    assert paid is not None
    return Usage(prompt, usage.completion_tokens, paid)
