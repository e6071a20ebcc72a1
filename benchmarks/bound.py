"""`python -m benchmarks.bound`: how far the optimum is below the best placement of four real breakpoints.

Small generated conversations, of up to 19 blocks behind tools and system prompt, with exponential pauses: one
alone, and three at once that share the first 6,000 tokens. The best placement is searched for among all.
"""

from __future__ import annotations

import random
import statistics
from decimal import Decimal

from benchmarks.mixes import MEANS
from policy_cache.forecast.optimum import Optimum
from policy_cache.providers.prices import claude_prices
from tests.cache.prompts import block, explicit_rules, prompt
from tests.forecast.placements import cheapest

SEEDS = range(8)
KINDS = {"one": (1, 6), "three at once": (3, 4)}
_APART = 60.0
_SHARED = 6_000


def sent(conversations: int, requests: int, mean: float, seed: int):
    """Prompts, and when each of them starts."""
    chance = random.Random(seed)  # noqa: S311, traffic
    prompts = []
    for number in range(conversations):
        at = number * _APART
        blocks = [block("tools", _SHARED // 2), block("system", _SHARED // 2)]
        for turn in range(requests):
            blocks += [
                block(f"{number} {turn} {part}", chance.randint(50, 1_500))
                for part in range(chance.randint(1, 3))
            ]
            prompts.append((prompt(*blocks), at))
            at += chance.expovariate(1 / mean)
    return sorted(prompts, key=lambda known: known[1])


def gap(prompts, read: str) -> float:
    """The best placement's cost, over the optimum."""
    rules = explicit_rules()
    prices = claude_prices(Decimal(1), Decimal(0), read=Decimal(read))
    optimum = Optimum(rules)
    for plain, at in prompts:
        optimum.add(plain, at, prices)
    assert optimum.total
    return float(cheapest(prompts, prices, rules)[0] / optimum.total)


def main() -> None:
    print(f"| conversations | read price | {' | '.join(MEANS)} |")
    print(f"|---|---|{'---:|' * len(MEANS)}")
    for kind, (conversations, requests) in KINDS.items():
        for read in ("0.1", "0.025"):
            cells = []
            for mean in MEANS.values():
                gaps = [gap(sent(conversations, requests, mean, seed), read) for seed in SEEDS]
                cells.append(f"{statistics.mean(gaps):.3f}, at most {max(gaps):.3f}")
            print(f"| {kind} | {read} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
