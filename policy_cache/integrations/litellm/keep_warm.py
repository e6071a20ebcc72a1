"""Keeping prefixes warm: one cheap request before an entry expires, where that is expected to pay."""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from collections import Counter, deque
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple, Protocol, Required, TypedDict

import litellm

from policy_cache.cache.cost import cost
from policy_cache.integrations.litellm.pinging import Held, ping_of
from policy_cache.lifetimes import FLOOR, costs
from policy_cache.providers.price_map import known_prices
from policy_cache.request.prompt import AREAS, Prompt
from policy_cache.text.words import cut
from policy_cache.usage.keeping import Keeping
from policy_cache.usage.totals import Totals
from policy_cache.usage.usage import CacheUsage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
    from typing import Unpack

    from policy_cache.engine.plan import Plan
    from policy_cache.lifetimes import Lifetimes
    from policy_cache.request.prompt import Shape
    from policy_cache.usage.keeping import Due

_log = logging.getLogger("policy_cache")
_HOUR = 3_600.0
# How often a waiting loop looks again: something due sooner may have come meanwhile.
_LOOKS_EVERY = 5.0


class PingFigures(Protocol):
    """What counts pings, such as `Metrics`."""

    def pinged(self, route: str | None, usage: CacheUsage | None, paid: float | None) -> None: ...
    def skipped(self, route: str | None) -> None: ...
    def stopped(self, kind: str) -> None: ...


class Bounds(TypedDict, total=False):
    """How far keeping warm may go, and who is told of it.

    Attributes:
        budget: USD that pings may cost in an hour.
        floor: USD that a ping must be expected to gain; 0.001 if left out.
        most: How many conversations' requests are held; 1,000 if left out.
        most_bytes: How large they may be together; 64 MiB if left out.
        metrics: Gets what is sent, what it cost, and why no more is.
        clock: The time, in seconds since the epoch.
    """

    budget: Required[float]
    floor: float
    most: int
    most_bytes: int
    metrics: PingFigures | None
    clock: Callable[[], float]


class _Ping(NamedTuple):
    """A ping that is under way, whose it is, and when it was sent."""

    keeping: Keeping[Held]
    due: Due[Held]
    at: float


def _check_bounds(budget: float, floor: float, most: int, most_bytes: int) -> None:
    """Refuse a bound that is none.

    Raises:
        ValueError: Which, what it is, and what it has to be.
    """
    for name, given, is_right, expected in (
        ("budget", budget, _is_finite(budget) and budget > 0, "a finite number above 0"),
        ("floor", floor, _is_finite(floor) and floor >= 0, "a finite number of at least 0"),
        ("most", most, _is_whole(most) and most >= 1, "a whole number of at least 1"),
        ("most_bytes", most_bytes, _is_whole(most_bytes) and most_bytes >= 1, "a whole number of at least 1"),
    ):
        if not is_right:
            raise ValueError(f"{name}: expected {expected}, found {cut(repr(given))}")


def _is_finite(given: object) -> bool:
    return isinstance(given, (int, float)) and not isinstance(given, bool) and abs(given) < math.inf


def _is_whole(given: object) -> bool:
    return isinstance(given, int) and not isinstance(given, bool)


