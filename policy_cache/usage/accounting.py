"""Accounting: each answer is looked at once, and whoever asked is told."""

from __future__ import annotations

import logging
import time
from collections import Counter
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypedDict

from policy_cache.cache.named import Reader
from policy_cache.errors import RequestError
from policy_cache.request.metadata import carried_metadata
from policy_cache.request.prompt import Prompt
from policy_cache.request.session import session_of
from policy_cache.usage.account import account_of
from policy_cache.usage.log import log_usage
from policy_cache.usage.sessions import Sessions
from policy_cache.usage.usage import CacheUsage

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from typing import Unpack

    from policy_cache.engine.engine import Answer, CompiledPolicy
    from policy_cache.engine.plan import Mark, Plan
    from policy_cache.lifetimes import Lifetimes
    from policy_cache.request.prompt import Shape
    from policy_cache.usage.account import Account, Switch

_log = logging.getLogger("policy_cache")

Asked: TypeAlias = "tuple[dict[str, object], Shape]"
"""A request that was made into one of another shape before it was rewritten, and its own."""

PING = "policy_cache_ping"
"""What the metadata of a ping has: a request that nobody asked for, sent to keep a prefix warm."""


def is_ping(request: Mapping[str, object]) -> bool:
    """Whether a request is one."""
    return carried_metadata(request).get(PING) is True


class Recorder(Protocol):
    """What writes down answered requests, such as a `TraceRecorder`."""

    def record(
        self,
        request: Mapping[str, object],
        *,
        response: object = None,
        session: str | None = None,
        policy: Mapping[str, object] | None = None,
        ts: float | None = None,
    ) -> bool: ...


class Figures(Protocol):
    """What counts rewrites and answers, such as `Metrics`."""

    def rewritten(self, seconds: float, *, changed: bool) -> None: ...
    def answered(self, plan: Plan, account: Account | None) -> None: ...
    def odd(self, kind: str) -> None: ...
    def failed(self, kind: str) -> None: ...


class Sums(Protocol):
    """What adds up accounts, such as a `Ledger`."""

    def add(self, account: Account) -> None: ...


class Alarm(Protocol):
    """What watches whether sessions read their cache, such as a `CollapseAlarm`."""

    def answered(self, plan: Plan, usage: CacheUsage) -> object: ...


class Warm(Protocol):
    """What learns which prefixes are cached, such as a `Warmth`."""

    def answered(self, plan: Plan, usage: CacheUsage | None, *, at: float | None = None) -> Switch | None: ...


class KeepsWarm(Protocol):
    """What pings prefixes before they expire, such as a `KeepWarm`."""

    def answered(
        self,
        plan: Plan,
        usage: CacheUsage | None,
        lifetimes: Lifetimes,
        *,
        at: float | None = None,
        switches: bool = False,
    ) -> None: ...


class Shows(Protocol):
    """What shows what happens as it happens, such as a `Live`."""

    def answered(
        self, plan: Plan, account: Account | None, *, session: str | None = None, at: float | None = None
    ) -> None: ...


class Told(TypedDict, total=False):
    """Who is told of answers; what a plug-in takes beside its engine.

    Attributes:
        recorder: Gets each answered request, as it came.
        metrics: Gets what was rewritten, answered, and went wrong.
        alarm: Warns when a session stops reading its cache.
        ledger: Adds up what the caches did.
        warmth: Learns which prefixes are cached where.
        keep_warm: Pings prefixes before they expire.
        live: Shows what the caches do, and why they are not read.
    """

    recorder: Recorder | None
    metrics: Figures | None
    alarm: Alarm | None
    ledger: Sums | None
    warmth: Warm | None
    keep_warm: KeepsWarm | None
    live: Shows | None


class Planner(Protocol):
    """What accounting needs of an engine."""

    def engine_of(self, request: Mapping[str, object], *, shape: Shape | None = None) -> CompiledPolicy: ...

    def plan(self, request: dict[str, object], *, shape: Shape | None = None) -> Plan: ...

    def learn(self, request: dict[str, object], **answer: Unpack[Answer]) -> None: ...


class _Apart:
    """Keeps parts apart: one that raises costs the others nothing.

    Attributes:
        errors: What they raised.
    """

    def __init__(self) -> None:
        self.errors: list[Exception] = []

    def __enter__(self) -> None:
        """Begin a part, which may be within another."""

    def __exit__(self, _: object, error: BaseException | None, __: object) -> bool:
        """Note what a part raised; what ends a process goes on."""
        if not isinstance(error, Exception):
            return False
        self.errors.append(error)
        return True


