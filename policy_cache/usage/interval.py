"""How far a figure of sessions may be off: 95 % confidence intervals, with a session as the unit.

Requests of one session are alike, so that counting each of them would promise too much: only sessions are
independent of each other.
"""

from __future__ import annotations

from math import inf, sqrt
from statistics import NormalDist, variance
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection

# Student's t at 97.5 %, for one to four degrees of freedom; the expansion below is right from five on.
_FEW = (12.7062, 4.3027, 3.1824, 2.7764)


class Interval(NamedTuple):
    """A figure, and the bounds between which the true one lies, at 95 %."""

    value: float
    low: float
    high: float

    @property
    def is_certain(self) -> bool:
        """Whether it is known on which side of nothing the true figure lies."""
        return self.low > 0 or self.high < 0


def around(value: float, error: float, freedom: float) -> Interval:
    """The interval of a figure with a standard error, of so many degrees of freedom."""
    reach = student(freedom) * error
    return Interval(value, value - reach, value + reach)


def student(freedom: float) -> float:
    """Student's t at 97.5 %, to three digits: Cornish and Fisher's expansion of it."""
    if freedom < 1:
        return inf
    if freedom < len(_FEW) + 1:
        return _FEW[int(freedom) - 1]
    z = NormalDist().inv_cdf(0.975)
    return (
        z
        + (z**3 + z) / (4 * freedom)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
    )


def of_sum(figures: Collection[float]) -> Interval | None:
    """The sum of sessions' figures, over as many sessions of the same kind; None of fewer than two."""
    n = len(figures)
    return None if n < 2 else around(sum(figures), sqrt(n * variance(figures)), n - 1)
