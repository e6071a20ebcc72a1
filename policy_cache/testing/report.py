"""How tests ended, for people and for machines; for CI systems as JUnit XML."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from policy_cache.engine.diff import diff
from policy_cache.report.diagnostics.render import FORMAT_VERSION, as_json, concise, full
from policy_cache.request.location import place
from policy_cache.testing.checks import location_of
from policy_cache.testing.compare import shown, unified
from policy_cache.testing.outcome import percent
from policy_cache.text.amounts import counted
from policy_cache.text.styled import Span, plain
from policy_cache.text.words import visible, word

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from policy_cache.diagnostics import Diagnostic
    from policy_cache.testing.outcome import Coverage, Outcome
    from policy_cache.text.styled import Style


def failure(outcome: Outcome) -> list[Span]:
    """A test that failed or could not be run: what, where, both lists compared, and the diff view."""
    spans: list[Span] = []
    lines = outcome.suite.source.lines
    for problem in outcome.problems:
        spans += [*full(problem, lines), Span("\n")]
        compared = list(_compared(outcome, problem))
        spans += compared
        spans += [Span("\n")] if compared else []
    if outcome.finding is not None:
        spans += [*diff(outcome.finding.plan), Span("\n")]
    return spans


def brief(outcome: Outcome) -> list[Span]:
    """The same, a line for each problem."""
    return [span for problem in outcome.problems for span in concise(problem)]


def _compared(outcome: Outcome, problem: Diagnostic) -> Iterator[Span]:
    expect, finding = outcome.case.expect, outcome.finding
    if finding is None:
        return
    if problem.code == "PC511" and expect.breakpoints is not None:
        lists = shown(expect.breakpoints, finding.breakpoints)
    elif problem.code == "PC510":
        lists = shown((), finding.breakpoints)
    elif problem.code == "PC515" and expect.wire is not None:
        wanted = [place(location_of(text)) for text in expect.wire]
        lists = wanted, [place(location) for location in finding.wire or ()]
    else:
        return
    for line in unified(*lists):
        added, taken = line.startswith("+"), line.startswith("-")
        yield Span(f"{visible(line)}\n", "added" if added else "removed" if taken else "")


def skips(outcomes: Sequence[Outcome]) -> Iterator[Span]:
    """What was skipped, and why."""
    for outcome in outcomes:
        if outcome.note:
            where = f"{outcome.suite.source.name}:{outcome.suite.line(outcome.number)}"
            yield Span(f"{visible(where)}: ", "location")
            yield Span(f"skipped {word(outcome.case.name)!r}: {outcome.note}\n", "warning")


def summary(outcomes: Sequence[Outcome], files: int, broken: int) -> Span:
    """One line: how many tests ended how; `broken` files could not be used."""
    counts = Counter(outcome.status for outcome in outcomes)
    parts = [f"{counts[status]} {status}" for status in ("failed", "passed", "skipped") if counts[status]]
    parts += [counted(counts["error"], "error")] if counts["error"] else []
    sentences = [f"{', '.join(parts)} in {counted(files, 'file')}"] if parts else []
    sentences += [f"{counted(broken, 'file')} not usable"] if broken else []
    bad = counts["failed"] + counts["error"] + broken
    style: Style = "error" if bad else "added" if parts else "warning"
    return Span(f"{'; '.join(sentences) or 'No tests found'}.\n", style)


def coverage_table(covered: Sequence[Coverage]) -> Iterator[Span]:
    """For each policy its rules, and in how many tests each matched and acted."""
    for policy in covered:
        yield Span(f"\n{visible(str(policy.policy))}", "strong")
        yield Span(f": {policy.acted} of {counted(len(policy.rules), 'rule')} acted in a test\n")
        width = max(map(len, policy.rules), default=0)
        for rule, (matched, acted) in policy.rules.items():
            yield Span(f"  {word(rule):{width}}  matched {matched:>3}  acted {acted:>3}")
            missed = "" if acted else "  never acted" if matched else "  exercised by no test"
            yield Span(f"{missed}\n", "warning")
    if covered:
        yield Span(f"\nCoverage: {percent(covered):.0f}% of the rules.\n", "strong")


def tests_json(
    outcomes: Sequence[Outcome], broken: Sequence[Diagnostic], covered: Sequence[Coverage] | None
) -> dict[str, object]:
    """Everything as JSON data; lines and columns count from 1."""
    counts = Counter(outcome.status for outcome in outcomes)
    result: dict[str, object] = {
        "format_version": FORMAT_VERSION,
        "summary": {status: counts[status] for status in ("passed", "failed", "skipped", "error")},
        "tests": [_test(outcome) for outcome in outcomes],
        "diagnostics": as_json(broken)["diagnostics"],
    }
    if covered is not None:
        result["coverage"] = {
            "percent": round(percent(covered), 2),
            "policies": [
                {
                    "policy": str(policy.policy),
                    "rules": [
                        {"rule": rule, "matched": matched, "acted": acted}
                        for rule, (matched, acted) in policy.rules.items()
                    ],
                }
                for policy in covered
            ],
        }
    return result


def _test(outcome: Outcome) -> dict[str, Any]:
    finding = outcome.finding
    return {
        "file": visible(outcome.suite.source.name),
        "line": outcome.suite.line(outcome.number),
        "name": outcome.case.name,
        "outcome": outcome.status,
        "note": outcome.note or None,
        "diagnostics": as_json(outcome.problems)["diagnostics"],
        "found": None
        if finding is None
        else {
            "breakpoints": [
                {"at": place(marker.at), "ttl": marker.ttl, "rule": marker.placer}
                for marker in finding.breakpoints
            ],
            "unchanged": finding.unchanged,
            "parameters": dict(finding.parameters),
            "reasons": {rule: list(reasons) for rule, reasons in finding.reasons.items()},
            "wire": None if finding.wire is None else [place(location) for location in finding.wire],
        },
    }


def junit(files: Mapping[str, Sequence[Outcome]], broken: Mapping[str, Sequence[Diagnostic]]) -> bytes:
    """A suite for each file; one that cannot be used has a single test, with the error.

    Times are 0: a test takes a millisecond, and the same run gives the same file.
    """
    root = ET.Element("testsuites", {"name": "policy-cache"})
    for file, outcomes in files.items():
        suite = _suite(root, file, len(outcomes), [outcome.status for outcome in outcomes])
        for outcome in outcomes:
            case = _case(suite, outcome.case.name, file)
            if outcome.status in {"failed", "error"}:
                kind = "failure" if outcome.status == "failed" else "error"
                _said(case, kind, outcome.problems, plain(failure(outcome)))
            elif outcome.status == "skipped":
                ET.SubElement(case, "skipped", {"message": outcome.note})
    for file, diagnostics in broken.items():
        case = _case(_suite(root, file, 1, ["error"]), "the file", file)
        _said(case, "error", diagnostics, "\n".join(map(str, diagnostics)))
    for name in ("tests", "failures", "errors"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))
    ET.indent(root)
    text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _suite(root: ET.Element, file: str, tests: int, statuses: Sequence[str]) -> ET.Element:
    counts = {
        "tests": tests,
        "failures": statuses.count("failed"),
        "errors": statuses.count("error"),
        "skipped": statuses.count("skipped"),
    }
    numbers = {name: str(number) for name, number in counts.items()}
    return ET.SubElement(root, "testsuite", {"name": visible(file), **numbers, "time": "0"})


def _case(suite: ET.Element, name: str, file: str) -> ET.Element:
    return ET.SubElement(suite, "testcase", {"name": visible(name), "classname": visible(file), "time": "0"})


def _said(case: ET.Element, kind: str, diagnostics: Sequence[Diagnostic], text: str) -> None:
    first = diagnostics[0]
    element = ET.SubElement(case, kind, {"message": visible(first.message), "type": first.code})
    element.text = "\n".join(visible(line) for line in text.splitlines())
