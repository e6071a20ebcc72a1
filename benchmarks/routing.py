"""`python -m benchmarks.routing`: 200 conversations through a real Router of four deployments.

Each deployment has an emulator of its own behind it, whose cache no other shares. The third one fails for
the middle third of the requests. Printed: how many turns read their conversation, and the load.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

import litellm
from starlette.responses import JSONResponse

from policy_cache import Engine
from policy_cache.emulator import create_app, serve
from policy_cache.integrations.litellm import PolicyCacheHandler, PreferWarm
from policy_cache.usage.usage import CacheUsage
from policy_cache.warmth import Warmth

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import Receive, Scope, Send

SYSTEM = "You look after one shop, and say no more than you must. " * 200


class Deployment:
    """An emulator that can be away."""

    def __init__(self) -> None:
        self.app = create_app()
        self.away = False
        self.requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self.away:
            error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
            await JSONResponse(error, status_code=503)(scope, receive, send)
            return
        self.requests += 1
        await self.app(scope, receive, send)


class Outcome(NamedTuple):
    """What became of the traffic.

    Attributes:
        later: Requests of conversations that were marked before: from their third turn on.
        warm: Those of them that read some of it.
        lost: Requests that failed.
        load: Requests by deployment.
        read: Tokens that were read, and all tokens of all prompts.
    """

    later: int
    warm: int
    lost: int
    load: list[int]
    read: tuple[int, int]


def order(conversations: int, seed: int) -> Iterator[int]:
    """Which conversation speaks next: some ten at a time, three to nine turns each."""
    chance = random.Random(seed)  # noqa: S311, traffic
    waiting = iter(range(conversations))
    left: Counter[int] = Counter()
    while True:
        while len(left) < 10 and (number := next(waiting, None)) is not None:
            left[number] = chance.randint(3, 9)
        if not left:
            return
        number = chance.choice(sorted(left))
        left[number] -= 1
        if not left[number]:
            del left[number]
        yield number


def run(conversations: int = 200, *, keeps: bool, fails: bool = True, seed: int = 1) -> Outcome:
    """Send the traffic; `keeps`: with `PreferWarm` beside the handler; `fails`: the third deployment does."""
    engine = Engine.default()
    warmth = Warmth(engine)
    litellm.callbacks = [PolicyCacheHandler(engine, warmth=warmth), *([PreferWarm(warmth)] if keeps else [])]
    deployments = [Deployment() for _ in range(4)]
    with ExitStack() as served:
        addresses = [served.enter_context(serve(deployment)) for deployment in deployments]
        router = litellm.Router(
            model_list=[
                {
                    "model_name": "claude",
                    "litellm_params": {
                        "model": "anthropic/claude-sonnet-4-5",
                        "api_base": address,
                        "api_key": "key",
                        "max_retries": 0,
                    },
                    "model_info": {"id": str(number)},
                }
                for number, address in enumerate(addresses)
            ],
            num_retries=3,
            retry_after=0,
            cooldown_time=1,
        )
        speakers = list(order(conversations, seed))
        away = range(len(speakers) // 3, 2 * len(speakers) // 3) if fails else range(0)
        return asyncio.run(_send(router, deployments, speakers, away))


async def _send(
    router: litellm.Router, deployments: list[Deployment], speakers: list[int], away: range
) -> Outcome:
    told: dict[int, list[dict[str, object]]] = {}
    later = warm = lost = read = size = 0
    for number, speaker in enumerate(speakers):
        deployments[2].away = number in away
        messages = told.setdefault(speaker, [{"role": "system", "content": SYSTEM}])
        messages.append({"role": "user", "content": f"Question {number} of customer {speaker}. " * 60})
        goes_on = len(messages) > 4
        try:
            answer = await router.acompletion(model="claude", messages=list(messages), max_tokens=16)
        except Exception:  # noqa: BLE001, counted
            lost += 1
            messages.pop()
            continue
        finally:
            await asyncio.sleep(0)
        usage = CacheUsage.from_response(answer) or CacheUsage()
        read, size = read + usage.read, size + usage.prompt
        messages.append({"role": "assistant", "content": "Noted. " * 40})
        if goes_on:
            later += 1
            warm += usage.read > len(SYSTEM) / 3.5 + 100
        await settled()
    await litellm.close_litellm_async_clients()
    return Outcome(later, warm, lost, [deployment.requests for deployment in deployments], (read, size))


async def settled() -> None:
    """litellm tells callbacks of an answer behind the caller's back."""
    from litellm.litellm_core_utils.logging_worker import GLOBAL_LOGGING_WORKER

    await GLOBAL_LOGGING_WORKER.flush()


def main() -> None:
    litellm.suppress_debug_info = True
    for keeps in (False, True):
        later, warm, lost, load, (read, size) = run(keeps=keeps)
        name = "with PreferWarm" if keeps else "without"
        print(
            f"{name}: {warm:,} of {later:,} later turns read their conversation ({warm / later:.0%}), "
            f"{read / size:.0%} of all tokens were read; {lost} requests lost; load {load}"
        )


if __name__ == "__main__":
    main()
