"""How a test ended, and which rules the tests of a policy exercise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from policy_cache.engine.reasons import GRANTED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from policy_cache.diagnostics import Diagnostic
    from policy_cache.engine.breakpoints import Breakpoint
    from policy_cache.engine.plan import Plan
    from policy_cache.request.location import Location
    from policy_cache.testing.load import Suite
    from policy_cache.testing.model import Case


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of a request.

    Attributes:
        plan: The engine's plan.
        breakpoints: Every marker of the request that is sent, in prefix order.
        unchanged: Whether `Engine.rewrite` gave back the very request.
        parameters: The parameters that were set, with their values.
        reasons: How everything that each matching rule wanted ended, by rule.
        wire: The markers in the HTTP body; None where that was not asked for, or not to be had.
    """

    plan: Plan
    breakpoints: Sequence[Breakpoint]
    unchanged: bool
    parameters: Mapping[str, object]
    reasons: Mapping[str, Sequence[str]]
    wire: Sequence[Location] | None


Status: TypeAlias = Literal["passed", "failed", "skipped", "error"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a test ended.

    Attributes:
        suite: Its file.
        number: Its place in the file, from 0.
        status: `error` where it could not be run; `skipped` where all that could be looked at is as
            expected.
        problems: What was not as expected, or what was wrong.
        finding: What came of the request; None for an error.
        note: Why something was skipped.
        rules: The names of the policy's rules, in file order.
    """

    suite: Suite
    number: int
    status: Status
    problems: tuple[Diagnostic, ...] = ()
    finding: Finding | None = None
    note: str = ""
    rules: tuple[str, ...] = ()

    @property
    def case(self) -> Case:
        """The test."""
        return self.suite.cases[self.number]


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
        for rule in counts.keys() & finding.reasons.keys():  # a repair is no rule's
            counts[rule][0] += 1
            counts[rule][1] += any(reason in GRANTED for reason in finding.reasons[rule])
    for path, counts in policies.values():
        yield Coverage(path, {rule: (matched, acted) for rule, (matched, acted) in counts.items()})


def percent(covered: Iterable[Coverage]) -> float:
    """The share of all rules that acted in a test, in percent; 100 where there is no rule."""
    every = list(covered)
    rules = sum(len(policy.rules) for policy in every)
    return 100 * sum(policy.acted for policy in every) / rules if rules else 100.0
