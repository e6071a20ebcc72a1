"""Metrics of a router: what was rewritten, what the providers' caches did, and what went wrong.

Labels are bounded: routes are the catalog's names, of rules there are at most a hundred and then `other`,
of revisions the one in force, and nothing is named after a model, a client or a prompt. Needs the `metrics`
extra, or either of the two libraries.
"""

from __future__ import annotations

from collections import Counter as Count
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from opentelemetry.metrics import CallbackOptions, Meter, Observation
    from prometheus_client import CollectorRegistry

    from policy_cache.engine.plan import Arm, Plan
    from policy_cache.engine.state import Label
    from policy_cache.usage.account import Account
    from policy_cache.usage.attribution import Share
    from policy_cache.usage.usage import CacheUsage

_COUNTERS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "policy_cache_requests": ("Requests that an engine saw, by whether it changed them.", ("changed",)),
    "policy_cache_placements": ("What rules wanted, by how it ended.", ("route", "reason")),
    "policy_cache_breakpoints": (
        "Breakpoints of answered requests that a policy placed, by their lifetime.",
        ("route", "ttl"),
    ),
    "policy_cache_answers": (
        "Answered requests, by whether their session was cold or warm, and whether they read from the cache.",
        ("route", "start", "read"),
    ),
    "policy_cache_tokens": (
        "Tokens of answered requests, by kind, and by whether their session was cold or warm.",
        ("route", "kind", "start"),
    ),
    "policy_cache_cached_tokens": (
        "Tokens read from the cache and written to it, by who caused that.",
        ("route", "source", "kind"),
    ),
    "policy_cache_rule_tokens": (
        "Tokens read from the cache and written to it, by the rule that caused that.",
        ("rule", "kind"),
    ),
    "policy_cache_saved_usd": (
        "What caching saved where it saved, by who caused that.",
        ("route", "source"),
    ),
    "policy_cache_lost_usd": (
        "What caching cost where it cost more than it saved, by who caused that.",
        ("route", "source"),
    ),
    "policy_cache_model_switches": (
        "Answers of sessions that went on with another model, by the route that they went to.",
        ("route",),
    ),
    "policy_cache_model_switch_cost_usd": (
        "What a switch of model cost against staying, where it cost more.",
        ("route",),
    ),
    "policy_cache_model_switch_saved_usd": (
        "What a switch of model saved against staying, where it cost less.",
        ("route",),
    ),
    "policy_cache_experiment_answers": ("Answered requests of an experiment, by its policy.", ("arm",)),
    "policy_cache_experiment_tokens": (
        "Tokens of the prompts of an experiment, by its policy and by kind.",
        ("arm", "kind"),
    ),
    "policy_cache_experiment_cost_usd": (
        "What the prompts of an experiment cost, by its policy; those of unknown price are left out.",
        ("arm",),
    ),
    "policy_cache_pings": (
        "Pings that were sent to keep prefixes warm, by whether they read from the cache.",
        ("route", "read"),
    ),
    "policy_cache_ping_tokens": ("Tokens of pings, by kind.", ("route", "kind")),
    "policy_cache_ping_cost_usd": (
        "What pings cost, replies included; those of unknown price are left out.",
        ("route",),
    ),
    "policy_cache_pings_skipped": ("Pings that the budget forbade.", ("route",)),
    "policy_cache_pings_stopped": ("Why no more pings are sent, once for each that sends them.", ("kind",)),
    "policy_cache_odd_usages": ("Answers whose usage is missing or cannot be true.", ("kind",)),
    "policy_cache_errors": ("What went wrong and left a request unchanged.", ("kind",)),
}
_SECONDS = "policy_cache_rewrite_seconds"
_SECONDS_HELP = "How long an engine took for a request."
_BUCKETS = (0.000_02, 0.000_05, 0.000_1, 0.000_2, 0.000_5, 0.001, 0.005, 0.02, 0.1)
_POLICY = "policy_cache_policy_info"
_POLICY_HELP = "The policy in force: always 1."
_KINDS = ("read", "write_5m", "write_1h", "uncached", "output")
_MOST_KINDS = 50
_MOST_RULES = 100


class Sink(Protocol):
    """Where figures go."""

    def add(self, name: str, amount: float, labels: Mapping[str, str]) -> None:
        """Add to a counter."""

    def observe(self, seconds: float) -> None:
        """Note how long a rewrite took."""

    def in_force(self, policy: str, revision: str) -> None:
        """Note the policy's name and revision; they take the place of those before."""


