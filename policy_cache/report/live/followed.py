"""A recorder's file, followed."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from policy_cache.errors import reason_of
from policy_cache.report.live.live import Live
from policy_cache.trace.follow import Follower
from policy_cache.trace.record import TraceError
from policy_cache.usage.recorded import RecordedLines

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from policy_cache.providers.catalog import Catalog
    from policy_cache.usage.live import Snapshot


class Followed:
    """What the records of a file come to, as they are written.

    Attributes:
        state: What keeps the file from being read, or its last line from being counted; empty if nothing.
    """

    def __init__(
        self, path: Path, *, catalog: Catalog | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        """Open a file, to be read from its start.

        Args:
            path: The file.
            catalog: How providers cache; the packaged catalog if left out.
            clock: The time in seconds since the epoch.

        Raises:
            TraceError: It is no file.
            OSError: It cannot be opened.
        """
        self.state = ""
        self._follower = Follower(path)
        self._recorded = RecordedLines(catalog)
        self._live = Live(catalog=catalog, clock=clock)
        self._broken = self._duplicates = 0

    def read(self, seconds: float | None = None) -> bool:
        """Read what is new, for about so long; say whether that was all."""
        end = None if seconds is None else time.monotonic() + seconds
        try:
            while (line := self._follower.line()) is not None:
                self._add(line)
                if end is not None and time.monotonic() >= end:
                    return False
        except TraceError as error:
            self.state = str(error)
            return True
        except OSError as error:
            self.state = reason_of(error)
            return True
        self.state = self._waiting()
        return True

    def snapshot(self) -> Snapshot:
        """What is known now."""
        return replace(self._live.snapshot(), broken=self._broken, duplicates=self._duplicates)

    def close(self) -> None:
        """Close the file."""
        self._follower.close()

    def _add(self, line: bytes) -> None:
        if not line.strip():
            return
        answered = self._recorded.read(line)
        if answered is None:
            self._broken += 1
        elif answered.copy:
            self._duplicates += 1
        else:
            self._live.add(answered, line)

    def _waiting(self) -> str:
        if self._follower.gone:
            return "the file is gone; waiting for a new one"
        return "the last line has no end yet, and is not counted" if self._follower.unfinished else ""
