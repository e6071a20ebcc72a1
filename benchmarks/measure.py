"""Timing side by side: contestants take turns, and ratios are taken within each turn."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Timing:
    """Microseconds a call: the best and the median round."""

    best: float
    median: float


def side_by_side(contestants: dict[str, Callable[[], object]], rounds: int = 15) -> dict[str, list[float]]:
    """Microseconds a call of each contestant, in each of the rounds, all in one process."""
    counts = {name: _calls_for(call) for name, call in contestants.items()}
    timings: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, call in contestants.items():
            started = time.perf_counter_ns()
            for _ in range(counts[name]):
                call()
            timings[name].append((time.perf_counter_ns() - started) / counts[name] / 1_000)
    return timings


def _calls_for(call: Callable[[], object]) -> int:
    """How many calls take about 20 ms."""
    call()
    started = time.perf_counter_ns()
    calls = 0
    while time.perf_counter_ns() - started < 20_000_000:
        call()
        calls += 1
    return max(1, calls)


def ratio(timings: dict[str, list[float]], name: str, other: str) -> float:
    """The median, over the rounds, of how many times as long `name` took as `other`."""
    return statistics.median(a / b for a, b in zip(timings[name], timings[other], strict=True))


def timing(rounds: list[float]) -> Timing:
    """The best and the median of some rounds."""
    return Timing(min(rounds), statistics.median(rounds))
