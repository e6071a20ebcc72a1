"""Tests as JUnit XML, as CI systems read it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from policy_cache.testing.report import failure
from policy_cache.text.styled import plain
from policy_cache.text.words import visible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from policy_cache.diagnostics import Diagnostic
    from policy_cache.testing.run import Outcome


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
