"""The demo: one conversation through litellm, without a policy and with one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from policy_cache.cache.cost import cost
from policy_cache.cache.explicit import CacheOutcome
from policy_cache.demo.client import Send, check_installed, client
from policy_cache.demo.conversation import MODEL, reply, requests
from policy_cache.demo.result import Comparison, DemoResult, Usage
from policy_cache.demo.step import Step, silent
from policy_cache.live.engine import Engine
from policy_cache.providers.prices import list_prices

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from policy_cache.demo.step import Tell


def run_demo(engine: Engine | None = None, *, tell: Tell = silent) -> DemoResult:
    """Send a conversation of eight requests to the emulator, without the policy and with it.

    Args:
        engine: The policy to show; the packaged default policy without one.
        tell: Told what is being done: at the start of each step, and after each of its parts.

    Raises:
        DemoError: litellm or the emulator is not installed.
    """
    check_installed()
    tell(Step("starting a provider on this machine"))
    from policy_cache.emulator import create_app, serve  # noqa: PLC0415, needs the extra

    engine = engine or Engine.default()
    conversation = list(requests())
    with serve(create_app(reply=reply)) as address:
        tell(Step("importing litellm, which takes some seconds"))
        with client(address) as send:
            # Two keys are two workspaces, and no cache is shared between them.
            without = _send_all(send, conversation, "without", tell)
            rewritten = _send_all(send, list(map(engine.rewrite, conversation)), "with", tell)
    return DemoResult(
        tuple(map(Comparison, without, rewritten)),
        engine.plan(conversation[0]),
    )


def _send_all(send: Send, conversation: Sequence[Mapping[str, Any]], how: str, tell: Tell) -> list[Usage]:
    step = Step(f"sending {len(conversation)} requests {how} the policy", 0, len(conversation))
    tell(step)
    used = []
    for number, request in enumerate(conversation, 1):
        used.append(_usage(send(request, f"demo-{how}").usage))
        tell(step._replace(done=number))
    return used


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