class Accounting:
    """Logs what each answer says of the cache, and hands it on.

    Attributes:
        odd: Answers that came without usage, as `missing`, or with figures that cannot be true, by what is
            wrong with them. Each kind is logged once.
    """

    def __init__(
        self,
        *,
        recorder: Recorder | None = None,
        metrics: Figures | None = None,
        alarm: Alarm | None = None,
        ledger: Sums | None = None,
        warmth: Warm | None = None,
        keep_warm: KeepsWarm | None = None,
        live: Shows | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Name who is told; see `Told`."""
        self.odd: Counter[str] = Counter()
        self._recorder = recorder
        self._metrics = metrics
        self._alarm = alarm
        self._ledger = ledger
        self._warmth = warmth
        self._keep_warm = keep_warm
        self._live = live
        self._clock = clock
        self._sessions = Sessions()
        self._reader = Reader()
        told = (recorder, metrics, alarm, ledger, warmth, keep_warm, live)
        self._always = any(listener is not None for listener in told)

    def answered(
        self,
        engine: Planner,
        request: dict[str, object],
        response: object,
        *,
        shape: Shape | None = None,
        left_out: Collection[Mark] = (),
        at: float | None = None,
        asked: Asked | None = None,
    ) -> None:
        """Account for an answer; that of a ping is its sender's to account for.

        Args:
            engine: What rewrote the request.
            request: The request as it came.
            response: Anything that `CacheUsage.from_response` reads.
            shape: The request's shape; by default told from it.
            left_out: The policy's markers that it was sent without, since its route refuses them.
            at: When it was sent, in seconds since the epoch; by default now.
            asked: What it was made of; its conversation goes on in that shape, and is asked about in it.

        Raises:
            ExceptionGroup: What those who are told raised; the others were told even so.
        """
        if is_ping(request):
            return
        usage = CacheUsage.from_response(response)
        apart = _Apart()
        with apart:
            self._look(usage)
        told = (None, None) if usage is None or usage.unreadable else (usage.read, usage.written)
        anyway = self._keep_warm is not None
        with apart:
            engine.learn(request, shape=shape, at=at, read=told[0], written=told[1], anyway=anyway)
        plan, account, session = None, None, None
        if self._always or (usage is not None and (usage.read or usage.written)):
            with apart:
                plan = engine.plan(request, shape=shape).without(left_out)
                known = session_of(Prompt(plan.original, plan.route.shape), plan.route.model)
                session = known.hex()
                switch = None
                if self._warmth is not None:
                    with apart:
                        switch = self._warmth.answered(_asked(engine, asked, left_out) or plan, usage, at=at)
                if self._keep_warm is not None:
                    with apart:
                        by = engine.engine_of(request, shape=shape)
                        self._keep_warm.answered(plan, usage, by.lifetimes, at=at, switches=by.learns)
                if usage is not None:
                    start = self._sessions.start(known, self._clock(), usage, plan.route.cache)
                    account = account_of(plan, usage, start, switch, session=known, reader=self._reader)
        if self._recorder is not None:
            with apart:
                policy = None if account is None else account.line()
                self._recorder.record(request, response=response, session=session, policy=policy, ts=at)
        # Without an account, it would pass for an answer without usage.
        if plan is not None and (account is not None or usage is None):
            self._tell(apart, plan, account, session, at)
        if apart.errors:
            raise ExceptionGroup("an answer was not told to all", apart.errors)

    def _tell(
        self, apart: _Apart, plan: Plan, account: Account | None, session: str | None, at: float | None
    ) -> None:
        if self._metrics is not None:
            with apart:
                self._metrics.answered(plan, account)
        if account is not None and self._ledger is not None:
            with apart:
                self._ledger.add(account)
        if account is not None and self._alarm is not None:
            with apart:
                self._alarm.answered(plan, account.usage)
        if account is not None:
            with apart:
                log_usage(
                    account.usage,
                    model=plan.route.model,
                    provider=plan.route.provider,
                    route=account.route,
                    rules=account.rules,
                    revision=account.revision,
                    saved=account.saved,
                )
        if self._live is not None:
            with apart:
                self._live.answered(plan, account, session=session, at=at)

    def _look(self, usage: CacheUsage | None) -> None:
        kinds = ("missing",) if usage is None else usage.unreadable
        for kind in kinds:
            self.odd[kind] += 1
            if self.odd[kind] == 1:
                _log.warning("an answer's usage is not right: %s (logged once)", kind)
        if self._metrics is not None:
            for kind in kinds:
                self._metrics.odd(kind)


def _asked(engine: Planner, asked: Asked | None, left_out: Collection[Mark]) -> Plan | None:
    """The plan of what a request was made of; None where it is the request itself."""
    if asked is None:
        return None
    request, shape = asked
    try:
        return engine.plan(request, shape=shape).without(left_out)
    except RequestError:
        return None
