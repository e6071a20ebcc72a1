"""What an experiment has shown so far: cost per request and read share of two policies, by session.

Sessions are the units that were drawn, so they are the units of the test, too: each arm's figure is a ratio
of two sums over sessions, its variance that of the sums' linear part, and the two arms are compared by
Welch's t. A bootstrap of sessions agrees with that, and would have to keep every request's figures.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil, hypot, inf
from typing import TYPE_CHECKING, NamedTuple

from policy_cache.engine.plan import ARMS
from policy_cache.usage.interval import Interval, around

if TYPE_CHECKING:
    from collections.abc import Iterable

    from policy_cache.engine.plan import Arm
    from policy_cache.usage.account import Account

# Beyond that many, sessions share their sums by hash: which is sound, since any whole sessions are a unit.
_MOST_SESSIONS = 65_536
FEWEST = 10
"""The sessions in each arm below which nothing is said of a difference."""


@dataclass(slots=True)
class _Sums:
    """Of one session: its requests with a known price, what they cost in USD, and its tokens."""

    requests: int = 0
    cost: float = 0.0
    tokens: int = 0
    read: int = 0


class _Ratio(NamedTuple):
    """A ratio of sums over sessions.

    Attributes:
        value: The ratio.
        error: Its standard error.
        sessions: Over how many sessions.
    """

    value: float
    error: float
    sessions: int

    @property
    def interval(self) -> Interval:
        return around(self.value, self.error, self.sessions - 1)


@dataclass(slots=True)
class ArmSums:
    """What one arm did.

    Attributes:
        requests: How many requests.
        unpriced: How many of them have an unknown price, and are left out of costs.
    """

    requests: int = 0
    unpriced: int = 0
    _sessions: dict[int, _Sums] = field(default_factory=dict)

    def add(self, account: Account) -> None:
        """Add a request."""
        self.requests += 1
        sums = self._sessions.setdefault(int.from_bytes(account.session) % _MOST_SESSIONS, _Sums())
        outcome, paid = account.usage.outcome, account.paid
        sums.tokens += outcome.total
        sums.read += outcome.read
        if paid is None:
            self.unpriced += 1
        else:
            sums.requests += 1
            sums.cost += float(paid)

    @property
    def sessions(self) -> int:
        """How many sessions."""
        return len(self._sessions)

    @property
    def cost(self) -> _Ratio | None:
        """USD per request."""
        return _ratio((sums.cost, sums.requests) for sums in self._sessions.values())

    @property
    def read_share(self) -> _Ratio | None:
        """The share of the prompts' tokens that was read from the cache."""
        return _ratio((sums.read, sums.tokens) for sums in self._sessions.values())


class Difference(NamedTuple):
    """What the variant has more than the control.

    Attributes:
        control: The control's figure.
        variant: The variant's.
        more: The difference, and the bounds of the true one.
    """

    control: Interval
    variant: Interval
    more: Interval

    @property
    def reach(self) -> float:
        """How far the difference may be off, as a share of the control's figure."""
        half = (self.more.high - self.more.low) / 2
        return half / self.control.value if self.control.value else inf


@dataclass(slots=True)
class Trial:
    """The two arms of an experiment.

    Attributes:
        arms: What each did.
    """

    arms: dict[Arm, ArmSums] = field(default_factory=lambda: {arm: ArmSums() for arm in ARMS})

    def add(self, account: Account) -> None:
        """Add a request; one that is in no experiment is left out."""
        if account.arm is not None:
            self.arms[account.arm].add(account)

    @property
    def cost(self) -> Difference | None:
        """USD per request; None as long as there are too few sessions."""
        return self._difference(self.arms["control"].cost, self.arms["variant"].cost)

    @property
    def read_share(self) -> Difference | None:
        """The share of the tokens that was read; None as long as there are too few sessions."""
        return self._difference(self.arms["control"].read_share, self.arms["variant"].read_share)

    def missing(self, within: float) -> int | None:
        """How many sessions more each arm needs, about, until the difference in cost is known so well.

        Args:
            within: How far it may be off, as a share of what the control costs.

        Returns:
            0 once it is; None where that cannot be told yet.
        """
        cost = self.cost
        if cost is None or cost.reach == inf:
            return None
        if cost.reach <= within:
            return 0
        fewest = min(arm.sessions for arm in self.arms.values())
        return ceil(fewest * (cost.reach / within) ** 2) - fewest

    def _difference(self, control: _Ratio | None, variant: _Ratio | None) -> Difference | None:
        if control is None or variant is None or min(control.sessions, variant.sessions) < FEWEST:
            return None
        error = hypot(control.error, variant.error)
        return Difference(
            control.interval,
            variant.interval,
            around(variant.value - control.value, error, _freedom(control, variant)),
        )


def _ratio(pairs: Iterable[tuple[float, float]]) -> _Ratio | None:
    """The ratio of the sums of both figures; None of fewer than two sessions, or of nothing."""
    kept = [(part, whole) for part, whole in pairs if whole]
    n = len(kept)
    part, whole = sum(pair[0] for pair in kept), sum(pair[1] for pair in kept)
    if n < 2 or not whole:
        return None
    value = part / whole
    # What each session adds to the ratio, to the first order. A large one pulls the ratio towards itself, so
    # that it seems to fit: what is left of it is as if the ratio were that of the others (HC3, a jackknife).
    square = sum(((own - value * size) / max(1 - size / whole, 1e-9)) ** 2 for own, size in kept)
    return _Ratio(value, square**0.5 / whole, n)


def _freedom(one: _Ratio, other: _Ratio) -> float:
    """Welch's degrees of freedom."""
    squares = one.error**2, other.error**2
    below = squares[0] ** 2 / (one.sessions - 1) + squares[1] ** 2 / (other.sessions - 1)
    return sum(squares) ** 2 / below if below else one.sessions + other.sessions - 2