class _Warmer:
    """What both ways of keeping warm share: all but who calls, and who waits.

    It holds the last request of each conversation in memory, as it was sent, and lets go of it once it is
    pinged no more. Nothing of it is logged or written. Safe between threads.

    Attributes:
        pings: What was sent, and what it cost, replies included.
        skipped: How many pings the budget forbade.
        stopped: Why no more are sent; None while they are.
        faults: What went wrong in who counts them, by kind of error.
    """

    def __init__(
        self,
        shapes: Collection[Shape],
        *,
        budget: float,
        floor: float = FLOOR,
        most: int = 1_000,
        most_bytes: int = 64 << 20,
        metrics: PingFigures | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Keep nothing warm yet: of requests of these shapes, and within `Bounds`.

        Raises:
            ValueError: A bound is none, or a shape.
        """
        _check_bounds(budget, floor, most, most_bytes)
        if not AREAS.keys() >= set(shapes):
            raise ValueError(f"a call is for one of the shapes {', '.join(AREAS)}")
        self._shapes = shapes
        self._metrics = metrics
        self.pings = Totals()
        self.skipped = 0
        self.stopped: str | None = None
        self.faults: Counter[str] = Counter()
        self._budget = budget
        self._floor = floor
        self._most = most
        self._most_bytes = most_bytes
        self._clock = clock
        self._bytes = 0
        self._counting = threading.Lock()
        self._spent: deque[tuple[float, float]] = deque()
        self._lifetimes: Lifetimes | None = None
        self._keeping: Keeping[Held] | None = None

    def answered(
        self,
        plan: Plan,
        usage: CacheUsage | None,
        lifetimes: Lifetimes,
        *,
        at: float | None = None,
        switches: bool = False,
    ) -> None:
        """A request was answered, and learned from.

        Args:
            plan: What was sent.
            usage: What the provider reported of it.
            lifetimes: What learned from it.
            at: When it was sent, in seconds since the epoch; by default now.
            switches: Whether lifetimes are chosen by what pays, by `ttl: auto`.
        """
        if self.stopped is not None:
            return
        if self._keeping is None or lifetimes is not self._lifetimes:
            if self._keeping is not None:
                self._keeping.clear()
            self._lifetimes = lifetimes
            self._keeping = Keeping(lifetimes, floor=self._floor, drop=self._let_go)
        keeping, route = self._keeping, plan.route
        held = ping_of(plan.request, route) if self._may_ping(plan, usage) else None
        of = lifetimes.conversation(Prompt(plan.original, route.shape))
        if held is None or usage is None:
            keeping.forget(of, route)
            return
        with self._counting:
            self._bytes += held.size
        keeping.answered(
            of,
            route,
            usage.outcome,
            known_prices(route.qualified),
            held,
            at=self._clock() if at is None else at,
            switches=switches,
            reply=held.reply,
        )
        while len(keeping) > self._most or (self._bytes > self._most_bytes and len(keeping)):
            keeping.forget_oldest()
        if len(keeping):
            self._wake()

    def close(self) -> None:
        """Let go of every request; nothing is sent any more until the next answer."""
        if self._keeping is not None:
            self._keeping.clear()

    def _may_ping(self, plan: Plan, usage: CacheUsage | None) -> bool:
        """Whether there is a call for a ping, and it is known what the request wrote.

        What litellm makes of an answer for the Responses API says how much was written, not for how long.
        """
        if usage is None or usage.unreadable or plan.route.shape not in self._shapes:
            return False
        return not plan.route.bridged or all(point.ttl != "1h" for point in plan.breakpoints)

    def _wake(self) -> None:
        """There is something to wait for."""

    def _let_go(self, held: Held) -> None:
        with self._counting:
            self._bytes -= held.size

    def _pause(self) -> float | None:
        """How many seconds to wait before looking again; None where nothing is held."""
        due = None if self._keeping is None or self.stopped is not None else self._keeping.next()
        return None if due is None else max(0.0, min(_LOOKS_EVERY, due - self._clock()))

    def _begin(self) -> _Ping | None:
        """The next ping to send now; None where there is none."""
        while (keeping := self._keeping) is not None and self.stopped is None:
            now = self._clock()
            due = keeping.take(now)
            if due is None:
                return None
            while self._spent and now - self._spent[0][0] >= _HOUR:
                self._spent.popleft()
            expected = costs(due.kept.stake, due.kept.prices) or 0.0
            if sum(paid for _, paid in self._spent) + expected <= self._budget:
                return _Ping(keeping, due, now)
            self._skip(keeping, due)
        return None

    def _answered(self, ping: _Ping, response: object) -> None:
        """A ping was answered: count it, say so, and go on unless it is not what it should be."""
        due, held = ping.due, ping.due.what
        usage = CacheUsage.from_response(response)
        if usage is None or usage.unreadable:
            self._tell(lambda metrics: metrics.pinged(held.route, None, None))
            self._stop(ping, "usage", "a ping's answer had no usage that can be right")
            return
        prices = due.kept.prices
        rates = prices and prices.for_prompt(usage.prompt)
        self.pings.ping(usage.outcome, rates, usage.output)
        paid = None if rates is None else cost(usage.outcome, rates, usage.output)
        self._spent.append((ping.at, float(paid or 0)))
        self._tell(lambda metrics: metrics.pinged(held.route, usage, None if paid is None else float(paid)))
        record = {
            "ping": True,
            "model": held.model,
            "provider": held.provider,
            "read": usage.read,
            "write_5m": usage.write_5m,
            "write_1h": usage.write_1h,
            "uncached": usage.uncached,
            "output": usage.output,
            "cost_usd": None if paid is None else float(paid),
            "gain_usd": due.gain,
        }
        _log.info("[cache] Kept warm: %d tokens", usage.read, extra={"policy_cache": record})
        if usage.written or not usage.read:
            self._stop(ping, "unread", "a ping wrote what it should have read")
        else:
            ping.keeping.renewed(due, ping.at)

    @contextmanager
    def _under_way(self, ping: _Ping) -> Iterator[None]:
        """Whatever goes wrong with a ping, no more are sent; one that is given up is let go of."""
        try:
            yield
        except Exception as error:  # noqa: BLE001, it is nobody's request, and nobody is to hear of it
            self._tell(lambda metrics: metrics.pinged(ping.due.what.route, None, None))
            self._stop(ping, "failed", f"a ping failed with {type(error).__name__}")
        except BaseException:
            ping.keeping.lost(ping.due)
            raise

    def _skip(self, keeping: Keeping[Held], due: Due[Held]) -> None:
        self.skipped += 1
        self._tell(lambda metrics: metrics.skipped(due.what.route))
        keeping.lost(due)

    def _tell(self, count: Callable[[PingFigures], object]) -> None:
        if self._metrics is None:
            return
        try:
            count(self._metrics)
        except Exception as error:  # noqa: BLE001, who counts pings must not end them
            kind = type(error).__name__
            self.faults[kind] += 1
            if self.faults[kind] == 1:
                _log.warning("a ping was not counted after %s (logged once)", kind)

    def _stop(self, ping: _Ping, kind: str, why: str) -> None:
        ping.keeping.lost(ping.due)
        if self.stopped is None:
            self.stopped = why
            self._tell(lambda metrics: metrics.stopped(kind))
            _log.warning("nothing is kept warm any more: %s", why)
        self.close()


class KeepWarm(_Warmer):
    """Keeps prefixes warm on the event loop that requests are answered on.

    ```python
    keep_warm = KeepWarm(budget=1.0)
    litellm.callbacks.append(PolicyCacheHandler(engine, keep_warm=keep_warm))
    ```

    A ping that fails, or does not read what it should, ends it: `stopped` says why.
    """

    def __init__(
        self,
        calls: Mapping[Shape, Callable[..., Awaitable[object]]] | None = None,
        *,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        **bounds: Unpack[Bounds],
    ) -> None:
        """Begin with nothing; a task is started by the first answer that is worth it.

        Args:
            calls: What sends a request of each shape; a shape without one is not pinged. By default
                `litellm.acompletion`, `litellm.anthropic_messages` and `litellm.aresponses`.
            sleep: Waits for so many seconds.
            bounds: How far it may go; see `Bounds`.
        """
        if calls is None:
            calls = {
                "chat": litellm.acompletion,
                "messages": litellm.anthropic_messages,
                "responses": litellm.aresponses,
            }
        super().__init__(calls, **bounds)
        self._calls = calls
        self._sleep = sleep
        self._task: asyncio.Task[None] | None = None

    async def send_due(self) -> int:
        """Send what is due now; how many that were."""
        sent = 0
        while (ping := self._begin()) is not None:
            sent += 1
            with self._under_way(ping):
                held = ping.due.what
                self._answered(ping, await self._calls[held.shape](**held.request))
        return sent

    def close(self) -> None:
        """Let go of every request, and end the task."""
        super().close()
        self._end()

    def _wake(self) -> None:
        task = self._task
        # On a loop that was closed, or that runs no more, a task waits for ever.
        if task is not None and not task.done() and task.get_loop().is_running():
            return
        with suppress(RuntimeError):  # no loop runs here: the next answer may find one
            loop = asyncio.get_running_loop()
            self._end()
            self._task = loop.create_task(self._run())

    def _end(self) -> None:
        if self._task is not None:
            with suppress(RuntimeError):  # its loop is closed
                self._task.cancel()
            self._task = None

    async def _run(self) -> None:
        while (pause := self._pause()) is not None:
            await self._sleep(pause)
            await self.send_due()


class KeepWarmThread(_Warmer):
    """The same in a daemon thread of its own, for synchronous calls."""

    def __init__(
        self,
        calls: Mapping[Shape, Callable[..., object]] | None = None,
        *,
        sleep: Callable[[float], object] | None = None,
        **bounds: Unpack[Bounds],
    ) -> None:
        """Begin with nothing; the thread is started by the first answer that is worth it.

        Args:
            calls: What sends a request of each shape; a shape without one is not pinged. By default
                `litellm.completion` and `litellm.responses`: litellm has none for Anthropic's shape.
            sleep: Waits for so many seconds; by default until `close`, at most.
            bounds: How far it may go; see `Bounds`.
        """
        if calls is None:
            calls = {"chat": litellm.completion, "responses": litellm.responses}
        super().__init__(calls, **bounds)
        self._calls = calls
        self._closed = threading.Event()
        self._sleep = sleep or self._closed.wait
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def send_due(self) -> int:
        """Send what is due now; how many that were."""
        sent = 0
        while (ping := self._begin()) is not None:
            sent += 1
            with self._under_way(ping):
                held = ping.due.what
                self._answered(ping, self._calls[held.shape](**held.request))
        return sent

    def close(self) -> None:
        """Let go of every request, and end the thread."""
        super().close()
        self._closed.set()

    def _wake(self) -> None:
        with self._lock:
            self._closed.clear()  # a thread that still waits for a ping goes on
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="policy-cache-keep-warm", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while self._goes_on():
            pause = self._pause()
            self._sleep(_LOOKS_EVERY if pause is None else pause)
            self.send_due()

    def _goes_on(self) -> bool:
        with self._lock:  # so that an answer finds a thread that goes on, or none
            if not self._closed.is_set():
                return True
            self._thread = None
            return False
