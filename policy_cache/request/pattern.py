"""Regular expressions of a policy, matched by RE2: in linear time, whatever text a client sends."""

from __future__ import annotations

import re
import warnings
from functools import lru_cache
from typing import Protocol

from policy_cache.errors import PatternError

_MOST_MEMORY = 1 << 20
"""Bytes of states that RE2 may remember for one pattern; beyond, it matches without remembering."""

_HELP = "patterns are RE2's, which never go back: no look-around, no back-references, repeats up to 1,000"
_LEFT_OUT = re.compile(r"\{,\d*\}")
_TOO_LARGE = "it is too large"


class _Regexp(Protocol):
    def fullmatch(self, text: bytes) -> object | None: ...
    def search(self, text: bytes) -> object | None: ...


class Pattern:
    """A compiled expression."""

    __slots__ = ("_regexp",)

    def __init__(self, regexp: _Regexp) -> None:
        self._regexp = regexp

    def fullmatch(self, text: str) -> bool:
        """Whether the whole text matches."""
        return self._regexp.fullmatch(_encoded(text)) is not None

    def search(self, text: str) -> bool:
        """Whether a part of the text matches."""
        return self._regexp.search(_encoded(text)) is not None


@lru_cache(maxsize=1_024)
def compile_pattern(text: str, *, name: bool = False) -> Pattern:
    """Compile an expression that both Python's `re` and RE2 take.

    `re` says what is wrong and where, which RE2 does not.

    Args:
        text: The expression.
        name: Whether it is for names: case is ignored, and `.` takes a line break too.

    Raises:
        PatternError: One of them does not take it.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(text)
    except re.error as error:
        raise PatternError(error.msg, offset=error.pos) from None
    except (OverflowError, RecursionError):
        raise PatternError(_TOO_LARGE) from None
    if bound := _first(text, _LEFT_OUT):
        raise PatternError(
            f"`{bound.group()}` is no repeat",
            offset=bound.start(),
            help=f"write `{{0{bound.group()[1:]}`",
        )
    import re2  # noqa: PLC0415, milliseconds that a policy without patterns need not wait for

    options = re2.Options()
    options.case_sensitive = not name
    options.dot_nl = name
    options.never_capture = True
    options.log_errors = False
    options.max_mem = _MOST_MEMORY
    try:
        return Pattern(re2.compile(_encoded(text), options))
    except re2.error as error:
        raise _beyond(text, error.args[0].decode()) from None


def _encoded(text: str) -> bytes:
    """UTF-8, in which half a surrogate pair reads as `?`: RE2 looks at nothing else."""
    return text.encode("utf-8", "replace")


def _first(text: str, wanted: re.Pattern[str]) -> re.Match[str] | None:
    """The first of what is wanted that no backslash and no bracket makes plain text."""
    skipped = r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]"
    token = re.compile(f"(?P<wanted>{wanted.pattern})|{skipped}", re.DOTALL)
    return next((match for match in token.finditer(text) if match["wanted"] is not None), None)


def _beyond(text: str, problem: str) -> PatternError:
    """What RE2 does not take, by what it says: `invalid perl operator: (?=`."""
    _, _, part = problem.partition(": ")
    if part == "(?P":
        part = "(?P="
    if part.startswith("{") and part.endswith("}"):
        message = f"`{part}` repeats too often"
    elif part in {"(?=", "(?!", "(?<=", "(?<!"}:
        message = f"`{part}` looks around"
    elif part == "(?P=" or (part[:1] == "\\" and part[1:].isdigit()):
        message = f"`{part}` looks back at a group"
    elif part:
        message = f"`{part}` is not taken"
    else:
        return PatternError(_TOO_LARGE, help=_HELP)
    place = _first(text, re.compile(re.escape(part)))
    return PatternError(message, offset=place.start() if place else None, help=_HELP)
