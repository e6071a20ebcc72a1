"""Proposing a policy from a trace: which targets and which TTLs would have cost least.

Every candidate is replayed on the trace, and the cheapest is chosen for each model. How far such a choice can
be trusted is measured apart: the cheapest on the trace's earlier part, held against the later part, which had
no say in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, TypeAlias

from policy_cache.cache.cost import cost
from policy_cache.forecast.calibration import calibrate
from policy_cache.forecast.candidates import candidates, rules
from policy_cache.forecast.compare import PolicyText
from policy_cache.forecast.pauses import Survey
from policy_cache.forecast.replay import Replay
from policy_cache.providers.prices import claude_prices
from policy_cache.usage.totals import Totals

if TYPE_CHECKING:
    from collections.abc import Callable

    from policy_cache.forecast.candidates import Candidate
    from policy_cache.forecast.compare import TraceOptions
    from policy_cache.forecast.pauses import Pauses
    from policy_cache.forecast.result import Column, Simulation
    from policy_cache.trace.reader import TraceSummary
    from policy_cache.trace.record import TraceRecord

_RELATIVE = claude_prices(Decimal(1), Decimal(0))

ModelName: TypeAlias = "tuple[str, str]"


@dataclass(frozen=True, slots=True)
class Trial:
    """What a choice made on the earlier part of the trace did on the later part.

    Attributes:
        candidate: The choice.
        held: What it did on the later part.
        uncached: The later part without caching.
        best: The least that any candidate cost there, in USD or another measure; `cost` in the same one.
        cost: What the choice cost there.
    """

    candidate: Candidate
    held: Totals
    uncached: Totals
    best: float
    cost: float


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen for a model, and why.

    Attributes:
        provider: litellm's name for the provider.
        model: The model, without its provider prefix.
        candidate: The way of marking that costs least.
        pauses: How the model's sessions pause.
        marked: What the choice does.
        uncached: The same requests without caching.
        others: The other candidates, and how much dearer each is, as a share; the nearest first.
        trial: What choosing on the earlier part is worth; None where the trace is too small for one.
    """

    provider: str
    model: str
    candidate: Candidate
    pauses: Pauses
    marked: Totals
    uncached: Totals
    others: tuple[tuple[Candidate, float], ...]
    trial: Trial | None


def tune(
    options: TraceOptions, *, progress: Callable[[int], None] | None = None
) -> tuple[tuple[Choice, ...], Simulation, TraceSummary]:
    """Propose a way of marking for each model of a trace, the one with the most requests first.

    The trace is read twice.

    Args:
        options: The trace.
        progress: Told how many bytes were read, every so often.

    Raises:
        TraceError: A file cannot be read, or a line is no record and that shall fail.
    """
    survey = Survey(options.router())
    for record in options.read(progress=progress):
        survey.add(record)
    split = survey.split()

    def group(record: TraceRecord) -> str:
        return _group(survey.model(record) or ("", ""), held=split is not None and record.at >= split)

    tried = candidates()
    engines = [options.engine(PolicyText("candidate", _policy(candidate))) for candidate in tried]
    replay = Replay(engines, calibration=calibrate(options), by=group)
    trace = options.read(progress=progress)
    for record in trace:
        replay.add(record)
    simulation = replay.finish()
    choices = [_choose(simulation, tried, model, pauses) for model, pauses in survey.models.items()]
    choices.sort(key=lambda choice: -choice.pauses.requests)
    return tuple(choices), simulation, trace.summary


def _policy(candidate: Candidate) -> str:
    lines = [*rules(candidate, ['provider: "*"'], "candidate")]
    return "\n".join(["version: 1", "name: candidate", "rules:" if lines else "rules: []", *lines, ""])


def _group(model: ModelName, *, held: bool) -> str:
    return "\n".join((*model, "held" if held else "tried"))


def _choose(simulation: Simulation, tried: list[Candidate], model: ModelName, pauses: Pauses) -> Choice:
    def part(column: Column, *, held: bool) -> Totals:
        return column.groups.get(_group(model, held=held), Totals())

    earlier = [part(column, held=False) for column in simulation.policies]
    later = [part(column, held=True) for column in simulation.policies]
    whole = [_sum(*both) for both in zip(earlier, later, strict=True)]
    costs = [_weight(totals) for totals in whole]
    best = _least(costs)
    others = [(tried[n], costs[n] / costs[best] - 1) for n in range(len(tried)) if n != best and costs[best]]
    trial = None
    if any(totals.requests for totals in later):
        held = [_weight(totals) for totals in later]
        chosen = _least([_weight(totals) for totals in earlier])
        uncached = part(simulation.uncached, held=True)
        trial = Trial(tried[chosen], later[chosen], uncached, best=min(held), cost=held[chosen])
    return Choice(
        *model,
        candidate=tried[best],
        pauses=pauses,
        marked=whole[best],
        uncached=_sum(part(simulation.uncached, held=False), part(simulation.uncached, held=True)),
        others=tuple(sorted(others, key=lambda other: other[1])),
        trial=trial,
    )


def _least(costs: list[float]) -> int:
    return min(range(len(costs)), key=costs.__getitem__)


def _sum(*parts: Totals) -> Totals:
    total = Totals()
    for part in parts:
        total.merge(part)
    return total


def _weight(totals: Totals) -> float:
    """What requests cost; where no price is known, in uncached tokens, as Claude's prices relate."""
    paid = totals.cost
    return float(cost(totals.tokens, _RELATIVE) or 0 if paid is None else paid)
