"""What is wrong with a policy: a code, a place, what was found, and the likely fix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from policy_cache.text.span import Path, Span
from policy_cache.text.words import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

Severity: TypeAlias = Literal["error", "warning"]

CODES = {
    "PC100": "no such file",
    "PC101": "the path is a directory",
    "PC102": "the file cannot be read",
    "PC103": "the file is too large",
    "PC104": "the file is not UTF-8",
    "PC105": "the file is UTF-16 or UTF-32",
    "PC106": "a control character",
    "PC107": "invalid YAML",
    "PC108": "an anchor or alias",
    "PC109": "a merge key",
    "PC110": "nested too deeply",
    "PC111": "too many values",
    "PC112": "an unknown tag",
    "PC113": "several documents",
    "PC114": "a duplicate key",
    "PC115": "a key that is not text",
    "PC116": "a number out of range",
    "PC117": "an empty file",
    "PC118": "a bare yes, no, on or off",
    "PC120": "an unknown field",
    "PC121": "a missing field",
    "PC122": "the wrong type",
    "PC123": "a value that is not allowed",
    "PC124": "an unsupported version",
    "PC125": "a number outside its limits",
    "PC126": "several actions",
    "PC127": "an empty value",
    "PC129": "a value the model refuses",
    "PC130": "a catalog entry that refers to nothing",
    "PC131": "an incomplete catalog entry",
    "PC132": "a catalog file in place of a policy",
    "PC133": "a test file in place of a policy",
    "PC201": "an invalid JSONPath",
    "PC202": "a path that can never match",
    "PC203": "a path outside the subset",
    "PC204": "a path that descends with `..`",
    "PC301": "a duplicate rule name",
    "PC302": "an unknown target",
    "PC303": "an invalid regular expression",
    "PC304": "a range that nothing is in",
    "PC305": "an action without targets",
    "PC306": "targets that the action cannot use",
    "PC307": "an unknown sampling key",
    "PC308": "an unknown placeholder",
    "PC309": "a path to the whole request",
    "PC310": "a number that loses its spelling",
    "PC311": "a `ttl` without effect",
    "PC312": "a rule that never acts",
    "PC313": "conditions that exclude each other",
    "PC314": "a rule behind a `stop`",
    "PC315": "a place that an earlier rule claims",
    "PC316": "more breakpoints than a provider takes",
    "PC317": "a target without a bound",
    "PC318": "a one-hour marker behind a shorter one",
    "PC319": "a model with its provider's prefix",
    "PC320": "an unknown provider",
    "PC321": "a marker that no provider takes",
    "PC322": "a TTL that no provider takes",
    "PC323": "a parameter that no provider takes",
    "PC324": "a field that no request has",
    "PC325": "a target that no route keeps",
    "PC326": "a model that no provider has",
    "PC327": "a sample that is not stable",
    "PC328": "a path that no message or tool meets",
    "PC329": "what is new in each request",
    "PC401": "names that differ in case alone",
    "PC402": "a value that another one covers",
    "PC403": "a `stop` that stops nothing",
}
"""Every code and its short title. 1xx: the file and its schema; 2xx: paths; 3xx: meaning; 4xx: style."""

UNREADABLE = frozenset({"PC100", "PC101", "PC102"})
"""The codes of a file that could not be read at all."""


@dataclass(frozen=True, slots=True)
class Label:
    """A further place that explains a diagnostic; on its own span, the text beside the caret."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Fix:
    """A change to the text that certainly mends what a diagnostic is about.

    Attributes:
        span: What to replace; empty to insert.
        text: What to write there.
    """

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One thing to fix, or to know, about a policy.

    Attributes:
        code: A key of `CODES`.
        severity: An error refuses the policy, a warning does not.
        message: What was found and what was expected, in one sentence.
        span: Where, or None when the file has no text to point at.
        path: The data path the diagnostic is about.
        labels: Further spans, or the primary span with the text for its caret.
        help: The likely fix.
        note: Background that explains the rule.
        file: The name of the policy file, as the user gave it.
        fix: The change that mends it, where that is certain.
    """

    code: str
    severity: Severity
    message: str
    span: Span | None = None
    path: Path = ()
    labels: tuple[Label, ...] = ()
    help: str | None = None
    note: str | None = None
    file: str = "<policy>"
    fix: Fix | None = None

    @property
    def unreadable(self) -> bool:
        """Whether the file could not be read at all."""
        return self.code in UNREADABLE

    def __str__(self) -> str:
        place = f":{self.span.line}:{self.span.column}" if self.span else ""
        return visible(f"{self.file}{place}: {self.severity}[{self.code}]: {self.message}")


def by_position(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Sort diagnostics the way a reader meets them: by file, place, severity and code; each once."""
    nowhere = Span(0, 0, 0, 0)
    return tuple(
        sorted(dict.fromkeys(diagnostics), key=lambda d: (d.file, d.span or nowhere, d.severity, d.code))
    )
