"""An engine in front of litellm: what each plug-in does with a request, and after a refusal."""

from __future__ import annotations

import logging
import re
import time
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from policy_cache.engine.engine import is_disabled
from policy_cache.errors import RequestError
from policy_cache.usage.accounting import Accounting

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Unpack

    from policy_cache.engine.plan import Plan
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


class Rewriter(Protocol):
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
    """One engine for any number of plug-ins, with its memory of routes that refuse markers.

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
            unmarked_for: How many seconds a route stays unmarked after it refused a marker.
            clock: The time in seconds.
            told: Who is told of rewrites and answers.
        """
        self.replace(engine, **told)
        self._meets_bridged = meets_bridged
        self.retired = False
        self.refused: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self._unmarked_for = unmarked_for
        self._clock = clock
        self._unmarked: dict[tuple[str, str, str], float] = {}

    def replace(self, engine: Rewriter, **told: Unpack[Told]) -> None:
        """Put another engine in the place of this one, and others who are told."""
        self.engine = engine
        self.accounting = Accounting(**told)
        self._metrics = told.get("metrics")

    def rewrite(self, request: dict[str, object], shape: Shape | None = None) -> dict[str, object]:
        """The request to send; the very one that was given where nothing changes. Never raises."""
        if self._metrics is None:
            return self._rewrite(request, shape)
        started = time.perf_counter()
        sent = self._rewrite(request, shape)
        try:
            self._metrics.rewritten(time.perf_counter() - started, changed=sent is not request)
        except Exception as error:  # noqa: BLE001, a router must never fail because of its metrics
            self.fault(error, "a rewrite was not measured")
        return sent

    def _rewrite(self, request: dict[str, object], shape: Shape | None) -> dict[str, object]:
        try:
            if is_disabled():
                return request
            if self._unmarked and self._is_unmarked(request):
                return self._without_markers(request, shape)
            if (
                shape == "responses"
                and self._meets_bridged
                and self.engine.route(request, shape=shape).bridged
            ):
                return request  # it comes by as a chat request, whose instructions can be marked, too
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
    ) -> dict[str, object] | None:
        """What to send once more after a provider refused a marker that was added; None otherwise.

        The route then stays unmarked for a while. Never raises.
        """
        if sent is request or not _ABOUT_MARKERS.search(str(error)):
            return None
        again = self._without_markers(request, shape)
        if again == sent:
            return None
        key = _route(request)
        if len(self._unmarked) >= _MOST_ROUTES:
            self._unmarked.clear()
        self._unmarked[key] = self._clock() + self._unmarked_for
        provider, model, _ = key
        name = f"{provider}/{model.removeprefix(f'{provider}/')}" if provider else model
        self.refused[name] += 1
        if self.refused[name] == 1:
            _log.warning(
                "%s refused a cache marker, and gets none for %.0f seconds (logged once)",
                name,
                self._unmarked_for,
            )
        return again

    def leaves_unmarked(self, request: dict[str, object]) -> bool:
        """Whether the route of a request refused a marker a while ago, so that it gets none now."""
        return bool(self._unmarked) and self._is_unmarked(request)

    def _is_unmarked(self, request: dict[str, object]) -> bool:
        key = _route(request)
        until = self._unmarked.get(key)
        if until is not None and self._clock() >= until:
            self._unmarked.pop(key, None)
            return False
        return until is not None

    def _without_markers(self, request: dict[str, object], shape: Shape | None) -> dict[str, object]:
        try:
            return dict(self.engine.plan(request, shape=shape).without_markers())
        except RequestError:
            return request
        except Exception as error:  # noqa: BLE001, a router must never fail because of a policy
            self.fault(error)
            return request

    def fault(self, error: Exception, what: str = "a request was passed on unchanged") -> None:
        """Count something that went wrong, and log its kind once."""
        kind = type(error).__name__
        self.faults[kind] += 1
        if self.faults[kind] == 1:
            _log.warning("%s after %s (logged once)", what, kind)
        if self._metrics is not None:
            with suppress(Exception):  # counted and logged above; the metrics may be what failed
                self._metrics.failed(kind)


def _route(request: dict[str, object]) -> tuple[str, str, str]:
    given = (request.get(name) for name in ("custom_llm_provider", "model", "api_base"))
    provider, model, base = (value if isinstance(value, str) else "" for value in given)
    return provider, model, base
