"""Every check of a file, run without building the policy's model.

The model's library takes longer to import than a file takes to check, so what only validates can
stop here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import TYPE_CHECKING

from policy_cache.diagnostics import by_position
from policy_cache.policy.check.shape.departure import departures
from policy_cache.policy.check.shape.kind import other_kinds
from policy_cache.policy.check.table import TABLE
from policy_cache.policy.text.file import read_bytes
from policy_cache.policy.text.source import parse

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator

    from policy_cache.diagnostics import Diagnostic
    from policy_cache.policy.check.finding import Finding
    from policy_cache.policy.check.reach.routes import Routes
    from policy_cache.policy.text.source import Source

# A check that has several codes runs once.
_MEANING = tuple(dict.fromkeys(code.meaning for code in TABLE.values() if code.meaning))
_VALID = tuple(dict.fromkeys(code.valid for code in TABLE.values() if code.valid))
_REACH = tuple(dict.fromkeys(code.reach for code in TABLE.values() if code.reach))


@dataclass(frozen=True, slots=True)
class Examined:
    """A file that is YAML, and what there is to say about it.

    Attributes:
        source: Its text, data and positions.
        diagnostics: Errors and warnings, in the order of the file.
    """

    source: Source
    diagnostics: tuple[Diagnostic, ...]

    @property
    def ok(self) -> bool:
        """Whether there is no error."""
        return all(diagnostic.severity == "warning" for diagnostic in self.diagnostics)


def examine(path: str | os.PathLike[str]) -> Examined:
    """Examine a policy file.

    Raises:
        PolicyError: It cannot be read, or is not one YAML document.
    """
    file = FilePath(path)
    return examine_content(read_bytes(file), str(file))


def examine_content(content: str | bytes, name: str) -> Examined:
    """Examine a policy's text, or the bytes of its file.

    Raises:
        PolicyError: It is not one YAML document.
    """
    source = parse(content, name)
    if other := tuple(_located(other_kinds(source), source)):
        return Examined(source, other)
    checks = (finding for check in _MEANING for finding in check(source))
    return examined(source, _located(departures(source), source), _located(checks, source))


def examined(source: Source, shape: Iterable[Diagnostic], checks: Iterable[Diagnostic]) -> Examined:
    """A file with one thing for each value: what the schema says before the checks, errors before warnings.

    Arguments:
        source: The file.
        shape: Where it departs from its schema.
        checks: What else there is to say.
    """
    shape = list(shape)
    told = {diagnostic.path for diagnostic in shape if diagnostic.path}
    checked = [d for d in checks if d.path not in told and source.is_told(d.path)]
    wrong = told | {diagnostic.path for diagnostic in checked if diagnostic.severity == "error"}
    both = [*source.diagnostics, *shape, *checked]
    return Examined(source, by_position(d for d in both if d.severity == "error" or d.path not in wrong))


def reviewed(file: Examined, routes: Routes) -> tuple[Diagnostic, ...]:
    """Everything there is to say about an examined file, in its order; a value is warned of once.

    A file without errors is reviewed too: what it can never do, or hardly means, as far as its text and
    the routes prove it.

    Arguments:
        file: The file.
        routes: The routes of the catalog.
    """
    if not file.ok:
        return file.diagnostics
    told = {diagnostic.path for diagnostic in file.diagnostics}
    fresh = [d for d in _located(_review(file.source, routes), file.source) if d.path not in told]
    return by_position([*file.diagnostics, *fresh])


def _review(source: Source, routes: Routes) -> Iterator[Finding]:
    for check in _VALID:
        yield from check(source)
    for reach in _REACH:
        yield from reach(source, routes)


def validate(source: Source, schema: str, kind: str) -> Iterator[Diagnostic]:
    """Say where a file departs from a packaged schema; `kind` is what to call the file."""
    yield from _located(departures(source, schema, kind), source)


def _located(findings: Iterable[Finding], source: Source) -> Iterator[Diagnostic]:
    for finding in findings:
        yield finding.located(source, TABLE[finding.code].severity)
