"""Reading a trace twice: what policies would have cost, and the dearest of its sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy_cache.forecast.calibration import calibrate
from policy_cache.forecast.observed import Observed
from policy_cache.forecast.switches import Switches
from policy_cache.misses.ledger import Misses
from policy_cache.report.forecast import rows
from policy_cache.report.page.dearest import Dearest
from policy_cache.report.page.drawn import Drawn
from policy_cache.report.page.values import Page
from policy_cache.text.names import told_apart
from policy_cache.text.words import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from policy_cache.forecast.compare import PolicyText, TraceOptions
    from policy_cache.forecast.result import Simulation

PASSES = 2
"""How often the trace is read from one end to the other."""


def collect(
    options: TraceOptions,
    policies: Sequence[PolicyText],
    name: str,
    *,
    sessions: int = 10,
    text: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Page:
    """What a page shows of a trace.

    Args:
        options: The trace.
        policies: The policies; at least one.
        name: What the trace is called.
        sessions: How many sessions to show, the dearest first.
        text: Whether to keep what blocks say; otherwise no prompt's text is in the page.
        progress: Told how many bytes were read, every so often.

    Raises:
        TraceError: A file cannot be read, or a line is no record and that shall fail.
        PolicyError: A policy is not valid.
    """
    engines = [options.engine(policy) for policy in policies]
    calibration = calibrate(options)
    observed, dearest = Observed(engines, calibration), Dearest(sessions)
    misses = tuple(Misses(engine, calibration=calibration, most=0) for engine in engines)
    trace = options.read(progress=progress)
    for record in trace:
        for looked in misses:
            looked.add(record)
        for plain in observed.add(record)[:1]:
            assert plain is not None
            dearest.add((record.scope, record.session), plain)
    simulation = observed.finish()

    names = [visible(name) for name in told_apart(policy.name for policy in policies)]
    ways = _ways(simulation, names)
    drawn = {key: Drawn(engines, calibration, text=text) for key in dearest.sums}
    observed = Observed(engines, calibration)
    switches = Switches(engines[0], _models(simulation), routers=("recorded",))
    several = len(simulation.models) > 1
    for record in options.read(progress=progress) if drawn or several else ():
        if several:
            switches.add(record)
        if not drawn:
            continue
        _, *columns = observed.add(record) or (None,)
        session = drawn.get((record.scope, record.session))
        if session is not None and columns:
            session.add(record, columns, [column for _, column in ways])
    return Page(
        visible(name),
        tuple(names),
        simulation,
        trace.summary,
        misses,
        tuple(way for way, _ in ways),
        tuple(drawn[key].session(total) for key, total in dearest.sums.items()),
        switches,
    )


def _models(simulation: Simulation) -> tuple[str, ...]:
    """The models that were asked for; a request to any other is quoted for itself."""
    return tuple(name for name, _ in simulation.models.most_common(1)) or ("",)


def _ways(simulation: Simulation, names: Sequence[str]) -> list[tuple[str, int]]:
    """The ways of marking that sessions are shown in, each with its column."""
    others = {id(simulation.as_sent): len(names), id(simulation.recorded): len(names) + 1}
    beside = [
        (row.name, others[id(row.column)]) for row in rows(simulation, names) if id(row.column) in others
    ]
    return [*((name, index) for index, name in enumerate(names)), *beside]
