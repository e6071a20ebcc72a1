"""Diagnostics as SARIF 2.1.0, which code scanning reads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote

from policy_cache.policy.check.explanation import Explanation, explanations
from policy_cache.text.words import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

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


def _rule(one: Explanation) -> Json:
    examples = [(name, text) for name, text in (("Bad", one.bad), ("Good", one.good)) if text]
    plain = "\n\n".join([one.text, *(f"{name}:\n{text}" for name, text in examples)])
    marked = "\n\n".join([one.text, *(f"{name}:\n\n```yaml\n{text}```" for name, text in examples)])
    return {
        "id": one.code,
        "shortDescription": {"text": one.title},
        "fullDescription": {"text": one.text},
        "help": {"text": plain, "markdown": marked},
    }


def _result(diagnostic: Diagnostic, index: int) -> Json:
    said = visible(diagnostic.message) + (f" ({visible(diagnostic.help)})" if diagnostic.help else "")
    artifact = {"uri": _uri(diagnostic.file)}
    result: Json = {
        "ruleId": diagnostic.code,
        "ruleIndex": index,
        "level": diagnostic.severity,
        "message": {"text": said},
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
