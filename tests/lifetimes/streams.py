"""Requests that follow each other after given pauses, through an engine that learns from them."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

from policy_cache import Engine
from policy_cache.lifetimes import Lifetimes
from policy_cache.request.prompt import Prompt
from tests.engine.requests import ANTHROPIC, BIG

if TYPE_CHECKING:
    from collections.abc import Iterable

    from policy_cache.lifetimes import Conversation, Outlook

AUTO = """
version: 1
name: learns
rules:
  - name: all
    match: {caching: explicit}
    targets: [tools, system, messages.previous_turn, messages.last]
    action: {add_cache_control: {ttl: auto}}
"""
LOOK = {"name": "look", "description": BIG, "parameters": {"type": "object"}}
TOOL = {"type": "function", "function": LOOK}


def request(name: str, system: str = BIG, model: str = ANTHROPIC, tools: bool = True) -> dict[str, object]:
    """The first request of a conversation."""
    messages = [{"role": "system", "content": system}, {"role": "user", "content": f"{name} {BIG}"}]
    return {"model": model, "messages": messages} | ({"tools": [TOOL]} if tools else {})


class Stream:
    """An engine, its time, and what was sent through it.

    Attributes:
        now: The time, in seconds.
        engine: The engine.
    """

    def __init__(self, policy: str = AUTO, **options: object) -> None:
        self.now = 1_000_000.0
        self.lifetimes = Lifetimes(clock=lambda: self.now, **options)
        self.engine = Engine.from_text(policy).learning(self.lifetimes)

    def ttls(self, asked: dict[str, object], **context: object) -> list[str]:
        """Of its breakpoints, in prefix order."""
        return [point.ttl for point in self.engine.plan(asked, **context).breakpoints]

    def why(self, asked: dict[str, object]) -> str:
        """Of the last of them."""
        return self.engine.plan(asked).placements[-1].detail

    def conversation(self, asked: dict[str, object]) -> Conversation:
        """What stands for the conversation of a request."""
        return self.lifetimes.conversation(Prompt(asked, self.engine.route(asked).shape))

    def outlook(self, name: str) -> Outlook | None:
        """What is known of a conversation that waits."""
        asked = request(name)
        return self.lifetimes.outlook(self.conversation(asked), self.engine.route(asked))

    def send(self, asked: dict[str, object], after: float = 0.0, **usage: int) -> None:
        self.now += after
        self.engine.learn(asked, **({"read": 1, "written": 1} | usage))

    def send_as(self, policy: str, asked: dict[str, object]) -> None:
        """Under another policy, as far as its markers go."""
        other = Engine.from_text(policy)
        route = other.route(asked)
        markers = route.markers_of(Prompt(other.rewrite(asked), route.shape))
        self.lifetimes.learn(Prompt(asked, route.shape), route, markers, read=1, written=1)

    def talk(self, name: str, pauses: Iterable[float], **options: object) -> None:
        """A conversation from its first request on."""
        for pause in (0.0, *pauses):
            self.send(request(name, **options), pause)

    def live(self, names: Iterable[str], pauses: list[float], apart: float = 60.0) -> None:
        """Conversations that begin one after the other, side by side."""
        times = [0.0, *accumulate(pauses)]
        begun = self.now
        sent = sorted(
            (begun + place * apart + time, name) for place, name in enumerate(names) for time in times
        )
        for at, name in sent:
            self.now = at
            self.send(request(name))
