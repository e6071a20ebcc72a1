"""An engine in front of litellm: what each plug-in does with a request, and after a refusal."""

from __future__ import annotations

import logging
import re
import time
from collections import Counter
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

from policy_cache.engine.engine import is_disabled
from policy_cache.errors import RequestError
from policy_cache.integrations import difference
from policy_cache.providers.catalog import packaged_catalog
from policy_cache.request.prompt import detect_shape
from policy_cache.usage.accounting import Accounting, Planner

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Unpack

    from policy_cache.engine.plan import Mark, Plan
    from policy_cache.providers.resolve import Route
    from policy_cache.request.prompt import Shape
    from policy_cache.usage.accounting import Told

_log = logging.getLogger("policy_cache")

# What providers say when it is a marker that they refuse.
_ABOUT_MARKERS = re.compile(
    r"cache_control|cache[ _]?point|prompt_cache|prompt caching|nothing available to cache|cached ?content",
    re.IGNORECASE,
)
_MOST_ROUTES = 1_024
_LONGEST_PAUSE = 86_400.0

_RouteKey: TypeAlias = tuple[str, str, str, str]
"""Provider, model, address and shape: a refusal in one shape says nothing of another."""


class _Pause(NamedTuple):
    """How long a route gets no such marker: until when, and how many seconds that is in all."""

    until: float
    seconds: float


class Refusal(NamedTuple):
    """Markers that a provider may have refused.

    Attributes:
        route: Where that was.
        marks: What they are.
        request: What to send in place of the request that was refused.
    """

    route: _RouteKey
    marks: frozenset[Mark]
    request: dict[str, object]


class Rewriter(Planner, Protocol):
    """What a plug-in needs of an engine; `Engine` and `LiveEngine` have it."""

    def rewrite(
        self, request: dict[str, object], *, provider: str | None = None, shape: Shape | None = None
    ) -> dict[str, object]: ...

    def plan(
        self, request: dict[str, object], *, provider: str | None = None, shape: Shape | None = None
    ) -> Plan: ...

    def route(
        self, request: dict[str, object], *, provider: str | None = None, shape: Shape | None = None
    ) -> Route: ...


