"""After what pause the next request comes, as far as it was seen: a hazard for each stretch of waiting.

Of the requests that have waited so long, some are followed within the stretch, and the others wait on. Those
that still wait count in the stretches that they have passed, and in no other, so nothing is taken for an end
that only has not ended yet (the estimate of Kaplan and Meier).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

HOUR = 3_600.0

BOUNDS = (300.0, 600.0, 1_200.0, 2_400.0, HOUR, 7_200.0)
"""Where each stretch of waiting ends, in seconds: five minutes first, then an hour, and what a ping adds."""

LATE = BOUNDS.index(HOUR) + 1
"""The first stretch that is later than an hour."""

# What older requests count for: half, after so many others. So each counts for more than those before it.
_HALF = 400
_GROWS = 2 ** (1 / _HALF)
_LARGEST = 1e12
# How many requests what is known in general counts for.
_STRENGTH = 12.0


class Law(NamedTuple):
    """What follows a request.

    Attributes:
        hazards: Of the requests that waited for a stretch, the share that was followed within it.
        short: The share that is followed within five minutes.
        medium: The share that is followed later, within an hour.
        ends: The share that nothing follows within an hour.
        seen: How many pauses within an hour that rests on.
        later: How many of those were longer than five minutes.
    """

    hazards: tuple[float, ...]
    short: float
    medium: float
    ends: float
    seen: int = 0
    later: int = 0

    @classmethod
    def of(cls, hazards: Sequence[float], seen: int = 0, later: int = 0) -> Law:
        """The law of some hazards."""
        waiting = 1.0
        for hazard in hazards[1:LATE]:
            waiting *= 1 - hazard
        short = hazards[0]
        medium = (1 - short) * (1 - waiting)
        return cls(tuple(hazards), short, medium, max(1e-4, 1 - short - medium), seen, later)


PRIOR = Law.of((0.93, 0.12, 0.1, 0.08, 0.06, 0.02))
"""What is reckoned with for conversations until something was seen: five minutes are enough."""

PRIOR_OF_PREFIXES = Law.of((0.9, 0.2, 0.15, 0.12, 0.08, 0.05))
"""The same for what conversations share: an hour pays, and lets any of them have one."""


class Shared(NamedTuple):
    """Counts that are told to others.

    Attributes:
        followed: How many requests were followed, in each stretch.
        waited_on: How many waited through each stretch.
        kept: What older counts count for beside them.
    """

    followed: list[float]
    waited_on: list[float]
    kept: float


def _scaled(counts: Sequence[float], weight: float) -> list[float]:
    return [count / weight for count in counts]


class Pauses:
    """What was seen; what is older counts for less. Not for several threads at once."""

    __slots__ = ("_before", "_followed", "_waited_on", "_weight")

    def __init__(self, followed: Sequence[float] = (), waited_on: Sequence[float] = ()) -> None:
        """Begin with some counts for each stretch; with none, by default."""
        self._followed = list(followed) or [0.0] * len(BOUNDS)
        self._waited_on = list(waited_on) or [0.0] * len(BOUNDS)
        self._weight = 1.0
        self._before = Shared([*self._followed], [*self._waited_on], 1.0)

    @property
    def followed(self) -> list[float]:
        """How many requests were followed, in each stretch."""
        return [count / self._weight for count in self._followed]

    @property
    def waited_on(self) -> list[float]:
        """How many waited through each stretch."""
        return [count / self._weight for count in self._waited_on]

    def follows(self, stretch: int) -> None:
        """The next request came in this stretch of waiting."""
        self._weight *= _GROWS
        if self._weight > _LARGEST:
            followed, waited_on, kept = self._before
            followed, waited_on = (_scaled(counts, self._weight) for counts in (followed, waited_on))
            self._before = Shared(followed, waited_on, kept / self._weight)
            self._followed, self._waited_on, self._weight = self.followed, self.waited_on, 1.0
        self._followed[stretch] += self._weight

    def waits_on(self, stretch: int) -> None:
        """A stretch passed, and none came."""
        self._waited_on[stretch] += self._weight

    @property
    def news(self) -> Shared:
        """What came since it was begun, or `shared`: to be added to what others know, once that has faded."""
        parts = ((self._followed, self._before.followed), (self._waited_on, self._before.waited_on))
        followed, waited_on = (
            [(now - then) / self._weight for now, then in zip(*part, strict=True)] for part in parts
        )
        return Shared(followed, waited_on, self._before.kept / self._weight)

    def share(self, followed: Sequence[float], waited_on: Sequence[float]) -> None:
        """Take what all know together, the news among it."""
        self._followed, self._waited_on, self._weight = list(followed), list(waited_on), 1.0
        self._before = Shared([*followed], [*waited_on], 1.0)

    def law(self, general: Law) -> Law:
        """The law of what was seen, drawn to what is known in general where that is little."""
        hazards, reached = [], _STRENGTH
        for followed, waited_on, hazard in zip(self.followed, self.waited_on, general.hazards, strict=True):
            hazards.append((followed + reached * hazard) / (followed + waited_on + reached))
            reached *= 1 - hazard
        later = sum(self._followed[1:LATE])
        seen = self._followed[0] + later
        return Law.of(hazards, round(seen / self._weight), round(later / self._weight))
