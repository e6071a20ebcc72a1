"""What the schema of test files cannot say.

Each check is a generator over the raw data, so that it also finds what it can in a file that is
wrong elsewhere. Its docstring is the documentation of its codes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from policy_cache.diagnostics import Diagnostic, Label, listed, quoted, suggest
from policy_cache.errors import PathError
from policy_cache.policy.check.meaning.walk import error, repeated_names
from policy_cache.request.path import compile_path
from policy_cache.testing.repeat import FIELDS, LONGEST, repeats

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from policy_cache.policy.text.source import Path, Source
    from policy_cache.request.location import Location

CLIENT = "(client)"
"""Whose a breakpoint is that the request came with; no rule is called so."""


def check(source: Source) -> Iterator[Diagnostic]:
    """Run every check that needs no policy."""
    yield from duplicate_names(source)
    yield from places(source)
    yield from repeated_texts(source)


def duplicate_names(source: Source) -> Iterator[Diagnostic]:
    """PC501: two tests have the same name, which selects a test and stands for it in reports."""
    yield from repeated_names(source, _cases(source), "PC501", "tests")


def places(source: Source) -> Iterator[Diagnostic]:
    """PC504: a path that may name several places, or counts from the end.

    A path that is none has the codes of a policy's: PC201, PC202, PC203.
    """
    for path, text in _places(source):
        try:
            location_of(text)
        except PathError as error:
            start = 0 if error.offset is None else min(error.offset, len(text))
            span = source.span_in(path, start, len(text) if error.offset is None else start + 1)
            message = f"invalid JSONPath: {error.message}" if error.code != "PC504" else error.message
            yield Diagnostic(
                error.code, "error", message, span=span, path=path, help=error.help, file=source.name
            )


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


def repeated_texts(source: Source) -> Iterator[Diagnostic]:
    """PC505: `{repeat:, times:}` that is not a text and a number of times, or that is too long."""
    for case_path, case in _cases(source):
        for path, value in repeats(case.get("request"), (*case_path, "request")):
            yield from _repeat(source, path, value)


def _repeat(source: Source, path: Path, value: dict[str, Any]) -> Iterator[Diagnostic]:
    for name in value:
        if name not in FIELDS:
            at = (*path, name)
            span = source.keys.get(at)
            meant = suggest(name, [field for field in FIELDS if field not in value])
            labels = (Label(span, f"did you mean `{meant}`?"),) if meant and span else ()
            message = f"unknown field {quoted(name)} beside `repeat`"
            fix = None if meant else f"allowed here: {listed(FIELDS)}"
            yield error(source, "PC120", message, at, fix, labels=labels, at_key=True)
            return
    text, times = value["repeat"], value.get("times")
    if not isinstance(text, str) or not text:
        yield error(source, "PC505", "`repeat` takes a text", (*path, "repeat"), 'for example `"word "`')
    elif "times" not in value:
        yield error(source, "PC505", "`repeat` has no `times`", path, "add `times: 4000`", at_key=True)
    elif not isinstance(times, int) or isinstance(times, bool) or times < 1:
        yield error(source, "PC505", "`times` takes a whole number, at least 1", (*path, "times"))
    elif len(text) * times > LONGEST:
        message = f"the text would have {len(text) * times:,} characters, and may have {LONGEST:,}"
        yield error(source, "PC505", message, (*path, "times"))


def rules(source: Source, known: Sequence[str]) -> Iterator[Diagnostic]:
    """PC503: an expectation of a rule that the policy does not have."""
    for path, name, at_key in _rule_names(source):
        if name in known or (name == CLIENT and not at_key):
            continue
        meant = suggest(name, known)
        span = source.keys.get(path) if at_key else source.span(path)
        labels = (Label(span, f"did you mean `{meant}`?"),) if meant and span else ()
        fix = None if meant else f"the policy's rules: {listed(known) or 'none'}"
        message = f"the policy has no rule {quoted(name)}"
        yield error(source, "PC503", message, path, fix, labels=labels, at_key=at_key)


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
        found = expect.get("breakpoints")
        for number, one in enumerate(found if isinstance(found, list) else ()):
            if isinstance(one, dict):
                yield (*path, "breakpoints", number), one


def _places(source: Source) -> Iterator[tuple[Path, str]]:
    for path, one in _breakpoints(source):
        if isinstance(at := one.get("at"), str) and at:
            yield (*path, "at"), at
    for path, expect in _expectations(source):
        wire = expect.get("wire")
        for number, place in enumerate(wire if isinstance(wire, list) else ()):
            if isinstance(place, str) and place:
                yield (*path, "wire", number), place


def _rule_names(source: Source) -> Iterator[tuple[Path, str, bool]]:
    for path, one in _breakpoints(source):
        if isinstance(rule := one.get("rule"), str) and rule:
            yield (*path, "rule"), rule, False
    for path, expect in _expectations(source):
        reasons = expect.get("reasons")
        for rule in reasons if isinstance(reasons, dict) else ():
            yield (*path, "reasons", rule), rule, True
