"""Writing a file: whole, or not at all."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from errno import EACCES, EEXIST
from secrets import token_hex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write, which takes the place of another in one step once the block has ended.

    It has the permissions of the one before. Where the block fails, nothing is left of it and all stays as
    it was. A link is replaced, not followed: resolve the path first.

    Raises:
        OSError: It cannot be written, or what is there is no plain file, or is read-only.
    """
    there = path.exists()
    if there and not path.is_file():
        raise FileExistsError(EEXIST, "not a plain file", str(path))
    if there and not os.access(path, os.W_OK):
        raise PermissionError(EACCES, "it is read-only", str(path))
    fresh = path.with_name(f".policy-cache-{token_hex(8)}")
    with fresh.open("xb") as file:
        try:
            if there:
                shutil.copymode(path, fresh)
            yield file
            file.close()
            fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)


def write(path: Path, content: bytes) -> None:
    """Replace a file by this content.

    Raises:
        OSError: As of `replacing`.
    """
    with replacing(path) as file:
        file.write(content)
