"""Diagnostics as annotations of GitHub Actions: commands on standard output that the runner reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy_cache.policy.check.table import TABLE
from policy_cache.text.words import visible

if TYPE_CHECKING:
    from policy_cache.diagnostics import Diagnostic


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
    said = visible(diagnostic.message)
    for label in diagnostic.labels:
        if label.span == span:
            said += f": {visible(label.text)}"
    if diagnostic.help:
        said += f"\nhelp: {visible(diagnostic.help)}"
    listed = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items())
    return f"::{diagnostic.severity} {listed}::{_data(said)}\n"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
