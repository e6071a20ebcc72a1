"""Comparing policies on a trace: calibrate, replay, and add up, on one core or on several."""

from __future__ import annotations

import signal
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import active_children, get_context
from typing import TYPE_CHECKING, NamedTuple

from policy_cache.forecast.calibration import calibrate
from policy_cache.forecast.replay import Replay
from policy_cache.live.engine import Engine
from policy_cache.policy.load import loads
from policy_cache.trace.lines import lines_of
from policy_cache.trace.reader import ASSUMED_GAP, Trace
from policy_cache.trace.record import TraceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from policy_cache.forecast.calibration import Calibration
    from policy_cache.forecast.counting import TokenCounter
    from policy_cache.forecast.result import Simulation
    from policy_cache.providers.catalog import Catalog
    from policy_cache.trace.reader import Broken, TraceSummary
    from policy_cache.trace.record import TraceRecord

_TOLD_EVERY = 1 << 20


class PolicyText(NamedTuple):
    """A policy by its text, which any process can compile.

    Attributes:
        name: What it is called.
        text: Its YAML.
    """

    name: str
    text: str | bytes


@dataclass(frozen=True, slots=True)
class TraceOptions:
    """How to read a trace.

    Attributes:
        paths: Its files.
        names: What to call them; their paths if left out.
        gap: Seconds from one request to the next where no time is said.
        broken: `fail` raises at the first line that is no record; `skip` counts it.
        model: The model that every request is taken to ask for.
        catalog: What the providers take, and how they cache; the packaged catalog if left out.
        counter: What counts some prompts, for sizes to be fitted to; without, nothing is counted.
    """

    paths: tuple[str, ...]
    names: tuple[str, ...] = ()
    gap: float = ASSUMED_GAP
    broken: Broken = "skip"
    model: str | None = None
    catalog: Catalog | None = None
    counter: TokenCounter | None = None

    @property
    def called(self) -> tuple[str, ...]:
        """What its files are called."""
        return self.names or self.paths

    def engine(self, policy: PolicyText) -> Engine:
        """The engine of a policy, with the providers of this trace.

        Raises:
            PolicyError: The policy is not valid.
        """
        return Engine(loads(policy.text, policy.name), self.catalog)

    def router(self) -> Engine:
        """An engine that changes nothing, and tells where requests go."""
        return Engine.passing(self.catalog)

    def read(self, part: tuple[int, int] = (0, 1), progress: Callable[[int], None] | None = None) -> Trace:
        """The trace, or one part of it; `progress` is told how many bytes were read."""
        lines = lines_of(self.paths, self.called)
        if progress is not None:
            lines = _told(lines, progress)
        return Trace(lines, gap=self.gap, broken=self.broken, model=self.model, only=part)


def _told(lines: Iterable[tuple[str, bytes]], progress: Callable[[int], None]) -> Iterator[tuple[str, bytes]]:
    size = 0
    for where, line in lines:
        size += len(line)
        if size > _TOLD_EVERY:
            progress(size)
            size = 0
        yield where, line
    progress(size)


def compare(
    options: TraceOptions,
    policies: Sequence[PolicyText],
    *,
    by: str | None = None,
    keep_warm: float | None = None,
    workers: int = 1,
    progress: Callable[[int], None] | None = None,
) -> tuple[Simulation, TraceSummary]:
    """Replay a trace under policies.

    Args:
        options: The trace.
        policies: The policies; at least one.
        by: What to group by: `session`, `model`, `rule`, or `metadata.` and a name.
        keep_warm: Replay each policy with pings, too: each is expected to gain so many USD, at least.
        workers: Processes. What shares a cache is replayed by one of them; all of it, where a policy has
            `ttl: auto`, or prefixes are kept warm.
        progress: Told how many bytes were read, every so often; by one process only.

    Raises:
        TraceError: A file cannot be read, a line is no record and that shall fail, or a process was ended.
        PolicyError: A policy is not valid.
        CountError: Prompts shall be counted, and cannot be.
    """
    calibration = calibrate(options)
    if workers == 1 or keep_warm is not None or learns(options, policies):
        return replay_part(options, policies, calibration, by=by, keep_warm=keep_warm, progress=progress)
    # What counts is not needed any more: no process shall load it.
    part = partial(replay_part, replace(options, counter=None), policies, calibration, by=by)
    others = set(active_children())
    # Ctrl-C reaches every process of a terminal; this one ends the others.
    with ProcessPoolExecutor(
        workers, get_context("spawn"), signal.signal, (signal.SIGINT, signal.SIG_IGN)
    ) as pool:
        try:
            return merged(pool.map(part, [(number, workers) for number in range(workers)]))
        except BrokenProcessPool:
            raise TraceError(
                "a process that replayed a part of the trace was ended, perhaps for want of memory: "
                "try fewer `--workers`"
            ) from None
        finally:
            for process in set(active_children()) - others:
                process.terminate()


def learns(options: TraceOptions, policies: Sequence[PolicyText]) -> bool:
    """Whether a policy learns from all requests before one, so that no part stands alone."""
    return any(options.engine(policy).learns for policy in policies)


def merged(parts: Iterable[tuple[Simulation, TraceSummary]]) -> tuple[Simulation, TraceSummary]:
    """The parts of a trace, added up."""
    simulation, summary = next(rest := iter(parts))
    for further, read in rest:
        simulation.merge(further)
        summary.merge(read)
    return simulation, summary


def replay_part(
    options: TraceOptions,
    policies: Sequence[PolicyText],
    calibration: Calibration,
    part: tuple[int, int] = (0, 1),
    *,
    by: str | None = None,
    keep_warm: float | None = None,
    progress: Callable[[int], None] | None = None,
) -> tuple[Simulation, TraceSummary]:
    """Replay one part of a trace, here."""
    engines = [options.engine(policy) for policy in policies]
    trace = options.read(part, progress)
    replay = Replay(
        engines, calibration=calibration, by=_grouping(by), by_rule=by == "rule", keep_warm=keep_warm
    )
    for record in trace:
        replay.add(record)
    return replay.finish(), trace.summary


def _grouping(by: str | None) -> Callable[[TraceRecord], str] | None:
    if by is None or by == "rule":
        return None
    if by == "session":
        return lambda record: record.session
    if by == "model":
        return lambda record: str(record.request["model"])
    name = by.removeprefix("metadata.")

    def metadata(record: TraceRecord) -> str:
        carried = record.request.get("metadata")
        value = carried.get(name) if isinstance(carried, dict) else None
        return "" if value is None else str(value)

    return metadata
