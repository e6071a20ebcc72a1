"""Diagnostics as systems of continuous integration read them: GitHub's annotations, and SARIF 2.1.0."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote

from policy_cache.policy.check.explanation import Explanation, explanations
from policy_cache.policy.check.table import TABLE
from policy_cache.text.words import visible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from policy_cache.diagnostics import Diagnostic, Region

Json: TypeAlias = dict[str, Any]

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def as_sarif(diagnostics: Sequence[Diagnostic], version: str) -> Json:
    """The log of one run.

    Arguments:
        diagnostics: What was found.
        version: That of policy-cache.
    """
    codes = sorted({diagnostic.code for diagnostic in diagnostics})
    known = explanations()
    rules = [_rule(known.get(code) or Explanation(code, code, code)) for code in codes]
    driver = {"name": "policy-cache", "version": version, "rules": rules}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(diagnostic, codes.index(diagnostic.code)) for diagnostic in diagnostics],
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(explanation: Explanation) -> Json:
    examples = [(name, text) for name, text in (("Bad", explanation.bad), ("Good", explanation.good)) if text]
    plain = "\n\n".join([explanation.text, *(f"{name}:\n{text}" for name, text in examples)])
    marked = "\n\n".join([explanation.text, *(f"{name}:\n\n```yaml\n{text}```" for name, text in examples)])
    return {
        "id": explanation.code,
        "shortDescription": {"text": explanation.title},
        "fullDescription": {"text": explanation.text},
        "help": {"text": plain, "markdown": marked},
    }


def _result(diagnostic: Diagnostic, index: int) -> Json:
    message = visible(diagnostic.message) + (f" ({visible(diagnostic.help)})" if diagnostic.help else "")
    artifact = {"uri": _uri(diagnostic.file)}
    result: Json = {
        "ruleId": diagnostic.code,
        "ruleIndex": index,
        "level": diagnostic.severity,
        "message": {"text": message},
        "locations": [_location(artifact, diagnostic.span)],
    }
    if diagnostic.labels:
        result["relatedLocations"] = [
            {**_location(artifact, label.span), "message": {"text": visible(label.text)}}
            for label in diagnostic.labels
        ]
    if diagnostic.fix:
        change = {
            "deletedRegion": _region(diagnostic.fix.span),
            "insertedContent": {"text": diagnostic.fix.text},
        }
        result["fixes"] = [{"artifactChanges": [{"artifactLocation": artifact, "replacements": [change]}]}]
    return result


def _location(artifact: Json, span: Region | None) -> Json:
    place: Json = {"artifactLocation": artifact}
    if span is not None:
        place["region"] = _region(span)
    return {"physicalLocation": place}


def _region(span: Region) -> Json:
    return {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
    }


def _uri(file: str) -> str:
    """A reference relative to the working folder, where the file is below it."""
    path = Path(file)
    if path.is_absolute():
        if not path.is_relative_to(Path.cwd()):
            return path.as_uri()
        path = path.relative_to(Path.cwd())
    return quote(path.as_posix())


def annotation(diagnostic: Diagnostic) -> str:
    """One line: `::error file=…,line=…,col=…::message`."""
    span = diagnostic.span
    properties: dict[str, object] = {"file": visible(diagnostic.file)}
    if span is not None:
        properties |= {"line": span.line, "col": span.column, "endLine": span.end_line}
        # GitHub takes an end column on the same line alone.
        if span.line == span.end_line:
            properties["endColumn"] = span.end_column
    known = TABLE.get(diagnostic.code)
    properties["title"] = f"{diagnostic.code}: {known.title}" if known else diagnostic.code
    message = visible(diagnostic.message)
    for label in diagnostic.labels:
        if label.span == span:
            message += f": {visible(label.text)}"
    if diagnostic.help:
        message += f"\nhelp: {visible(diagnostic.help)}"
    return workflow_command(diagnostic.severity, properties, message)


def workflow_command(name: str, properties: Mapping[str, object], message: str) -> str:
    """A line that GitHub's runner acts upon: `::warning file=…::message`."""
    listed = ",".join(f"{key}={_property(str(value))}" for key, value in properties.items())
    return f"::{name} {listed}::{_data(message)}\n"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
