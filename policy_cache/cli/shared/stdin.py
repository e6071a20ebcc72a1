"""Standard input, which may be closed."""

from __future__ import annotations

import errno
import sys
from typing import TextIO


def standard_input() -> bytes:
    """All of standard input.

    Raises:
        OSError: It is closed, or cannot be read.
    """
    stream: TextIO | None = sys.stdin
    if stream is None:
        raise OSError(errno.EBADF, "standard input is closed")
    return stream.buffer.read()
