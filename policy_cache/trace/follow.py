"""The lines of a file that grows: over rotation, and from the start again where it was truncated."""

from __future__ import annotations

import os
import stat
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from policy_cache.trace.reader import Trace
from policy_cache.trace.record import TraceError
from policy_cache.trace.sized import expanded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from policy_cache.trace.record import TraceRecord

_CHUNK = 1 << 20
_LONGEST = 64 << 20
_MOST_KNOWN = 64 << 10


class Follower:
    """Reads what is appended to a file, a line at a time, once the line has its end.

    Where the file was renamed, as a `TraceRecorder` renames it to `FILE.1` and so on, the rest of it is read
    first, then the files that were begun and renamed since, and then the new one. Where it was truncated, it
    is read from its start again, also if it has grown beyond its old size since: what was read last, up to
    64 KiB, no longer stands where it stood. Only a file that was refilled with the very same bytes at that
    place is taken for one that was not touched.

    Attributes:
        gone: Whether there is no file of that name now.
    """

    def __init__(self, path: Path) -> None:
        """Open a file, to be read from its start.

        Raises:
            TraceError: It is no file.
            OSError: It cannot be opened.
        """
        self.gone = False
        self._path = path
        self._handle = _opened(path)
        self._lines: deque[bytes] = deque()
        self._part = bytearray()
        self._known = b""

    @property
    def unfinished(self) -> bool:
        """Whether the last line has no end yet."""
        return bool(self._part)

    def line(self) -> bytes | None:
        """The next line; None where there is none yet.

        Raises:
            TraceError: What has taken the file's place is no file.
            OSError: It cannot be read.
        """
        while not self._lines:
            if not (self._from_start() or self._read() or self._next()):
                return None
        return self._lines.popleft()

    def close(self) -> None:
        """Close the file."""
        os.close(self._handle)

    def _read(self) -> bool:
        chunk = os.read(self._handle, _CHUNK)
        self._known = (self._known + chunk)[-_MOST_KNOWN:]
        first, *others = chunk.split(b"\n")
        # What is longer than any record is cut, so that it is none, and takes no more memory.
        self._part += first[: _LONGEST - len(self._part)]
        for piece in others:
            self._lines.append(bytes(self._part))
            self._part = bytearray(piece)
        return bool(chunk)

    def _from_start(self) -> bool:
        """Go back to the start of a file that no longer holds what was read of it."""
        place = os.lseek(self._handle, 0, os.SEEK_CUR)
        os.lseek(self._handle, place - len(self._known), os.SEEK_SET)
        if os.read(self._handle, len(self._known)) == self._known:
            return False
        os.lseek(self._handle, 0, os.SEEK_SET)
        self._part.clear()
        self._known = b""
        return True

    def _next(self) -> bool:
        """Go on with the file that was begun after this one, as soon as this one was renamed."""
        found = self._newer()
        if found is None:
            return False
        # What was appended between the last look and the renaming.
        while self._read():
            pass
        if self._part:  # no more will come of it
            self._lines.append(bytes(self._part))
            self._part.clear()
        os.close(self._handle)
        self._handle, self._known = found, b""
        return True

    def _newer(self) -> int | None:
        """The file after this one; None where there is none."""
        for _ in range(3):
            number = self._number()
            if number == 0:
                self.gone = False
                return None
            try:
                handle = _opened(self._numbered((number or 1) - 1))
            except FileNotFoundError:
                self.gone = True
                return None
            # Where files were renamed meanwhile, it may be a newer one than the next.
            if self._number() == number:
                self.gone = False
                return handle
            os.close(handle)
        return None

    def _number(self) -> int | None:
        """Which file this one is by now: 0 for the one of that name; None where it is none of them."""
        own, number = os.fstat(self._handle), 0
        with suppress(FileNotFoundError):
            while not os.path.samestat(own, self._numbered(number).stat()):
                number += 1
            return number
        return None

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}") if number else self._path


def _opened(path: Path) -> int:
    # Opening a pipe would wait for whoever writes to it.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise TraceError(f"{path}: expected a file")
    return handle


class Arriving(Trace):
    """The requests of lines as they come. None waits for an earlier one: that would come later, or never."""

    def __init__(self) -> None:
        """Begin with no line."""
        super().__init__(())
        self._latest = float("-inf")

    def records(self, where: str, line: bytes, now: float) -> Iterator[TraceRecord]:
        """The requests of a line: one, or none where it is no record.

        One from later than now is taken to start now, and those after it when they say.
        """
        before = self._clock
        self._lines = expanded([(where, line)])
        for record, _ in self._records():
            if record.at > now:
                yield record._replace(at=now)
            else:
                in_turn = self._in_turn(record, self._latest)
                self._latest = in_turn.at
                yield in_turn
        if self._clock is not None and self._clock > now:
            self._clock = before
