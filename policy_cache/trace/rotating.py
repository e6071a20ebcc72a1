"""A file of lines that is rotated by its size."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class RotatingFile:
    """A file that is appended to and rotated. For one thread; other processes may append to it too."""

    def __init__(self, path: Path, rotate_bytes: int, keep: int) -> None:
        self._path = path
        self._most = rotate_bytes
        self._keep = keep
        self._handle: int | None = None

    def append(self, line: bytes) -> None:
        try:
            handle = self._opened()
            size = os.fstat(handle).st_size
            if size and size + len(line) > self._most:
                self._rotate()
                handle = self._opened()
            self._write(handle, line)
        except OSError:
            # Opened again, it is looked at again: it may end in the middle of a line.
            self.close()
            raise

    def close(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            with suppress(OSError):
                os.close(handle)

    def _opened(self) -> int:
        """The file at the path, which another process may have rotated, or a person removed."""
        if self._handle is not None:
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(self._handle), self._path.stat()):
                    return self._handle
            self.close()
        self._handle = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        if os.fstat(self._handle).st_size:
            os.lseek(self._handle, -1, os.SEEK_END)
            if os.read(self._handle, 1) != b"\n":
                os.write(self._handle, b"\n")
        return self._handle

    def _write(self, handle: int, line: bytes) -> None:
        if os.write(handle, line) < len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))

    def _rotate(self) -> None:
        # Two processes that do this at once shift an older file twice; none loses a line of the newest.
        self.close()
        for number in range(self._keep, 0, -1):
            with suppress(FileNotFoundError):
                self._numbered(number - 1).replace(self._numbered(number))

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}") if number else self._path
