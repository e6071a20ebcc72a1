"""Where a policy may be saved, and nowhere else."""

from __future__ import annotations

import hashlib
import re
from codecs import BOM_UTF8
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

from policy_cache.errors import PolicyCacheError
from policy_cache.policy.write.file import write

if TYPE_CHECKING:
    from pathlib import Path

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}\.ya?ml")


class SaveError(PolicyCacheError):
    """A policy that was not saved."""


class ConflictError(SaveError):
    """A policy that would have been written over what the page has not seen.

    Attributes:
        found: The digest of what is there; None where nothing is any more.
    """

    def __init__(self, message: str, found: str | None) -> None:
        super().__init__(message)
        self.found = found


@dataclass(frozen=True, slots=True)
class Places:
    """Where policies may be saved.

    Attributes:
        file: One file, without symbolic links on the way; None for none.
        folder: A folder in which any policy's name will do, without such links either; None for none.
    """

    file: Path | None = None
    folder: Path | None = None
    _lock: Lock = field(default_factory=Lock, init=False, repr=False, compare=False)

    def save(self, text: str, name: str | None, seen: str | None) -> str:
        """Write a policy in one step; on failure the file stays as it was. A byte order mark stays.

        Args:
            text: The policy.
            name: A name in the folder; None for the file.
            seen: What `digest` said of the content to write over; None for a file that does not exist.

        Returns:
            The digest of what was written.

        Raises:
            SaveError: It may not be saved there.
            ConflictError: The file is not as it was seen.
            OSError: It cannot be written.
        """
        path = self._path(name)
        try:
            content = text.encode()
        except UnicodeEncodeError:
            raise SaveError("the policy holds half of a surrogate pair, which has no UTF-8") from None
        with self._lock:
            if path.resolve() != path or (path.exists() and not path.is_file()):
                raise SaveError(f"{path.name} is no plain file, or a link leads elsewhere")
            before = path.read_bytes() if path.exists() else None
            current = None if before is None else digest(before)
            if current != seen:
                change = "exists" if seen is None else "has changed since it was read"
                raise ConflictError(f"{path.name} {change}", current)
            if before is not None and before.startswith(BOM_UTF8):
                content = BOM_UTF8 + content
            write(path, content)
        return digest(content)

    def _path(self, name: str | None) -> Path:
        if name is None:
            if self.file is None:
                raise SaveError("there is no file to save to: start with --policy FILE")
            return self.file
        if self.folder is None:
            raise SaveError("there is no folder to save in: start with --folder DIR")
        if not _NAME.fullmatch(name):
            raise SaveError("expected a name such as policy.yaml: letters, digits, `_`, `-` and `.`")
        return self.folder / name


def digest(content: bytes) -> str:
    """A name for exactly this content."""
    return hashlib.sha256(content).hexdigest()
