"""Requests that a change of policy treats alike, and what the change is worth there."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from policy_cache.review.change import changes, worse
from policy_cache.usage.interval import of_sum
from policy_cache.usage.totals import Totals

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from policy_cache.engine.match import Context
    from policy_cache.engine.plan import Plan
    from policy_cache.engine.repair import Fault
    from policy_cache.live.engine import Engine
    from policy_cache.request.prompt import Shape
    from policy_cache.review.change import Change
    from policy_cache.usage.interval import Interval


_MOST_GROUPS = 1_000


class Alike(NamedTuple):
    """What the requests of a group have in common.

    Attributes:
        changes: How what is sent of them differs.
        worse: Of what more is wrong with them.
        way: Where they go; None where that does not part them.
    """

    changes: tuple[Change, ...]
    worse: tuple[Fault, ...]
    way: Way | None


class Way(NamedTuple):
    """Where requests go.

    Attributes:
        provider: The provider.
        route: The name of the route; empty where none is known.
        alias: The router's name for the model; empty where it has none.
        shape: Their shape.
    """

    provider: str
    route: str
    alias: str
    shape: Shape


class Example(NamedTuple):
    """A request of a group: where it stands, and what is sent of it under each policy, if that is kept."""

    where: str
    before: Mapping[str, object] | None = None
    after: Mapping[str, object] | None = None


@dataclass(slots=True)
class Worth:
    """What requests cost under each policy; those whose price is unknown are counted, and cost nothing.

    Attributes:
        requests: How many requests.
        before: Under the old policy.
        after: Under the new one.
        by_session: What the new policy costs more, in USD, by session; of those with a known price.
    """

    requests: int = 0
    before: Totals = field(default_factory=Totals)
    after: Totals = field(default_factory=Totals)
    by_session: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    def add(self, session: str, before: Totals, after: Totals) -> None:
        """Add a request of a session."""
        self.before.merge(before)
        self.after.merge(after)
        if not (before.unpriced or after.unpriced):
            self.by_session[session] += float(after.paid - before.paid)

    def merge(self, other: Worth) -> None:
        """Add another's requests."""
        self.requests += other.requests
        self.before.merge(other.before)
        self.after.merge(other.after)
        for session, figure in other.by_session.items():
            self.by_session[session] += figure

    @property
    def difference(self) -> Decimal:
        """USD that the new policy costs more, of the requests whose price is known."""
        return self.after.paid - self.before.paid

    @property
    def unpriced(self) -> int:
        """How many requests have an unknown price."""
        return max(self.before.unpriced, self.after.unpriced)

    @property
    def is_known(self) -> bool:
        """Whether any of the costs is known; so it is of no request."""
        return not self.unpriced or self.unpriced < self.before.requests

    @property
    def interval(self) -> Interval | None:
        """That difference for as many sessions of the same kind; None where there are fewer than two."""
        return of_sum(self.by_session.values())


@dataclass(slots=True)
class Group(Worth):
    """Requests that are changed alike.

    Attributes:
        models: How many of them went to each model.
        ways: How many went each way.
        example: The first one.
    """

    ways: Counter[Way] = field(default_factory=Counter)

    models: Counter[str] = field(default_factory=Counter)
    example: Example | None = None


@dataclass(frozen=True, slots=True)
class Groups:
    """The groups of requests, and those that are sent as before.

    Attributes:
        by_way: Whether those that go another way are another group, as long as there are not too many.
        examples: Whether the first request of each is kept.
        changed: The groups.
        unchanged: The other requests: they may still read what another left, or find it gone.
    """

    by_way: bool = True
    examples: bool = False
    changed: dict[Alike, Group] = field(default_factory=dict)
    unchanged: Worth = field(default_factory=Worth)

    def of(self, where: str, request: dict[str, object], old: Engine, new: Engine, context: Context) -> Worth:
        """The group that a request belongs to; whoever asks counts it there.

        Args:
            where: Where it stands.
            request: The request.
            old: The old policy.
            new: The new one.
            context: What else is known of the request.

        Raises:
            RequestError: It is not a request that can be planned.
        """
        facts = new.facts(request, **context)
        # Most requests are sent as before, which two rewrites tell sooner than two plans.
        if old.rewrite(request, **context) == new.rewrite(request, **context):
            return self.unchanged
        before, after = old.plan(request, **context), new.plan(request, **context)
        route = facts.route
        way = Way(route.provider, route.name or "", facts.alias or "", route.shape)
        alike = Alike(changes(before, after), worse(before, after), way if self.by_way else None)
        group = self.changed.get(alike)
        if group is None and len(self.changed) >= _MOST_GROUPS:  # a client may choose what a way is called
            alike = alike._replace(way=None)
            group = self.changed.get(alike)
        if group is None:
            group = self.changed[alike] = Group(example=self._example(where, before, after))
        if way in group.ways or len(group.ways) < _MOST_GROUPS:
            group.ways[way] += 1
        group.models[route.qualified] += 1
        return group

    def _example(self, where: str, before: Plan, after: Plan) -> Example:
        return Example(where, before.request, after.request) if self.examples else Example(where)
