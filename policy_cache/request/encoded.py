"""What base64 stands for, decoded only where it is looked at."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error

# Longer lines than this have none.
_LINE = 100


class Encoded:
    """The bytes of a `data:` URL, or of base64 alone; where it is neither, bytes without a meaning."""

    __slots__ = ("_start", "_text", "size")

    def __init__(self, text: str) -> None:
        """Take a text, of which nothing is decoded yet.

        Args:
            text: A `data:` URL, or base64 alone.
        """
        start = text.find(",") + 1 if text.startswith("data:") else 0
        if "\n" in text[start : start + _LINE]:
            text, start = "".join(text[start:].split()), 0
        self._text = text
        self._start = start
        self.size = (len(text) - start) * 3 // 4
        """How many bytes there are, padding among them."""

    def part(self, at: int, size: int) -> bytes:
        """Up to so many bytes from a place on; fewer where it ends, none where it is not base64."""
        at = max(0, at)
        text = self._text[self._start + at // 3 * 4 : self._start + (at + size + 2) // 3 * 4]
        text = text.replace("-", "+").replace("_", "/")  # as URLs have it
        try:
            return b64decode(text + "=" * (-len(text) % 4))[at % 3 :][:size]
        except (Error, ValueError):
            return b""
