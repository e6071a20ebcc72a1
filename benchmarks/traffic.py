"""`python -m benchmarks.traffic`: what routers pay for generated mixed traffic, beside the optimum.

Conversations of one agent, with tools and a system prompt of some 6,000 tokens, go on by turns: within one,
tool results come after 3 to 20 seconds; between two, a person thinks for a time that is log-normal, with a
sigma of 1.5. Each turn has a difficulty that no router knows before it comes, and takes a model that is
good enough: any of the three in 6 of 10, one of the two better in 3, the best in 1. Prices are those of
litellm's map. Replies have 300 tokens. Seeded: two runs print the same.

The optimum knows all turns to come. It is a bound from below: it takes tools and system prompt to be warm
everywhere, and breakpoints to be found however far they are behind.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import NamedTuple

from policy_cache import Engine
from policy_cache.providers.price_map import prices_of
from policy_cache.warmth import Quote, Warmth, prefer

MODELS = ("anthropic/claude-haiku-4-5", "openai/gpt-5.6", "anthropic/claude-opus-4-8")
"""From the weakest to the best."""

LIVES = (300.0, 1_800.0, 300.0)
REPLY = 300
MEANS = {"15 s": 15.0, "2 min": 120.0, "7 min": 420.0, "15 min": 900.0}
_SIGMA = 1.5
_WORD = "word "
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": f"tool_{number}",
            "description": f"{number} " + _WORD * 280,
            "parameters": {"type": "object", "properties": {}},
        },
    }
    for number in range(8)
]
SYSTEM = {"role": "system", "content": "You are an agent. " + _WORD * 1_600}


class Sent(NamedTuple):
    """One request of the traffic."""

    at: float
    conversation: int
    messages: list[dict[str, object]]
    least: int


def traffic(mean: float, *, conversations: int = 150, seed: int = 1) -> list[Sent]:
    """Requests in the order of their start; `mean` is that of a person's pauses, in seconds."""
    chance = random.Random(seed)  # noqa: S311, traffic
    median = math.log(mean) - _SIGMA**2 / 2
    sent: list[Sent] = []
    start = 0.0
    for number in range(conversations):
        start += chance.expovariate(1 / 60)
        at = start
        messages = [SYSTEM, {"role": "user", "content": f"Task {number}. " + _WORD * chance.randint(50, 800)}]
        for _ in range(1 + min(11, int(chance.expovariate(1 / 4)))):
            least = chance.choices((0, 1, 2), (6, 3, 1))[0]
            for _ in range(chance.randint(1, 5)):
                sent.append(Sent(at, number, list(messages), least))
                call = {"id": f"c{len(messages)}", "type": "function"}
                call["function"] = {"name": "tool_1", "arguments": "{}"}
                messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
                content = f"{len(messages)} " + _WORD * chance.randint(50, 1_500)
                messages.append({"role": "tool", "tool_call_id": call["id"], "content": content})
                at += chance.uniform(3, 20)
            messages.append({"role": "user", "content": _WORD * chance.randint(10, 100)})
            at += chance.lognormvariate(median, _SIGMA)
    return sorted(sent, key=lambda request: request.at)


class _Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Router:
    """One way to choose."""

    name: str
    engine: Engine
    cost: Decimal = Decimal(0)
    clock: _Clock = field(default_factory=_Clock)
    last: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.warmth = Warmth(self.engine, clock=self.clock)
        self.chance = random.Random(7)  # noqa: S311, traffic

    def send(self, sent: Sent) -> list[Quote]:
        """Choose, pay, and remember what is warm."""
        self.clock.now = sent.at
        request: dict[str, object] = {"messages": sent.messages, "tools": TOOLS, "max_tokens": REPLY}
        quotes = self.warmth.quote(request, MODELS, reply=REPLY)
        chosen = self.choose(sent, quotes)
        paid = quotes[chosen].cost
        assert paid is not None
        self.cost += paid
        self.last[sent.conversation] = chosen
        self.clock.now += 1
        plan = self.engine.plan({**request, "model": MODELS[chosen]})
        self.warmth.answered(plan, None, at=sent.at)
        return quotes

    def choose(self, sent: Sent, quotes: list[Quote]) -> int:
        """The model's number."""
        match self.name:
            case "sticky":
                return max(self.last.get(sent.conversation, 0), sent.least)
            case "cheapest by the token":
                return sent.least
            case "random":
                return self.chance.randint(sent.least, len(MODELS) - 1)
        best = prefer(quotes[sent.least :])
        assert best is not None
        return MODELS.index(best.candidate)


class _Turn(NamedTuple):
    at: float
    size: int
    least: int


def optimum(turns: list[_Turn], shared: int) -> Decimal:
    """The least that a conversation's requests can cost, all of them known."""
    prices = []
    for model in MODELS:
        provider, name = model.split("/")
        found = prices_of(name, provider, writes=True)
        assert found is not None
        prices.append((found.input, found.read, found.write_5m, found.output))

    @cache
    def rest(index: int, used: tuple[int, ...]) -> Decimal:
        if index == len(turns):
            return Decimal(0)
        turn = turns[index]
        least = None
        for model in range(turn.least, len(MODELS)):
            last = used[model]
            alive = last >= 0 and turn.at - turns[last].at < LIVES[model]
            warm = turns[last].size if alive else shared
            _, read, write, output = prices[model]
            paid = (warm * read + (turn.size - warm) * write + REPLY * output) / 1_000_000
            later = rest(index + 1, (*used[:model], index, *used[model + 1 :]))
            least = paid + later if least is None else min(least, paid + later)
        assert least is not None
        return least

    return rest(0, (-1,) * len(MODELS))


NAMES = ("follows the quotes", "sticky", "cheapest by the token", "random")


def run(mean: float, *, conversations: int = 150, seed: int = 1) -> dict[str, Decimal]:
    """What each router paid in USD, and the optimum."""
    engine = Engine.default()
    routers = [Router(name, engine) for name in NAMES]
    turns: dict[int, list[_Turn]] = {}
    shared = 0
    for sent in traffic(mean, conversations=conversations, seed=seed):
        for router in routers:
            quotes = router.send(sent)
        size = quotes[0].tokens.total - 3
        shared = shared or size
        turns.setdefault(sent.conversation, []).append(_Turn(sent.at, size, sent.least))
    # The first request of all is little more than what all share.
    shared = min(shared, *(known[0].size for known in turns.values()))
    bills = {router.name: router.cost for router in routers}
    return bills | {"optimum": sum((optimum(known, shared) for known in turns.values()), Decimal(0))}


def main() -> None:
    print(f"| mean pause | {' | '.join(NAMES)} | optimum, at best | regret, at most |")
    print(f"|---|{'---|' * (len(NAMES) + 2)}")
    for name, mean in MEANS.items():
        bills = run(mean)
        regret = bills[NAMES[0]] / bills["optimum"] - 1
        cells = [f"${bills[router]:,.3f}" for router in (*NAMES, "optimum")]
        print(f"| {name} | {' | '.join(cells)} | {regret:.0%} |", flush=True)


if __name__ == "__main__":
    main()
