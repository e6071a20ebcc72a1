"""What a check reports: a code, and a place by its data path. Where the file has it is told afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from policy_cache.diagnostics import Diagnostic, Fix, Label

if TYPE_CHECKING:
    from policy_cache.diagnostics import Path, Region, Severity
    from policy_cache.policy.text.source import Source


class Mark(NamedTuple):
    """A further place that explains a finding.

    Attributes:
        path: Its data path.
        text: What it has to do with it.
        key: Whether its key is meant rather than its value.
    """

    path: Path
    text: str
    key: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to say of one value.

    Attributes:
        code: The code of a check.
        message: What stands there, and what is wrong with it, in one sentence.
        path: The data path of the value.
        help: The likely fix.
        key: Whether the key is meant rather than the value.
        at: Where to point, if that is not the value itself.
        part: The characters of a text that are meant, from and to; the whole of it for none.
        hint: What to write beside the caret, such as what was probably meant.
        marks: Further places.
        write: What certainly belongs in the place of the value, or of the key where that is meant.
    """

    code: str
    message: str
    path: Path
    help: str | None = None
    key: bool = False
    at: Path | None = None
    part: tuple[int, int] | None = None
    hint: str | None = None
    marks: tuple[Mark, ...] = ()
    write: str | None = None

    def located(self, source: Source, severity: Severity) -> Diagnostic:
        """The diagnostic for a file that has this finding."""
        path = self.path if self.at is None else self.at
        region = source.span_in(path, *self.part) if self.part else _region(source, path, key=self.key)
        marked = [(region, self.hint), *((_region(source, m.path, key=m.key), m.text) for m in self.marks)]
        replaced = region if self.key else source.values.get(path)
        return Diagnostic(
            self.code,
            severity,
            self.message,
            span=region,
            path=self.path,
            labels=tuple(Label(where, text) for where, text in marked if where and text),
            help=self.help,
            file=source.name,
            fix=Fix(replaced, self.write) if replaced and self.write else None,
        )


def _region(source: Source, path: Path, *, key: bool) -> Region | None:
    return source.key_span(path) if key else source.span(path)


def did_you_mean(word: str | None) -> str | None:
    """What to write beside a caret, of the word that was probably meant."""
    return f"did you mean `{word}`?" if word else None
