"""What can be wrong with a test file beyond its schema, and what its short forms stand for.

Each check is a generator over the raw data, so that it also finds what it can in a file that is
wrong elsewhere. Its docstring is the documentation of its codes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from policy_cache.errors import PathError
from policy_cache.policy.check.finding import Finding, did_you_mean
from policy_cache.policy.check.meaning.path import refused_path
from policy_cache.policy.check.walk import repeated_names
from policy_cache.request.path import compile_path
from policy_cache.text.words import listed, quoted, suggest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from policy_cache.diagnostics import Path
    from policy_cache.policy.text.source import Source
    from policy_cache.request.location import Location

CODES = {
    "PC501": "a duplicate test name",
    "PC502": "a test file without its policy",
    "PC503": "a rule that the policy does not have",
    "PC504": "a path that does not name one place",
    "PC505": "an invalid repeated text",
    "PC506": "a request that cannot be used",
    "PC507": "a request that litellm does not send",
    "PC510": "a test that expects nothing",
    "PC511": "other breakpoints",
    "PC512": "a change, or none",
    "PC513": "other parameters",
    "PC514": "other reasons",
    "PC515": "other markers on the wire",
}
"""Every code that is of tests alone, with its short title; 51x: a test that failed."""

CLIENT = "(client)"
"""Whose a breakpoint is that the request came with; no rule is called so."""

FIELDS = ("repeat", "times")
LONGEST = 10_000_000
"""Characters that one text may have."""

_HOLDERS = frozenset({"content", "text", "system", "description"})


def check(source: Source) -> Iterator[Finding]:
    """Run every check that needs no policy."""
    yield from duplicate_names(source)
    yield from places(source)
    yield from repeated_texts(source)


def duplicate_names(source: Source) -> Iterator[Finding]:
    """PC501: two tests have the same name, which selects a test and stands for it in reports."""
    yield from repeated_names(_cases(source), "PC501", "tests")


def places(source: Source) -> Iterator[Finding]:
    """PC504: a path that may name several places, or counts from the end.

    What is no path at all has the codes that it has in a policy: PC201, PC202, PC203.
    """
    for path, text in _places(source):
        try:
            location_of(text)
        except PathError as error:
            finding = refused_path(path, text, error)
            yield replace(finding, message=error.message) if error.code == "PC504" else finding


def location_of(text: str) -> Location:
    """The one place that a path names.

    Raises:
        PathError: It is not a path, or does not name one place.
    """
    keys = compile_path(text).keys
    if keys is None:
        fix = "a test names one place, by names and indexes: `$['tools'][2]`"
        raise PathError(f"{quoted(text)} may name several places", help=fix, code="PC504")
    if any(isinstance(key, int) and key < 0 for key in keys):
        fix = "an index counts from the start here: `$['tools'][2]`"
        raise PathError(f"{quoted(text)} counts from the end", help=fix, code="PC504")
    return keys


def repeated_texts(source: Source) -> Iterator[Finding]:
    """PC505: `{repeat:, times:}` that is not a text and a number of times, or that is too long."""
    for case_path, case in _cases(source):
        for path, value in repeats(case.get("request"), (*case_path, "request")):
            yield from _repeat(path, value)


def _repeat(path: Path, value: dict[str, Any]) -> Iterator[Finding]:
    for name in value:
        if name not in FIELDS:
            close = suggest(name, [field for field in FIELDS if field not in value])
            message = f"unknown field {quoted(name)} beside `repeat`"
            help_ = None if close else f"allowed here: {listed(FIELDS)}"
            yield Finding("PC120", message, (*path, name), help_, key=True, hint=did_you_mean(close))
            return
    text, times = value["repeat"], value.get("times")
    if not isinstance(text, str) or not text:
        yield Finding("PC505", "`repeat` takes a text", (*path, "repeat"), 'for example `"word "`')
    elif "times" not in value:
        yield Finding("PC505", "`repeat` has no `times`", path, "add `times: 4000`", key=True)
    elif not isinstance(times, int) or isinstance(times, bool) or times < 1:
        yield Finding("PC505", "`times` takes a whole number, at least 1", (*path, "times"))
    elif len(text) * times > LONGEST:
        message = f"the text would have {len(text) * times:,} characters, and may have {LONGEST:,}"
        yield Finding("PC505", message, (*path, "times"))


def rules(source: Source, known: Sequence[str]) -> Iterator[Finding]:
    """PC503: an expectation of a rule that the policy does not have."""
    for path, name, at_key in _rule_names(source):
        if name in known or (name == CLIENT and not at_key):
            continue
        close = suggest(name, known)
        help_ = None if close else f"the policy's rules: {listed(known) or 'none'}"
        message = f"the policy has no rule {quoted(name)}"
        yield Finding("PC503", message, path, help_, key=at_key, hint=did_you_mean(close))


def _cases(source: Source) -> Iterator[tuple[Path, dict[str, Any]]]:
    data = source.data
    tests = data.get("tests") if isinstance(data, dict) else None
    for number, case in enumerate(tests if isinstance(tests, list) else ()):
        if isinstance(case, dict):
            yield ("tests", number), case


def _expectations(source: Source) -> Iterator[tuple[Path, dict[str, Any]]]:
    for path, case in _cases(source):
        if isinstance(expect := case.get("expect"), dict):
            yield (*path, "expect"), expect


def _breakpoints(source: Source) -> Iterator[tuple[Path, dict[str, Any]]]:
    for path, expect in _expectations(source):
        items = expect.get("breakpoints")
        for number, item in enumerate(items if isinstance(items, list) else ()):
            if isinstance(item, dict):
                yield (*path, "breakpoints", number), item


def _places(source: Source) -> Iterator[tuple[Path, str]]:
    for path, expected in _breakpoints(source):
        if isinstance(at := expected.get("at"), str) and at:
            yield (*path, "at"), at
    for path, expect in _expectations(source):
        wire = expect.get("wire")
        for number, place in enumerate(wire if isinstance(wire, list) else ()):
            if isinstance(place, str) and place:
                yield (*path, "wire", number), place


def _rule_names(source: Source) -> Iterator[tuple[Path, str, bool]]:
    for path, expected in _breakpoints(source):
        if isinstance(rule := expected.get("rule"), str) and rule:
            yield (*path, "rule"), rule, False
    for path, expect in _expectations(source):
        reasons = expect.get("reasons")
        for rule in reasons if isinstance(reasons, dict) else ():
            yield (*path, "reasons", rule), rule, True


def repeats(value: object, path: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every mapping that stands for a text, below a value at a path."""
    if isinstance(value, dict):
        for name, item in value.items():
            if name in _HOLDERS and isinstance(item, dict) and FIELDS[0] in item:
                yield (*path, name), item
            else:
                yield from repeats(item, (*path, name))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from repeats(item, (*path, number))


def expanded(value: Any) -> Any:  # noqa: ANN401, a request is any JSON
    """A copy of a checked value with every such text written out."""
    if isinstance(value, dict):
        return {
            name: item["repeat"] * item["times"]
            if name in _HOLDERS and isinstance(item, dict) and FIELDS[0] in item
            else expanded(item)
            for name, item in value.items()
        }
    return [expanded(item) for item in value] if isinstance(value, list) else value
