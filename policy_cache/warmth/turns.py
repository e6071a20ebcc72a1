"""How conversations go on, as far as it was seen: how often, after how long, and by how many tokens."""

from __future__ import annotations

import math
import threading
from typing import NamedTuple

from policy_cache.cache.memo import Memo

_MOST_SESSIONS = 10_000
_STEP, _STEPS = 1.25, 64
# What is reckoned with until something was seen: three more turns, a minute apart, of 500 tokens.
_PRIOR, _PRIOR_TURNS, _PRIOR_PAUSE, _PRIOR_GROWTH = 4.0, 3.0, 60.0, 500.0
# Older requests count for less: after a thousand others, for a third.
_FADES = 1 - 1 / 1_000
_MOST_TURNS = 20.0


class Outlook(NamedTuple):
    """What is expected of a conversation.

    Attributes:
        turns: How many more requests, until it ends or goes on elsewhere.
        growth: By how many tokens each is larger than the one before.
    """

    turns: float
    growth: float


class Seen(NamedTuple):
    """A session's last request: when it was sent, how large it was, and where to."""

    at: float
    tokens: int
    model: str
    place: bytes


class Turns:
    """What was seen, and a prior worth four requests. Hashes and numbers alone; safe between threads."""

    def __init__(self) -> None:
        """Begin with the prior."""
        self._lock = threading.Lock()
        self._sessions: Memo[bytes, Seen] = Memo(_MOST_SESSIONS)
        self._pauses = [0.0] * _STEPS
        self._pauses[_bucket(_PRIOR_PAUSE)] = _PRIOR
        self._requests = _PRIOR * (1 + 1 / _PRIOR_TURNS)
        self._stayed = self._later = _PRIOR
        self._growth = _PRIOR * _PRIOR_GROWTH

    def add(self, session: bytes, at: float, tokens: int, model: str, place: bytes) -> Seen | None:
        """A request of a session was sent to a model then, with a prompt of so many tokens.

        Returns:
            Its last request before; None where this is the first.
        """
        with self._lock:
            before = self._sessions.get(session)
            self._sessions.put(session, Seen(at, tokens, model, place))
            self._requests = self._requests * _FADES + 1
            self._stayed *= _FADES
            if before is None or at < before.at:
                return before
            self._stayed += before.model == model
            self._later = self._later * _FADES + 1
            self._growth = self._growth * _FADES + max(0, tokens - before.tokens)
            self._pauses = [count * _FADES for count in self._pauses]
            self._pauses[_bucket(at - before.at)] += 1
        return before

    @property
    def outlook(self) -> Outlook:
        """What is expected of any conversation: as many go on, and stay, as did."""
        ends = max(self._requests - self._stayed, self._requests / (1 + _MOST_TURNS))
        return Outlook(min(self._stayed / ends, _MOST_TURNS), self._growth / self._later)

    def within(self, seconds: float) -> float:
        """The share of pauses that are shorter."""
        pauses = self._pauses
        return sum(pauses[: _bucket(seconds) + 1]) / sum(pauses)


def _bucket(seconds: float) -> int:
    return min(_STEPS - 1, int(math.log(max(seconds, 1.0), _STEP)))
