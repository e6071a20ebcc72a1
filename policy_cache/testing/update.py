"""Writing what was found into the expectations of failed tests; everything else stays as it is written."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from policy_cache.errors import PolicyCacheError, PolicyError, reason_of
from policy_cache.policy.write.file import write
from policy_cache.request.location import normalized
from policy_cache.testing.compare import shown
from policy_cache.testing.layout import (
    block,
    comments,
    entry,
    extent,
    item_lines,
    key_end,
    key_start,
    line_end,
    line_start,
    newline,
    spell,
)
from policy_cache.testing.load import loads_suite

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from policy_cache.diagnostics import Path as DataPath
    from policy_cache.engine.breakpoints import Breakpoint
    from policy_cache.policy.text.source import Source
    from policy_cache.testing.load import Suite
    from policy_cache.testing.outcome import Finding, Outcome

_BOM = b"\xef\xbb\xbf"


class UpdateError(PolicyCacheError):
    """A file that cannot be updated, and is left as it was."""


class _Change(NamedTuple):
    start: int
    end: int
    text: str


def update(suite: Suite, outcomes: Iterable[Outcome]) -> int:
    """Write what was found into a test file, in one step; return how many tests were written.

    Raises:
        UpdateError: The file cannot be written, or what would be written were not the same tests.
    """
    failed = [outcome for outcome in outcomes if outcome.status == "failed"]
    if not failed:
        return 0
    text = updated(suite, failed)
    _check(suite, text)
    path = Path(suite.source.name).resolve()
    try:
        start = _BOM if path.read_bytes().startswith(_BOM) else b""
        write(path, start + text.encode())
    except OSError as error:
        raise UpdateError(f"{suite.source.name}: {reason_of(error)}") from None
    return len(failed)


def updated(suite: Suite, failed: Iterable[Outcome]) -> str:
    """The text of a test file with what was found in its failed tests."""
    changes = [change for outcome in failed for change in _changes(outcome)]
    changes += [kept for change in changes for kept in _comments(suite.source, change)]
    text = suite.source.text
    for change in sorted(changes, reverse=True):
        text = text[: change.start] + change.text + text[change.end :]
    return text


def _comments(source: Source, change: _Change) -> Iterator[_Change]:
    """The comments inside what is written anew: they go above it."""
    lost = [comment for comment in comments(source, change.start, change.end) if comment not in change.text]
    if lost:
        at = line_start(source, change.start)
        line = source.text[at : change.start]
        indent = line[: len(line) - len(line.lstrip(" "))]
        yield _Change(at, at, "".join(f"{indent}{comment}{newline(source)}" for comment in lost))


def _changes(outcome: Outcome) -> Iterator[_Change]:
    source, finding = outcome.suite.source, outcome.finding
    assert finding is not None  # a failed test has run
    case: DataPath = ("tests", outcome.number)
    path = (*case, "expect")
    given = source.at(case)
    expect = given.get("expect") if isinstance(given, dict) else None
    fresh = _fresh(outcome, finding)
    if isinstance(expect, dict) and expect and not source.raw(path).startswith("{"):
        for name, value in fresh.items():
            yield from _key(source, path, name, value, outcome)
        return
    whole = _merged(expect if isinstance(expect, dict) else {}, fresh)
    yield _whole(source, case, whole, present=expect is not None)


def _fresh(outcome: Outcome, finding: Finding) -> dict[str, Any]:
    """The entries of `expect` that take new values; None for one that goes."""
    expect = outcome.case.expect
    codes = {problem.code for problem in outcome.problems}
    marks = [_breakpoint(marker) for marker in finding.breakpoints]
    fresh: dict[str, Any] = {}
    if "PC510" in codes and finding.unchanged:
        fresh["unchanged"] = True
    elif "PC510" in codes or ("PC512" in codes and expect.unchanged and expect.breakpoints is None):
        if expect.unchanged:
            fresh["unchanged"] = None
        fresh["breakpoints"] = marks
        if finding.parameters and expect.parameters is None:
            fresh["parameters"] = dict(finding.parameters)
    elif "PC512" in codes:
        fresh["unchanged"] = finding.unchanged
    if "PC511" in codes:
        fresh["breakpoints"] = marks
    if "PC513" in codes:
        fresh["parameters"] = dict(finding.parameters)
    if "PC514" in codes:
        fresh["reasons"] = {rule: list(finding.reasons.get(rule, ())) for rule in expect.reasons or {}}
    if "PC515" in codes:
        fresh["wire"] = [normalized(location) for location in finding.wire or ()]
    return fresh


def _breakpoint(marker: Breakpoint) -> dict[str, str]:
    ttl = {} if marker.ttl == "5m" else {"ttl": marker.ttl}
    return {"at": normalized(marker.at), **ttl, "rule": marker.placer}


def _merged(expect: dict[str, Any], fresh: dict[str, Any]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for name, value in expect.items():
        if fresh.get(name, ...) is None:  # what takes its place stands where it stood
            merged |= {key: item for key, item in fresh.items() if item is not None and key not in expect}
        else:
            merged[name] = fresh.get(name, value)
    return merged | {key: item for key, item in fresh.items() if item is not None}


def _whole(source: Source, case: DataPath, expect: dict[str, Any], *, present: bool) -> _Change:
    """The whole `expect`, in the style of its test."""
    ends = newline(source)
    path = (*case, "expect")
    given = source.at(case)
    assert isinstance(given, dict)
    first, *_, last = given
    flow = source.raw(case).startswith("{")
    if flow:
        start, end = extent(source, path) if present else (extent(source, (*case, last))[1],) * 2
        return _Change(start, end, spell(expect) if present else f", expect: {spell(expect)}")
    indent = source.keys[*case, first].column - 1
    text = f"expect:{ends}{' ' * (indent + 2)}{block(expect, indent + 2, ends)}"
    if present:
        return _Change(key_start(source, path), extent(source, path)[1], text)
    at = line_end(source, extent(source, case)[1])
    return _Change(at, at, f"{ends}{' ' * indent}{text}")


def _key(source: Source, expect: DataPath, name: str, value: Any, outcome: Outcome) -> Iterator[_Change]:  # noqa: ANN401
    """One entry of a block `expect`."""
    ends = newline(source)
    path = (*expect, name)
    if name == "breakpoints" and path in source.values and (change := _items(source, path, outcome)):
        yield change
    elif name == "reasons":
        for rule, reasons in value.items():
            if reasons != source.at((*path, rule)):
                start, end = key_start(source, (*path, rule)), extent(source, (*path, rule))[1]
                key = source.text[start : key_end(source, (*path, rule))]
                yield _Change(start, end, f"{key}: {spell(reasons)}")
    elif path in source.values:
        start, end = key_start(source, path), extent(source, path)[1]
        indent = source.keys[path].column - 1
        if value is None:
            others = {
                key: item for key, item in _fresh_of(outcome).items() if (*expect, key) not in source.values
            }
            yield _Change(start, end, block(others, indent, ends))
        else:
            yield _Change(start, end, entry(name, value, indent, ends))


def _fresh_of(outcome: Outcome) -> dict[str, Any]:
    assert outcome.finding is not None
    return {key: item for key, item in _fresh(outcome, outcome.finding).items() if item is not None}


def _items(source: Source, path: DataPath, outcome: Outcome) -> _Change | None:
    """The items of a block list, those that are as expected with their comments; None for another list."""
    expected, finding = outcome.case.expect.breakpoints, outcome.finding
    assert finding is not None
    if not expected or not finding.breakpoints or source.raw(path).startswith("["):
        return None
    lines = item_lines(source, path, len(expected))
    if lines is None:
        return None
    before, after = shown(expected, finding.breakpoints)
    fresh = [spell(_breakpoint(marker)) for marker in finding.breakpoints]
    dash, _, _ = source.lines[source.values[*path, 0].line - 1].partition("-")
    chunks: list[str] = []
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for kind, old, old_end, new, new_end in matcher.get_opcodes():
        if kind == "equal":
            chunks += [lead + item + rest for lead, item, rest in lines[old:old_end]]
            continue
        for number in range(new, new_end):
            in_place = old + number - new
            lead, _, rest = lines[in_place] if in_place < old_end else ("", "", "")
            chunks.append(f"{lead}{dash}- {fresh[number]}{rest}")
    start = source.positions.offset(source.values[*path, 0].line, 1)
    end = line_end(source, extent(source, (*path, len(expected) - 1))[1])
    return _Change(start, end, newline(source).join(chunks))


def _check(suite: Suite, text: str) -> None:
    """Hold that nothing but expectations would change."""
    try:
        after = loads_suite(text, suite.source.name)
    except PolicyError:
        after = None
    if after is None or _others(after) != _others(suite):
        raise UpdateError(f"{suite.source.name}: cannot be updated by itself, and is left as it was")


def _others(suite: Suite) -> Sequence[object]:
    tests = suite.tests
    cases = [case.model_dump(exclude={"expect"}) for case in tests.tests]
    return [tests.version, tests.policy, tests.catalog, cases]
