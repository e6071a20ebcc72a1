"""The place of a request in a trace, as output names it."""

from __future__ import annotations

import re
from pathlib import Path

_PLACE = re.compile(r"(?P<file>.+?)(?::\d+|\[\d+\])(?:#\d+)?", re.DOTALL)


def file_of(place: str) -> str | None:
    """The file of a place such as `trace.jsonl:3`; None where that is no place."""
    found = _PLACE.fullmatch(place)
    return found["file"] if found else None


def is_place(name: str) -> bool:
    """Whether a name is a place in a file that is there, and no file itself."""
    file = file_of(name)
    return file is not None and not Path(name).exists() and Path(file).is_file()
