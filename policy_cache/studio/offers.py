"""The requests that the page offers: one that was given, the packaged examples, the lines of a trace."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from pathlib import PurePath
from typing import TYPE_CHECKING

from policy_cache.packaged import packaged
from policy_cache.request.prompt import AREAS, detect_shape
from policy_cache.text.amounts import counted
from policy_cache.text.values import indented
from policy_cache.text.words import visible, word
from policy_cache.trace.reader import TraceSummary

if TYPE_CHECKING:
    from policy_cache.forecast.compare import TraceOptions
    from policy_cache.trace.record import TraceRecord

MOST_LINES = 200
"""Requests of a trace that are offered: its first ones."""


@dataclass(frozen=True, slots=True)
class Offers:
    """Requests by their number.

    Attributes:
        given: The name and text of a request; None for none.
        trace: A trace; None for none.
        title: What the trace is called.
        names: What each request is called: the one given, the examples, the lines of the trace.
        summary: What reading the trace met with.
    """

    given: tuple[str, str] | None = None
    trace: TraceOptions | None = None
    title: str = ""
    names: tuple[str, ...] = field(init=False)
    summary: TraceSummary = field(init=False)

    def __post_init__(self) -> None:
        """Look at what there is, once.

        Raises:
            TraceError: The trace cannot be read.
        """
        first = [visible(self.given[0])] if self.given else []
        examples = [f"example: {name}" for name in _examples()]
        trace = self.trace.read() if self.trace else None
        lines = [self._called(record) for record in islice(trace or (), MOST_LINES)]
        object.__setattr__(self, "names", (*first, *examples, *lines))
        object.__setattr__(self, "summary", trace.summary if trace else TraceSummary())

    def text(self, number: int) -> str:
        """A request as JSON over several lines.

        Raises:
            LookupError: No request has this number.
            OSError: It cannot be read any more.
            TraceError: The trace cannot be read any more.
        """
        if not 0 <= number < len(self.names):
            raise LookupError(number)
        if self.given:
            if number == 0:
                return self.given[1]
            number -= 1
        examples = _examples()
        if number < len(examples):
            return packaged("examples", "requests", examples[number]).read_text(encoding="utf-8")
        record = next(islice(self.trace.read() if self.trace else (), number - len(examples), None), None)
        if record is None:
            raise LookupError(number)
        return indented(record.request)

    def _called(self, record: TraceRecord) -> str:
        place = f"{PurePath(self.title).name}:{record.where.rpartition(':')[2]}"
        given = record.request[AREAS[detect_shape(record.request)]]
        messages = counted(1 if isinstance(given, str) else len(given), "message")
        return f"{word(place)}: {word(str(record.request['model']))}, {messages}"


def _examples() -> list[str]:
    folder = packaged("examples", "requests")
    return sorted(file.name for file in folder.glob("*.json"))