class Rewriting:
    """One engine for any number of plug-ins, with its memory of the markers that routes refuse.

    Attributes:
        engine: The engine.
        accounting: Looks at each answer.
        retired: Whether it was taken away from in front of litellm, and is not to be asked any more.
        refused: How many requests were refused for their markers, by route.
        faults: What went wrong here, by kind; never raised into a request.
    """

    def __init__(
        self,
        engine: Rewriter,
        *,
        meets_bridged: bool = False,
        unmarked_for: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
        **told: Unpack[Told],
    ) -> None:
        """Put an engine in front of litellm.

        Args:
            engine: The engine.
            meets_bridged: Whether a chat request that litellm makes of one in another shape comes by, too.
            unmarked_for: How many seconds a route gets no such marker after it refused one; twice as many
                where it is refused again soon after, up to a day.
            clock: The time in seconds.
            told: Who is told of rewrites and answers.
        """
        _tell_of_another_litellm()
        self.replace(engine, **told)
        self._meets_bridged = meets_bridged
        self.retired = False
        self.refused: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self._unmarked_for = unmarked_for
        self._clock = clock
        self._paused: dict[_RouteKey, dict[Mark, _Pause]] = {}
        self._told: set[str] = set()

    def replace(self, engine: Rewriter, **told: Unpack[Told]) -> None:
        """Put another engine in the place of this one, and others who are told."""
        self.engine = engine
        self.accounting = Accounting(**told)
        self._metrics = told.get("metrics")

    def rewrite(
        self,
        request: dict[str, object],
        shape: Shape | None = None,
        *,
        without: frozenset[Mark] = frozenset(),
    ) -> dict[str, object]:
        """The request to send; the very one that was given where nothing changes. Never raises.

        Args:
            request: The request.
            shape: Its shape; by default told from it.
            without: Markers to leave out, beside those that its route refused a while ago.
        """
        if self._metrics is None:
            return self._rewrite(request, shape, without)
        started = time.perf_counter()
        sent = self._rewrite(request, shape, without)
        try:
            self._metrics.rewritten(time.perf_counter() - started, changed=sent is not request)
        except Exception as error:  # noqa: BLE001, a router must never fail because of its metrics
            self.fault(error, "a rewrite was not measured")
        return sent

    def _rewrite(
        self, request: dict[str, object], shape: Shape | None, without: frozenset[Mark]
    ) -> dict[str, object]:
        try:
            if is_disabled():
                return request
            if (
                shape == "responses"
                and self._meets_bridged
                and self.engine.route(request, shape=shape).bridged
            ):
                return request  # it comes by as a chat request, whose instructions can be marked, too
            refused = without | self.left_out(request, shape) if self._paused or without else without
            if refused:
                plan = self._plan(request, shape)
                sent = request if plan is None else plan.without(refused).request
                return request if sent is request else dict(sent)
            return self.engine.rewrite(request, shape=shape)
        except Exception as error:  # noqa: BLE001, a router must never fail because of a policy
            self.fault(error)
            return request

    def after(
        self,
        error: Exception,
        request: dict[str, object],
        sent: dict[str, object],
        shape: Shape | None = None,
    ) -> Refusal | None:
        """What a provider may have refused, and what to send in its place; None where no marker is ours.

        Nothing is left out yet: `convict` once what is sent in its place was taken. Never raises.
        """
        try:
            if sent is request or not _ABOUT_MARKERS.search(str(error)):
                return None
            plan = self._plan(request, shape)
            if plan is None:
                return None
            marks = frozenset(plan.marks.values())
            again = dict(plan.without(marks).request)
            return None if again == sent else Refusal(_route(request, shape), marks, again)
        except Exception as fault:  # noqa: BLE001, it must not hide why the call failed
            self.fault(fault, "a refusal was not noted")
            return None

    def convict(self, refusal: Refusal) -> None:
        """Leave such markers out on the route for a while; said once for each route."""
        key, now = refusal.route, self._clock()
        if len(self._paused) >= _MOST_ROUTES:
            self._paused.clear()
        paused = self._paused.get(key, {})
        made = {mark: _longer(paused.get(mark), now, self._unmarked_for) for mark in refusal.marks}
        self._paused[key] = {**paused, **made}
        name = _name(key)
        self.refused[name] += 1
        if name in self._told:
            return
        if len(self._told) >= _MOST_ROUTES:
            self._told.clear()
        self._told.add(name)
        seconds = max(pause.seconds for pause in made.values())
        rules = sorted(f"{mark.rule} on {mark.kind}" for mark in made)
        _log.warning(
            "%s refused a cache marker, and gets none of %s for %.0f seconds (logged once)",
            name,
            ", ".join(rules),
            seconds,
        )

    def left_out(self, request: dict[str, object], shape: Shape | None = None) -> frozenset[Mark]:
        """The markers that the route of a request refused a while ago, so that it gets none of them now."""
        pauses = self._paused.get(_route(request, shape)) if self._paused else None
        if not pauses:
            return frozenset()
        now = self._clock()
        return frozenset(mark for mark, pause in pauses.items() if now < pause.until)

    def _plan(self, request: dict[str, object], shape: Shape | None) -> Plan | None:
        """The plan of a request; None where there is none."""
        try:
            return self.engine.plan(request, shape=shape)
        except RequestError:
            return None
        except Exception as error:  # noqa: BLE001, a router must never fail because of a policy
            self.fault(error)
            return None

    def fault(self, error: Exception, what: str = "a request was passed on unchanged") -> None:
        """Count something that went wrong, and log its kind once."""
        kind = type(error).__name__
        self.faults[kind] += 1
        if self.faults[kind] == 1:
            _log.warning("%s after %s (logged once)", what, kind)
        if self._metrics is not None:
            with suppress(Exception):  # counted and logged above; the metrics may be what failed
                self._metrics.failed(kind)


@cache
def _tell_of_another_litellm() -> None:
    """Log, once in a process, that the catalog was observed on another litellm."""
    if sentence := difference(packaged_catalog()):
        _log.warning("%s", sentence)


def _longer(before: _Pause | None, now: float, seconds: float) -> _Pause:
    """The pause under way, or one that begins now: twice as long as one that ended not long ago."""
    if before is not None and now < before.until:
        return before
    if before is not None and now < before.until + before.seconds:
        seconds = min(2 * before.seconds, _LONGEST_PAUSE)
    return _Pause(now + seconds, seconds)


def _name(key: _RouteKey) -> str:
    provider, model, *_ = key
    return f"{provider}/{model.removeprefix(f'{provider}/')}" if provider else model


def _route(request: dict[str, object], shape: Shape | None) -> _RouteKey:
    given = (request.get(name) for name in ("custom_llm_provider", "model", "api_base"))
    provider, model, base = (value if isinstance(value, str) else "" for value in given)
    return provider, model, base, shape or detect_shape(request)
