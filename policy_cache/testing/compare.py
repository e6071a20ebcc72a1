"""What was expected beside what was found: each difference at the place to look at."""

from __future__ import annotations

import difflib
from itertools import zip_longest
from typing import TYPE_CHECKING

from policy_cache.diagnostics import Diagnostic
from policy_cache.policy.check.shape.describe import flow
from policy_cache.request.location import place
from policy_cache.testing.checks import location_of
from policy_cache.text.values import one_line
from policy_cache.text.words import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from policy_cache.diagnostics import Path
    from policy_cache.engine.breakpoints import Breakpoint
    from policy_cache.testing.load import Suite
    from policy_cache.testing.model import ExpectedBreakpoint
    from policy_cache.testing.outcome import Finding

UPDATE = "`policy-cache test --update` writes what was found"


def differences(suite: Suite, number: int, finding: Finding) -> Iterator[Diagnostic]:
    """Everything that is not as a test expects."""
    expect = suite.cases[number].expect
    path: Path = ("tests", number, "expect")
    if not expect.model_fields_set:
        yield _differs(suite, number, "PC510", "nothing is expected", path[:2])
    if expect.breakpoints is not None:
        expected, actual = shown(expect.breakpoints, finding.breakpoints)
        code = "PC511"
        yield from _lists(suite, number, code, "breakpoint", (*path, "breakpoints"), expected, actual)
    if expect.unchanged is not None and expect.unchanged != finding.unchanged:
        message = "the request changes" if expect.unchanged else "the request does not change"
        yield _differs(suite, number, "PC512", message, (*path, "unchanged"))
    if expect.parameters is not None and expect.parameters != finding.parameters:
        message = f"expected {one_line(expect.parameters)}, found {one_line(dict(finding.parameters))}"
        yield _differs(suite, number, "PC513", message, (*path, "parameters"))
    for rule, reasons in (expect.reasons or {}).items():
        actual_reasons = list(finding.reasons.get(rule, ()))
        if list(reasons) != actual_reasons:
            message = f"{quoted(rule)}: expected {flow(list(reasons))}, found {flow(actual_reasons)}"
            if rule not in finding.reasons:
                message += ", since it does not match"
            yield _differs(suite, number, "PC514", message, (*path, "reasons", rule))
    if expect.wire is not None and finding.wire is not None:
        expected = [place(location_of(text)) for text in expect.wire]
        actual = [place(location) for location in finding.wire]
        yield from _lists(suite, number, "PC515", "marker", (*path, "wire"), expected, actual)


def shown(
    expected: Sequence[ExpectedBreakpoint], actual: Sequence[Breakpoint]
) -> tuple[list[str], list[str]]:
    """Both lists, a line for each breakpoint; two lines are the same where a breakpoint is as expected.

    A rule that is not expected is not looked at, so the line takes that of the breakpoint found.
    """
    lines = [_line(place(marker.at), marker.ttl, marker.placer) for marker in actual]
    expected_lines: list[str] = []
    for marker in expected:
        at, rule = place(location_of(marker.at)), marker.rule
        if rule is None:
            alike = [other.placer for other in actual if (place(other.at), other.ttl) == (at, marker.ttl)]
            rule = alike[0] if alike else None
        expected_lines.append(_line(at, marker.ttl, rule))
    return expected_lines, lines


def _line(at: str, ttl: str, rule: str | None) -> str:
    return "  ".join(filter(None, (at, ttl, rule)))


def unified(expected: Sequence[str], actual: Sequence[str]) -> list[str]:
    """The unified difference of two lists, without the places in them."""
    lines = difflib.unified_diff(expected, actual, "expected", "found", lineterm="", n=len(actual) + 1)
    return [line for line in lines if not line.startswith("@@")]


def _lists(
    suite: Suite,
    number: int,
    code: str,
    noun: str,
    path: Path,
    expected: Sequence[str],
    actual: Sequence[str],
) -> Iterator[Diagnostic]:
    """The first difference of two lists, at the item that is not found."""
    for index, (wanted, is_) in enumerate(zip_longest(expected, actual)):
        if wanted == is_:
            continue
        if wanted is None:
            message = f"found {noun} {index + 1}, which is not expected: {is_}"
            yield _differs(suite, number, code, message, path)
        else:
            message = f"expected {noun} {index + 1}: {wanted}; found {is_ or 'none'}"
            yield _differs(suite, number, code, message, (*path, index))
        return


def _differs(suite: Suite, number: int, code: str, message: str, path: Path) -> Diagnostic:
    source = suite.source
    name = quoted(suite.cases[number].name)
    return Diagnostic(
        code,
        "error",
        f"{name}: {message}",
        span=source.key_span(path) or source.key_span(path[:2]),
        path=path,
        help=UPDATE,
        file=source.name,
    )
