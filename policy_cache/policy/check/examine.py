"""Everything that is wrong with a policy, found without building its model.

The model's library takes longer to import than a file takes to check, so what only validates can
stop here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import TYPE_CHECKING

from policy_cache.diagnostics import by_position
from policy_cache.policy.check.kind import other_kind
from policy_cache.policy.check.meaning import check
from policy_cache.policy.check.validate import validate
from policy_cache.policy.text.file import read_bytes
from policy_cache.policy.text.source import parse

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from policy_cache.diagnostics import Diagnostic
    from policy_cache.policy.text.source import Source


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
    if other := other_kind(source):
        return Examined(source, (other,))
    return examined(source, validate(source), check(source))


def examined(source: Source, schema: Iterable[Diagnostic], checks: Iterable[Diagnostic]) -> Examined:
    """One thing about one value: what the schema says before the checks, errors before warnings."""
    schema = list(schema)
    said = {diagnostic.path for diagnostic in schema if diagnostic.path}
    checked = [d for d in checks if d.path not in said and source.is_told(d.path)]
    wrong = said | {diagnostic.path for diagnostic in checked if diagnostic.severity == "error"}
    both = [*source.diagnostics, *schema, *checked]
    return Examined(source, by_position(d for d in both if d.severity == "error" or d.path not in wrong))
