"""What policy-cache raises. Every error says where, what was found, and what was expected."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policy_cache.diagnostics import Diagnostic


def reason_of(error: OSError) -> str:
    """What the system says of a failure, without the paths that it names."""
    return error.strerror or type(error).__name__


class PolicyCacheError(Exception):
    """The base of every error that policy-cache raises on purpose."""


class PolicyError(PolicyCacheError):
    """A policy that cannot be used.

    Attributes:
        diagnostics: Everything there is to say about the file, warnings included, in its order.
        lines: The source lines the diagnostics point into; empty when the file could not be read.
        unreadable: Whether the file could not be read at all.
    """

    def __init__(self, diagnostics: Sequence[Diagnostic], *, lines: Sequence[str] = ()) -> None:
        self.diagnostics = tuple(diagnostics)
        self.lines = tuple(lines)
        self.unreadable = any(diagnostic.unreadable for diagnostic in self.diagnostics)
        super().__init__("\n".join(map(str, self.diagnostics)))


class PathError(PolicyCacheError):
    """A JSONPath that cannot be used.

    Attributes:
        message: What is wrong, in one sentence, without the path itself.
        offset: The 0-based character in the path where it goes wrong, or None.
        help: The likely fix, or None.
        code: The diagnostic code, `PC2xx`.
    """

    def __init__(
        self,
        message: str,
        *,
        offset: int | None = None,
        help: str | None = None,
        code: str = "PC201",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset
        self.help = help
        self.code = code


class PatternError(PolicyCacheError):
    """A regular expression that cannot be used.

    Attributes:
        message: What is wrong, in one sentence, without the expression itself.
        offset: The 0-based character in the expression where it goes wrong, or None.
        help: The likely fix, or None.
    """

    def __init__(self, message: str, *, offset: int | None = None, help: str | None = None) -> None:
        super().__init__(message if offset is None else f"{message} at position {offset}")
        self.message = message
        self.offset = offset
        self.help = help


class RequestFileError(PolicyCacheError):
    """A file that holds no request; says which, where in it, and what was found."""


class RequestError(PolicyCacheError):
    """A request that cannot be planned.

    Attributes:
        location: The location in the request, as a tuple of keys and indexes.
        found: What stood there, by type; never its text.
        expected: What should have stood there.
    """

    def __init__(self, location: Sequence[str | int], *, found: str, expected: str) -> None:
        self.location = tuple(location)
        self.found = found
        self.expected = expected
        path = "$" + "".join(f"[{key!r}]" for key in self.location)
        super().__init__(f"{path}: expected {expected}, found {found}")
