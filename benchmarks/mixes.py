"""Conversations of agents as a trace: tools that answer at once, people who pause, and some who never return.

After each request the conversation goes on by the same law: with some chance the reply calls a tool, whose
result comes in 3 to 20 s; else a person answers after a pause, or nobody ever does. Pauses are log-normal, or
exponential. Conversations of one scope share tools and system prompt. Seeded: two runs give the same.
"""

from __future__ import annotations

import math
import random
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from policy_cache.request.tokens import CHARS_PER_TOKEN
from policy_cache.trace.record import TraceRecord

if TYPE_CHECKING:
    from collections.abc import Iterator

TOOL_GAP = 3.0, 20.0
WAITED = 1.0
_SHARED = 6_000, 8_000
_BEGUN_APART = 240.0


class Law(NamedTuple):
    """How a conversation goes on after a request.

    Attributes:
        mean: Of people's pauses, in seconds.
        sigma: Of the logarithm of a pause, log-normal; 0 for exponential pauses.
        tool: How likely the reply calls a tool.
        leave: How likely nobody returns where it does not.
    """

    mean: float
    sigma: float = 1.5
    tool: float = 0.7
    leave: float = 0.15

    def gap(self, chance: random.Random) -> float | None:
        """Seconds until the next request; None where there is none."""
        if chance.random() < self.tool:
            return chance.uniform(*TOOL_GAP)
        if chance.random() < self.leave:
            return None
        if self.sigma:
            return chance.lognormvariate(self._mu, self.sigma)
        return chance.expovariate(1 / self.mean)

    @property
    def returns(self) -> float:
        """How likely there is a next request."""
        return self.tool + (1 - self.tool) * (1 - self.leave)

    def within(self, seconds: float) -> float:
        """How likely the next request comes in less than so many seconds, more than a tool takes."""
        if self.sigma:
            pause = (1 + math.erf((math.log(seconds) - self._mu) / self.sigma / math.sqrt(2))) / 2
        else:
            pause = 1 - math.exp(-seconds / self.mean)
        return self.tool + (1 - self.tool) * (1 - self.leave) * pause

    def density(self, gap: float) -> float:
        """How likely a gap is, by the second."""
        low, high = TOOL_GAP
        tool = self.tool / (high - low) if low <= gap <= high else 0.0
        if self.sigma:
            away = (math.log(gap) - self._mu) / self.sigma
            pause = math.exp(-(away**2) / 2) / (gap * self.sigma * math.sqrt(2 * math.pi))
        else:
            pause = math.exp(-gap / self.mean) / self.mean
        return tool + (1 - self.tool) * (1 - self.leave) * pause

    @property
    def _mu(self) -> float:
        return math.log(self.mean) - self.sigma**2 / 2


MEANS = {"15 s": 15.0, "2 min": 120.0, "7 min": 420.0, "15 min": 900.0}
MEDIAN_OF_A_MINUTE = 60 * math.exp(1.5**2 / 2)

# Each conversation follows one of the laws.
CHATS = {name: (Law(mean, sigma=0, tool=0, leave=0.04),) for name, mean in MEANS.items()}
"""A request a pause, exponential, of this mean."""
AGENTS = {name: (Law(mean),) for name, mean in MEANS.items()}
"""Tools that answer at once, and people whose pauses have this mean."""
MIXES = {
    "mix": (Law(MEDIAN_OF_A_MINUTE, leave=0.3),),
    "all": tuple(Law(mean) for mean in MEANS.values()),
}
"""Pauses with a median of a minute, after which 30 % never return; and conversations of every mean."""


class Mix(NamedTuple):
    """What to generate.

    Attributes:
        laws: A conversation follows one of them, whichever.
        together: How many conversations share a scope: its cache, tools and system prompt.
        conversations: How many there are.
        seed: Of everything that is drawn.
    """

    laws: tuple[Law, ...]
    together: int = 8
    conversations: int = 24
    seed: int = 1

    def records(self, model: str) -> list[TraceRecord]:
        """The requests, in the order of their start."""
        chance = random.Random(f"{self.seed} {self.together}")  # noqa: S311, traffic
        records: list[TraceRecord] = []
        for number in range(self.conversations):
            scope, place = divmod(number, self.together)
            # Scopes have nothing to do with each other: their conversations begin at the same times.
            start = place * _BEGUN_APART * chance.uniform(0.5, 1.5)
            records += self._conversation(chance, number, f"scope {scope}", start, model)
        return sorted(records, key=lambda record: record.at)

    def _conversation(
        self, chance: random.Random, number: int, scope: str, at: float, model: str
    ) -> Iterator[TraceRecord]:
        law = chance.choice(self.laws)
        session = f"session {number}"
        tools, system = _shared(scope)
        messages = [system, {"role": "user", "content": _text(chance, session, 50, 2_000)}]
        for turn in count():
            request = {"model": model, "tools": tools, "messages": list(messages), "max_tokens": 1_000}
            yield TraceRecord(f"{session}#{turn}", at, request, None, WAITED, scope, session)
            gap = law.gap(chance)
            if gap is None:
                return
            at += gap
            said = _text(chance, f"{session} reply {turn}", 30, 600)
            if law.tool and gap < TOOL_GAP[1]:
                call = {"id": f"call_{number}_{turn}", "type": "function"}
                call["function"] = {"name": "tool", "arguments": "{}"}
                messages.append({"role": "assistant", "content": said, "tool_calls": [call]})
                result = _text(chance, f"{session} result {turn}", 50, 4_000)
                messages.append({"role": "tool", "tool_call_id": call["id"], "content": result})
            else:
                messages.append({"role": "assistant", "content": said})
                messages.append({"role": "user", "content": _text(chance, f"{session} {turn}", 20, 400)})


def _shared(scope: str) -> tuple[list[dict[str, object]], dict[str, object]]:
    """Tools and system prompt of a scope."""
    tools, system = (_sized(f"{scope} {part}", size) for part, size in zip("ts", _SHARED, strict=True))
    parameters = {"type": "object", "properties": {}}
    function = {"name": "tool", "description": tools, "parameters": parameters}
    return [{"type": "function", "function": function}], {"role": "system", "content": system}


def _text(chance: random.Random, name: str, least: int, most: int) -> str:
    """A text of its own, most often a short one."""
    return _sized(name, round(math.exp(chance.uniform(math.log(least), math.log(most)))))


def _sized(name: str, tokens: int) -> str:
    return f"{name} ".ljust(round(tokens * CHARS_PER_TOKEN), "x")
