"""`python -m benchmarks.learning`: what `ttl: auto` costs a request, and what learning takes."""

from __future__ import annotations

import gc
import random
import time
import tracemalloc
from itertools import count
from typing import TYPE_CHECKING

from benchmarks.measure import ratio, side_by_side, timing
from benchmarks.request import agent_request
from policy_cache import Engine
from policy_cache.lifetimes import Lifetimes
from policy_cache.packaged import packaged
from policy_cache.request.prompt import Prompt

if TYPE_CHECKING:
    from policy_cache.providers.resolve import Route

TIMED, WEIGHED = 1_000_000, 100_000
APART = 0.05


numbers, clock = count(), count()


def learned(lifetimes: Lifetimes, route: Route, requests: int) -> float:
    """Learn from requests of conversations that come and go; the seconds that took."""
    chance = random.Random(1)  # noqa: S311, traffic
    names = [f"conversation {next(numbers)}" for _ in range(5_000)]
    spent = 0.0
    for _ in range(requests):
        place = chance.randrange(len(names))
        if chance.random() < 0.05:
            names[place] = f"conversation {next(numbers)}"
        messages = [{"role": "user", "content": names[place]}]
        prompt = Prompt({"system": f"kind {place % 50}", "messages": messages}, "messages")
        started = time.perf_counter()
        lifetimes.learn(prompt, route, (), at=next(clock) * APART, read=1, written=1)
        spent += time.perf_counter() - started
    return spent


def main() -> None:
    """Print the figures."""
    text = packaged("policies", "default.yaml").read_text(encoding="utf-8")
    auto, fixed = Engine.from_text(text), Engine.from_text(text.replace("{ttl: auto}", "{}"))
    request = agent_request()
    timings = side_by_side(
        {"auto": lambda: auto.rewrite(request), "five minutes": lambda: fixed.rewrite(request)}
    )
    for name, rounds in timings.items():
        print(f"rewrite, {name:14}{timing(rounds).best:8.1f} us at best, {timing(rounds).median:.1f} median")
    print(f"auto / five minutes   {ratio(timings, 'auto', 'five minutes'):8.2f}  (aim: at most 1.3)")
    route = auto.route(request)
    spent = learned(Lifetimes(clock=lambda: 0.0), route, TIMED)
    print(f"learning a request    {spent / TIMED * 1e6:8.1f} us, over {TIMED:,}  (aim: under 20)")
    tracemalloc.start()
    lifetimes, sizes = Lifetimes(clock=lambda: 0.0), []
    for _ in range(3):
        learned(lifetimes, route, WEIGHED)
        gc.collect()
        sizes.append(f"{tracemalloc.get_traced_memory()[0] / 1e6:.1f} MB")
    print(f"memory after {WEIGHED:,} requests, and each time so many more: {', '.join(sizes)}")


if __name__ == "__main__":
    main()