class Metrics:
    """What a plug-in reports; hand it to `PolicyCacheHandler(engine, metrics=…)`."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._kinds: Count[str] = Count()
        self._rules: set[str] = set()
        self._policy: Label | None = None

    def rewritten(self, seconds: float, *, changed: bool) -> None:
        """An engine saw a request."""
        self._sink.observe(seconds)
        self._sink.add("policy_cache_requests", 1, {"changed": str(changed).lower()})

    def answered(self, plan: Plan, account: Account | None) -> None:
        """A request was answered; `account` is None where the answer came without usage."""
        if plan.policy != self._policy:
            self._policy = plan.policy
            self._sink.in_force(plan.policy.name, plan.policy.revision)
        route = plan.route.name or "unknown"
        for reason, number in Count(placement.reason for placement in plan.placements).items():
            self._sink.add("policy_cache_placements", number, {"route": route, "reason": reason})
        lifetimes = (p.ttl for p in plan.breakpoints if p.party == "policy" and p.slot is not None)
        for ttl, number in Count(lifetimes).items():
            self._sink.add("policy_cache_breakpoints", number, {"route": route, "ttl": ttl})
        if account is None:
            return
        usage, start = account.usage, account.start
        read = str(usage.read > 0).lower()
        self._sink.add("policy_cache_answers", 1, {"route": route, "start": start, "read": read})
        for kind in _KINDS:
            if tokens := getattr(usage, kind):
                self._sink.add("policy_cache_tokens", tokens, {"route": route, "kind": kind, "start": start})
        for share in account.shares:
            self._caused(route, share)
        if account.arm is not None:
            self._tried(account.arm, account)
        if account.switch is not None:
            self._sink.add("policy_cache_model_switches", 1, {"route": route})
            if cost := float(account.switch.cost or 0):
                name = "cost" if cost > 0 else "saved"
                self._sink.add(f"policy_cache_model_switch_{name}_usd", abs(cost), {"route": route})

    def _tried(self, arm: Arm, account: Account) -> None:
        self._sink.add("policy_cache_experiment_answers", 1, {"arm": arm})
        for kind in ("read", "write_5m", "write_1h", "uncached"):
            if tokens := getattr(account.usage, kind):
                self._sink.add("policy_cache_experiment_tokens", tokens, {"arm": arm, "kind": kind})
        if (paid := account.paid) is not None:
            self._sink.add("policy_cache_experiment_cost_usd", float(paid), {"arm": arm})

    def _caused(self, route: str, share: Share) -> None:
        source, rule = share.owner
        if rule and rule not in self._rules and len(self._rules) >= _MOST_RULES:
            rule = "other"
        elif rule:
            self._rules.add(rule)
        for kind in ("read", "write_5m", "write_1h"):
            if tokens := getattr(share, kind):
                labels = {"route": route, "source": source, "kind": kind}
                self._sink.add("policy_cache_cached_tokens", tokens, labels)
                if rule:
                    self._sink.add("policy_cache_rule_tokens", tokens, {"rule": rule, "kind": kind})
        if share.saved:
            name = "policy_cache_saved_usd" if share.saved > 0 else "policy_cache_lost_usd"
            self._sink.add(name, float(abs(share.saved)), {"route": route, "source": source})

    def pinged(self, route: str | None, usage: CacheUsage | None, paid: float | None) -> None:
        """A ping was sent; `usage` is None where it failed, or was answered without."""
        name = route or "unknown"
        read = str(usage is not None and usage.read > 0).lower()
        self._sink.add("policy_cache_pings", 1, {"route": name, "read": read})
        for kind in _KINDS if usage is not None else ():
            if tokens := getattr(usage, kind):
                self._sink.add("policy_cache_ping_tokens", tokens, {"route": name, "kind": kind})
        if paid:
            self._sink.add("policy_cache_ping_cost_usd", paid, {"route": name})

    def skipped(self, route: str | None) -> None:
        """A ping was not sent, for want of budget."""
        self._sink.add("policy_cache_pings_skipped", 1, {"route": route or "unknown"})

    def stopped(self, kind: str) -> None:
        """No more pings are sent: one `failed`, was `unread`, or its `usage` cannot be right."""
        self._sink.add("policy_cache_pings_stopped", 1, {"kind": kind})

    def odd(self, kind: str) -> None:
        """The usage of an answer is missing, or cannot be true."""
        self._sink.add("policy_cache_odd_usages", 1, {"kind": kind})

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
        from prometheus_client import REGISTRY, Counter, Gauge, Histogram  # noqa: PLC0415, an extra

        where = REGISTRY if registry is None else registry
        self._counters = {
            name: Counter(name, description, labels, registry=where)
            for name, (description, labels) in _COUNTERS.items()
        }
        self._seconds = Histogram(_SECONDS, _SECONDS_HELP, buckets=_BUCKETS, registry=where)
        self._policy = Gauge(_POLICY, _POLICY_HELP, ("policy", "revision"), registry=where)

    def add(self, name: str, amount: float, labels: Mapping[str, str]) -> None:
        """Add to a counter."""
        self._counters[name].labels(**labels).inc(amount)

    def observe(self, seconds: float) -> None:
        """Note how long a rewrite took."""
        self._seconds.observe(seconds)

    def in_force(self, policy: str, revision: str) -> None:
        """Note the policy's name and revision; they take the place of those before."""
        self._policy.clear()
        self._policy.labels(policy, revision).set(1)


class OpenTelemetry:
    """Figures for an OpenTelemetry meter."""

    def __init__(self, meter: Meter | None = None) -> None:
        """Create the instruments; of the process's own provider if no meter is given."""
        from opentelemetry.metrics import get_meter  # noqa: PLC0415, an extra

        meter = get_meter("policy_cache") if meter is None else meter
        self._counters = {
            name: meter.create_counter(name, description=description)
            for name, (description, _) in _COUNTERS.items()
        }
        self._seconds = meter.create_histogram(
            _SECONDS, unit="s", description=_SECONDS_HELP, explicit_bucket_boundaries_advisory=_BUCKETS
        )
        self._in_force: dict[str, str] | None = None
        meter.create_observable_gauge(_POLICY, [self._policy], description=_POLICY_HELP)

    def add(self, name: str, amount: float, labels: Mapping[str, str]) -> None:
        """Add to a counter."""
        self._counters[name].add(amount, dict(labels))

    def observe(self, seconds: float) -> None:
        """Note how long a rewrite took."""
        self._seconds.record(seconds)

    def in_force(self, policy: str, revision: str) -> None:
        """Note the policy's name and revision; they take the place of those before."""
        self._in_force = {"policy": policy, "revision": revision}

    def _policy(self, _: CallbackOptions) -> Iterable[Observation]:
        from opentelemetry.metrics import Observation  # noqa: PLC0415, an extra

        return [] if self._in_force is None else [Observation(1, self._in_force)]
