"""Metrics of a router: what was rewritten, what the providers' caches did, and what went wrong.

Labels are bounded: routes are the catalog's names, and nothing is named after a model, a client or a
prompt. Needs the `metrics` extra, or either of the two libraries.
"""

from __future__ import annotations

from collections import Counter as Count
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.metrics import Meter
    from prometheus_client import CollectorRegistry

    from policy_cache.engine.plan import Plan
    from policy_cache.integrations.usage import CacheUsage

_COUNTERS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "policy_cache_requests": ("Requests that an engine saw, by whether it changed them.", ("changed",)),
    "policy_cache_placements": ("What rules wanted, by how it ended.", ("route", "reason")),
    "policy_cache_tokens": ("Tokens of answered requests, by kind.", ("route", "kind")),
    "policy_cache_errors": ("What went wrong and left a request unchanged.", ("kind",)),
}
_SECONDS = "policy_cache_rewrite_seconds"
_SECONDS_HELP = "How long an engine took for a request."
_BUCKETS = (0.000_02, 0.000_05, 0.000_1, 0.000_2, 0.000_5, 0.001, 0.005, 0.02, 0.1)
_MOST_KINDS = 50


class Sink(Protocol):
    """Where figures go."""

    def add(self, name: str, amount: float, labels: Mapping[str, str]) -> None:
        """Add to a counter."""

    def observe(self, seconds: float) -> None:
        """Note how long a rewrite took."""


class Metrics:
    """What a plug-in reports; hand it to `PolicyCacheHandler(engine, metrics=…)`."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._kinds: Count[str] = Count()

    def rewritten(self, seconds: float, *, changed: bool) -> None:
        """An engine saw a request."""
        self._sink.observe(seconds)
        self._sink.add("policy_cache_requests", 1, {"changed": str(changed).lower()})

    def answered(self, plan: Plan, usage: CacheUsage | None) -> None:
        """A request was answered."""
        route = plan.route.name or "unknown"
        for reason, number in Count(one.reason for one in plan.placements).items():
            self._sink.add("policy_cache_placements", number, {"route": route, "reason": reason})
        if usage is not None:
            for kind in ("read", "write_5m", "write_1h", "uncached", "output"):
                if tokens := getattr(usage, kind):
                    self._sink.add("policy_cache_tokens", tokens, {"route": route, "kind": kind})

    def failed(self, kind: str) -> None:
        """Something went wrong; after some fifty kinds, further ones count as `other`."""
        if kind not in self._kinds and len(self._kinds) >= _MOST_KINDS:
            kind = "other"
        self._kinds[kind] += 1
        self._sink.add("policy_cache_errors", 1, {"kind": kind})


class Prometheus:
    """Figures for a Prometheus registry."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        """Register the metrics; in the process's own registry if none is given."""
        from prometheus_client import REGISTRY, Counter, Histogram  # noqa: PLC0415, an extra

        where = REGISTRY if registry is None else registry
        self._counters = {
            name: Counter(name, said, labels, registry=where) for name, (said, labels) in _COUNTERS.items()
        }
        self._seconds = Histogram(_SECONDS, _SECONDS_HELP, buckets=_BUCKETS, registry=where)

    def add(self, name: str, amount: float, labels: Mapping[str, str]) -> None:
        """Add to a counter."""
        self._counters[name].labels(**labels).inc(amount)

    def observe(self, seconds: float) -> None:
        """Note how long a rewrite took."""
        self._seconds.observe(seconds)


class OpenTelemetry:
    """Figures for an OpenTelemetry meter."""

    def __init__(self, meter: Meter | None = None) -> None:
        """Create the instruments; of the process's own provider if no meter is given."""
        from opentelemetry.metrics import get_meter  # noqa: PLC0415, an extra

        meter = get_meter("policy_cache") if meter is None else meter
        self._counters = {
            name: meter.create_counter(name, description=said) for name, (said, _) in _COUNTERS.items()
        }
        self._seconds = meter.create_histogram(
            _SECONDS, unit="s", description=_SECONDS_HELP, explicit_bucket_boundaries_advisory=_BUCKETS
        )

    def add(self, name: str, amount: float, labels: Mapping[str, str]) -> None:
        """Add to a counter."""
        self._counters[name].add(amount, dict(labels))

    def observe(self, seconds: float) -> None:
        """Note how long a rewrite took."""
        self._seconds.record(seconds)
