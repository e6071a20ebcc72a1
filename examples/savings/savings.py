"""What caching saves an agent, from the simulator and from real litellm against the emulator.

`python examples/savings/savings.py` needs no key and no network. An agent sends eight requests of some
56,000 tokens, each with one turn more than the last: first without caching, then with the default policy.
"""

import os
import sys

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # no look-up on import

from policy_cache import Engine
from policy_cache.cache.explicit import CacheOutcome
from policy_cache.demo import DemoResult, run_demo
from policy_cache.demo.conversation import requests
from policy_cache.forecast.replay import Replay
from policy_cache.trace.record import TraceRecord

SECONDS_APART = 20.0


def simulated() -> list[CacheOutcome]:
    """What the simulator says of each request."""
    replay = Replay([Engine.default()], by=lambda record: record.where)
    for number, request in enumerate(requests()):
        replay.add(TraceRecord(f"{number}", number * SECONDS_APART, request, None, 0.0, "", "agent"))
    [column] = replay.finish().policies
    return [totals.tokens for totals in column.groups.values()]


def equivalent(outcome: CacheOutcome) -> float:
    """The tokens that had to be processed: all that is new, and a tenth of what was read."""
    return outcome.uncached + outcome.write_5m + outcome.write_1h + outcome.read / 10


def main() -> None:
    """Print the table, and whether both agree."""
    measured: DemoResult = run_demo()
    said = simulated()
    print(
        f"{'request':>7} {'tokens':>8} {'written':>8} {'read':>8} {'uncached':>9} {'without':>9} {'with':>9}"
    )
    for number, (one, outcome) in enumerate(zip(measured.requests, said, strict=True), 1):
        used = one.rewritten
        if used.prompt != outcome:
            sys.exit(f"request {number}: litellm against the emulator: {used.prompt}; simulated: {outcome}")
        print(
            f"{number:>7} {outcome.total:>8,} {outcome.write_5m:>8,} {outcome.read:>8,} "
            f"{outcome.uncached:>9,} {f'${one.without.cost:.4f}':>9} {f'${used.cost:.4f}':>9}"
        )
    total = measured.total
    payload = 1 - equivalent(total.rewritten.prompt) / total.without.prompt.total
    print(f"\nwithout caching   ${total.without.cost:.2f}")
    print(f"with the policy   ${total.rewritten.cost:.2f}")
    print(
        f"saved             {measured.saving:.0%}; in payload, a read being a tenth of a token: {payload:.0%}"
    )
    print("the simulator, and litellm against the emulator, agree to the token")


if __name__ == "__main__":
    main()
