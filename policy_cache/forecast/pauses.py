"""The shape of a trace: how its sessions pause, per model."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING

from policy_cache.cache.memo import Memo
from policy_cache.errors import RequestError

if TYPE_CHECKING:
    from policy_cache.live.engine import Engine
    from policy_cache.trace.record import TraceRecord

_MOST_SESSIONS = 200_000
_FIVE_MINUTES, _HOUR = 300.0, 3_600.0
_FEWEST = 20
_EARLIER = 0.7


@dataclass(slots=True)
class Pauses:
    """The requests to one model, and the pauses between those of a session.

    Attributes:
        requests: How many requests.
        sessions: How many sessions.
        short: How many pauses are within five minutes.
        long: How many more are within an hour.
        longer: How many are longer.
    """

    requests: int = 0
    sessions: int = 0
    short: int = 0
    long: int = 0
    longer: int = 0

    def add(self, pause: float | None) -> None:
        """Take a request, and its pause in seconds; None for the first of a session."""
        self.requests += 1
        if pause is None:
            self.sessions += 1
        elif pause < _FIVE_MINUTES:
            self.short += 1
        elif pause < _HOUR:
            self.long += 1
        else:
            self.longer += 1


class Survey:
    """One look at a trace.

    Attributes:
        models: By litellm's provider and model.
    """

    def __init__(self, router: Engine) -> None:
        """Begin a look; `router` tells where requests go."""
        self.models: dict[tuple[str, str], Pauses] = {}
        self._router = router
        self._last: Memo[tuple[str, str, tuple[str, str]], float] = Memo(_MOST_SESSIONS)
        self._times = array("d")

    def add(self, record: TraceRecord) -> None:
        """Look at a request; one that cannot be planned is passed over."""
        model = self.model(record)
        if model is None:
            return
        key = (record.scope, record.session, model)
        before = self._last.get(key)
        self._last.put(key, record.at)
        self._times.append(record.at)
        self.models.setdefault(model, Pauses()).add(None if before is None else record.at - before)

    def model(self, record: TraceRecord) -> tuple[str, str] | None:
        """The provider, as litellm names it, and the model of a request; None where it cannot be planned."""
        try:
            route = self._router.facts(record.request).route
        except RequestError:
            return None
        return route.provider, route.model

    def split(self) -> float | None:
        """When the later part of the trace begins; None where it is too small to have one."""
        if len(self._times) < _FEWEST:
            return None
        at = self._times[int(len(self._times) * _EARLIER)]
        return at if at > self._times[0] else None
