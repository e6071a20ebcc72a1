"""Which rules the tests of a policy exercise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from policy_cache.engine.reasons import ACTED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from policy_cache.testing.run import Outcome

_ACTS = ACTED | {"observed"}


@dataclass(frozen=True, slots=True)
class Coverage:
    """The rules of one policy.

    Attributes:
        policy: Its file.
        rules: For each rule, in file order, in how many tests it matched, and in how many it acted.
    """

    policy: Path
    rules: dict[str, tuple[int, int]]

    @property
    def acted(self) -> int:
        """How many rules acted in a test."""
        return sum(1 for _, acted in self.rules.values() if acted)


def coverage(outcomes: Iterable[Outcome]) -> Iterator[Coverage]:
    """The coverage of each policy, in the order of the tests."""
    policies: dict[Path, tuple[Path, dict[str, list[int]]]] = {}
    for outcome in outcomes:
        finding = outcome.finding
        if finding is None:
            continue
        path = outcome.suite.policy
        if path.resolve() not in policies:
            names = outcome.rules
            policies[path.resolve()] = (path, {name: [0, 0] for name in names})
        counts = policies[path.resolve()][1]
        for rule, reasons in finding.reasons.items():
            counts[rule][0] += 1
            counts[rule][1] += any(reason in _ACTS for reason in reasons)
    for path, counts in policies.values():
        yield Coverage(path, {rule: (matched, acted) for rule, (matched, acted) in counts.items()})


def percent(covered: Iterable[Coverage]) -> float:
    """The share of all rules that acted in a test, in percent; 100 where there is no rule."""
    every = list(covered)
    rules = sum(len(one.rules) for one in every)
    return 100 * sum(one.acted for one in every) / rules if rules else 100.0
