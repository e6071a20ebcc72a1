"""What a provider reported as read, held against what was believed."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# What tokens may differ by before an answer contradicts what was believed: sizes are estimates.
_TOLERANCE, _LEAST_DIFFERENCE = 0.05, 64


def reached(ends: Sequence[int], believed: int, read: int) -> int | None:
    """The last block that what was read can have reached, -1 for none; None where that was believed anyhow.

    Args:
        ends: The tokens up to the end of each block.
        believed: The tokens that would have been read.
        read: Those that were reported.
    """
    near = max(_LEAST_DIFFERENCE, _TOLERANCE * max(believed, read))
    return None if abs(believed - read) <= near else bisect_right(ends, read + near) - 1
