"""Lines that repeat an earlier one, as logs have them that were shipped or joined twice."""

from __future__ import annotations

from policy_cache.cache.memo import Memo

_MOST_LINES = 200_000


class Copies:
    """Knows a copy of a line among the last two hundred thousand.

    Only a line with a time can be one: a client may well send the same request again.
    """

    def __init__(self) -> None:
        """Begin with no line."""
        self._seen: Memo[int, bool] = Memo(_MOST_LINES)

    def has(self, line: bytes) -> bool:
        """Whether a line with a time repeats an earlier one; from now on it is known."""
        mark = hash(line.rstrip())  # the last line of a file may lack its end
        if self._seen.get(mark):
            return True
        self._seen.put(mark, True)
        return False
