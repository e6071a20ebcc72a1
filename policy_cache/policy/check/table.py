"""The table of codes: a title, a severity, and the check that reports it.

A check is a generator of findings. Its docstring, or that of its module, explains its codes, each with an
example that yields it and one that does not; `explanation` reads them.

PC129: the model refuses a value that every check let pass.

This is a net below the checks, and no policy is known that falls into it: please report one that does.

PC130: an entry of a catalog file refers to nothing.

Bad:
    version: 1
    routes:
      - {name: groq, providers: [grok]}
Good:
    version: 1
    routes:
      - {name: groq, providers: [groq]}

PC131: an entry of a catalog file is new, and not whole.

Bad:
    version: 1
    routes:
      - {name: acme, providers: [groq]}
Good:
    version: 1
    routes:
      - {name: acme, providers: [groq], mechanism: none}
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from policy_cache.policy.check.meaning import change, condition, contradiction, order, path, rule
from policy_cache.policy.check.reach import breakpoints, model_names, routes
from policy_cache.policy.check.shape import departure, kind
from policy_cache.policy.text import compose, file, source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from policy_cache.diagnostics import Severity
    from policy_cache.policy.check.finding import Finding
    from policy_cache.policy.check.reach.routes import Routes
    from policy_cache.policy.text.source import Source

    Check: TypeAlias = Callable[[Source], Iterator[Finding]]
    RouteCheck: TypeAlias = Callable[[Source, Routes], Iterator[Finding]]


@dataclass(frozen=True, slots=True)
class Code:
    """A line of the table. Which field names the check says when it is made.

    Attributes:
        title: What is wrong, in a few words.
        severity: An error refuses the policy, a warning does not.
        reading: What reports it while the file is read.
        shape: The check of the data against the schema.
        meaning: A check of any data, whatever else is wrong with it.
        valid: A check of a policy without errors.
        reach: A check of a policy without errors, with the routes of the catalog.
    """

    title: str
    severity: Severity
    reading: Callable[..., object] | None = None
    shape: Callable[..., Iterator[Finding]] | None = None
    meaning: Check | None = None
    valid: Check | None = None
    reach: RouteCheck | None = None

    @property
    def check(self) -> Callable[..., object] | None:
        """What reports it; None for what is found outside this room."""
        return self.reading or self.shape or self.meaning or self.valid or self.reach


TABLE = {
    "PC100": Code("no such file", "error", reading=file.read_bytes),
    "PC101": Code("the path is a directory", "error", reading=file.read_bytes),
    "PC102": Code("the file cannot be read", "error", reading=file.read_bytes),
    "PC103": Code("the file is too large", "error", reading=file.check_size),
    "PC104": Code("the file is not UTF-8", "error", reading=file.decode),
    "PC105": Code("the file is UTF-16 or UTF-32", "error", reading=file.decode),
    "PC106": Code("a control character", "error", reading=file.check_characters),
    "PC107": Code("invalid YAML", "error", reading=compose.compose),
    "PC108": Code("an anchor or alias", "error", reading=compose.compose),
    "PC109": Code("a merge key", "error", reading=compose.compose),
    "PC110": Code("nested too deeply", "error", reading=compose.compose),
    "PC111": Code("too many values", "error", reading=compose.compose),
    "PC112": Code("an unknown tag", "error", reading=compose.compose),
    "PC113": Code("several documents", "error", reading=compose.compose),
    "PC114": Code("a duplicate key", "error", reading=compose.compose),
    "PC115": Code("a key that is not text", "error", reading=compose.compose),
    "PC116": Code("a number out of range", "error", reading=compose.compose),
    "PC117": Code("an empty file", "error", reading=source.parse),
    "PC118": Code("a bare yes, no, on or off", "warning", reading=compose.compose),
    "PC120": Code("an unknown field", "error", shape=departure.departures),
    "PC121": Code("a missing field", "error", shape=departure.departures),
    "PC122": Code("the wrong type", "error", shape=departure.departures),
    "PC123": Code("a value that is not allowed", "error", shape=departure.departures),
    "PC124": Code("an unsupported version", "error", shape=departure.departures),
    "PC125": Code("a number outside its limits", "error", shape=departure.departures),
    "PC126": Code("several actions", "error", shape=departure.departures),
    "PC127": Code("an empty value", "error", shape=departure.departures),
    "PC129": Code("a value the model refuses", "error"),
    "PC130": Code("a catalog entry that refers to nothing", "error"),
    "PC131": Code("an incomplete catalog entry", "error"),
    "PC132": Code("a catalog file in place of a policy", "error", reading=kind.other_kinds),
    "PC133": Code("a test file in place of a policy", "error", reading=kind.other_kinds),
    "PC201": Code("an invalid JSONPath", "error", meaning=path.invalid_paths),
    "PC202": Code("a path that can never match", "error", meaning=path.invalid_paths),
    "PC203": Code("a path outside the subset", "error", meaning=path.invalid_paths),
    "PC204": Code("a path that descends with `..`", "warning", meaning=path.invalid_paths),
    "PC301": Code("a duplicate rule name", "error", meaning=rule.duplicate_names),
    "PC302": Code("an unknown target", "error", shape=departure.departures),
    "PC303": Code("an invalid regular expression", "error", meaning=condition.patterns),
    "PC304": Code("a range that nothing is in", "error", meaning=condition.ranges),
    "PC305": Code("an action without targets", "error", meaning=rule.action_targets),
    "PC306": Code("targets that the action cannot use", "error", meaning=rule.action_targets),
    "PC307": Code("an unknown sampling key", "error", shape=departure.departures),
    "PC308": Code("an unknown placeholder", "error", meaning=rule.placeholders),
    "PC309": Code("a path to the whole request", "error", shape=departure.departures),
    "PC310": Code("a number that loses its spelling", "warning", meaning=condition.spellings),
    "PC311": Code("a `ttl` without effect", "warning", meaning=rule.idle_lifetimes),
    "PC312": Code("a rule that never acts", "warning", meaning=rule.idle_rules),
    "PC313": Code("conditions that exclude each other", "warning", valid=contradiction.contradictions),
    "PC314": Code("a rule behind a `stop`", "warning", valid=order.late_rules),
    "PC315": Code("a place that an earlier rule claims", "warning", valid=order.late_rules),
    "PC316": Code("more breakpoints than a provider takes", "warning", reach=breakpoints.budgets),
    "PC317": Code("a target without a bound", "warning", reach=breakpoints.budgets),
    "PC318": Code("a one-hour marker behind a shorter one", "warning", valid=order.late_lifetimes),
    "PC319": Code("a model with its provider's prefix", "warning", reach=routes.unreachable),
    "PC320": Code("an unknown provider", "warning", reach=routes.unreachable),
    "PC321": Code("a marker that no provider takes", "warning", reach=routes.unreachable),
    "PC322": Code("a TTL that no provider takes", "warning", reach=routes.unreachable),
    "PC323": Code("a parameter that no provider takes", "warning", reach=routes.unreachable),
    "PC324": Code("a field that no request has", "warning", valid=path.foreign_paths),
    "PC325": Code("a target that no route keeps", "warning", reach=breakpoints.lost_markers),
    "PC326": Code("a model that no provider has", "warning", valid=model_names.unknown_models),
    "PC327": Code("a sample that is not stable", "warning", valid=change.fresh_samples),
    "PC328": Code("a path that no message or tool meets", "warning", valid=path.unmet_paths),
    "PC329": Code("what is new in each request", "warning", valid=change.fresh_prefixes),
    "PC330": Code("caching that no provider has", "warning", reach=routes.unreachable),
    "PC331": Code("a boundary that is absent, or without effect", "error", meaning=rule.boundaries),
    "PC401": Code("names that differ in case alone", "warning", valid=rule.similar_names),
    "PC402": Code("a value that another one covers", "warning", valid=condition.covered_values),
    "PC403": Code("a `stop` that stops nothing", "warning", valid=order.idle_stops),
}
"""Every code, in order. 1xx: the file and its schema; 2xx: paths; 3xx: meaning; 4xx: style."""
