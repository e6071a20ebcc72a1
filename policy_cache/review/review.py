"""Reviewing a change of policy: over a recorded trace, with its money, or over single requests."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from policy_cache.errors import RequestError
from policy_cache.forecast.calibration import calibrate
from policy_cache.forecast.observed import Observed
from policy_cache.request.prompt import AREAS
from policy_cache.request.sample import request as sample
from policy_cache.review.group import Groups, Worth

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from policy_cache.engine.match import Context
    from policy_cache.engine.repair import Fault
    from policy_cache.forecast.compare import PolicyText, TraceOptions
    from policy_cache.forecast.result import Simulation
    from policy_cache.live.engine import Engine
    from policy_cache.providers.catalog import Catalog
    from policy_cache.request.prompt import Shape
    from policy_cache.review.group import Alike, Group
    from policy_cache.trace.reader import TraceSummary


class Asked(NamedTuple):
    """A single request: where it stands, and what else is known of it."""

    where: str
    request: dict[str, object]
    context: Context


@dataclass(frozen=True, slots=True)
class Review:
    """What a change of policy does.

    Attributes:
        groups: The requests, by how they are changed.
        unread: How many single requests could not be planned, by why.
        simulation: The replay that money is from; None of single requests.
        summary: What reading the trace met with; None of single requests.
    """

    groups: Groups = field(default_factory=Groups)
    unread: Counter[str] = field(default_factory=Counter)
    simulation: Simulation | None = None
    summary: TraceSummary | None = None

    @property
    def requests(self) -> int:
        """How many requests were looked at."""
        return self.changed + self.groups.unchanged.requests

    @property
    def changed(self) -> int:
        """How many are sent differently."""
        return sum(group.requests for group in self.groups.changed.values())

    @property
    def whole(self) -> Worth:
        """All requests together."""
        whole = Worth()
        for worth in (*self.groups.changed.values(), self.groups.unchanged):
            whole.merge(worth)
        return whole

    @property
    def worse(self) -> frozenset[Fault]:
        """What more is wrong with any of them."""
        return frozenset(fault for alike in self.groups.changed for fault in alike.worse)

    @property
    def ordered(self) -> list[tuple[Alike, Group]]:
        """The groups that change: what goes wrong first, then the most money, then the most requests."""
        return sorted(
            (item for item in self.groups.changed.items() if item[1].requests),
            key=lambda item: (not item[0].worse, -abs(item[1].difference), -item[1].requests),
        )


def review_trace(
    options: TraceOptions,
    old: PolicyText,
    new: PolicyText,
    *,
    examples: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Review:
    """Replay a trace under both policies, each learning from it as far as it has come.

    Raises:
        TraceError: A file cannot be read, or a line is no record and that shall fail.
        PolicyError: A policy is not valid.
    """
    observed = Observed([options.engine(old), options.engine(new)], calibrate(options))
    before, after = observed.engines
    trace = options.read(progress=progress)
    groups = Groups(examples=examples)
    for record in trace:
        try:
            worth = groups.of(record.where, record.request, before, after, {})
        except RequestError:  # which the replay counts, with why
            observed.add(record)
            continue
        _, old_totals, new_totals, *_ = observed.add(record) or (None, None, None)
        if old_totals is not None and new_totals is not None:
            worth.requests += 1
            worth.add(f"{record.scope}\n{record.session}", old_totals, new_totals)
    return Review(groups, simulation=observed.finish(), summary=trace.summary)


def review_requests(old: Engine, new: Engine, asked: Iterable[Asked], *, examples: bool = False) -> Review:
    """Plan single requests under both policies: what can change at all."""
    review = Review(Groups(by_way=False, examples=examples))
    for where, request, context in asked:
        try:
            review.groups.of(where, request, old, new, context).requests += 1
        except RequestError as error:
            review.unread[f"{where}: {error}"] += 1
    return review


def samples(catalog: Catalog) -> Iterator[Asked]:
    """Requests to every route that has an example model: an agent's, its first turn, and a marked one."""
    for entry in catalog.routes:
        if entry.example is None:
            continue
        shapes: tuple[Shape, ...] = tuple(entry.blocks) or ("chat",)
        for shape in shapes:
            given = sample(shape, entry.example, elsewhere=entry.custom_host)
            area = AREAS[shape]
            first = {**given, area: given[area][: 1 if shape == "messages" else 2]}
            marked = {**given, area: [*given[area][:-1], _marked(given[area][-1], shape)]}
            for kind, request in (("agent", given), ("first turn", first), ("marked", marked)):
                yield Asked(f"{entry.name}, {shape}, {kind}", request, {"shape": shape})


def _marked(message: dict[str, object], shape: Shape) -> dict[str, object]:
    """A message as a client would mark it."""
    kind = "input_text" if shape == "responses" else "text"
    block = {"type": kind, "text": message["content"], "cache_control": {"type": "ephemeral"}}
    return {**message, "content": [block]}
