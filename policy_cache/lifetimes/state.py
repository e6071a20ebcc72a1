"""What was learned, in a file: counts of pauses by the hash of a kind, and no text."""

from __future__ import annotations

import json
import logging
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from policy_cache.lifetimes.pauses import BOUNDS, Pauses

if TYPE_CHECKING:
    from collections.abc import Mapping

_log = logging.getLogger("policy_cache")

_VERSION = 1
_MOST_KINDS = 500
_LARGEST = 4 << 20

Counts = tuple[Pauses, Pauses]
"""Of conversations, and of the prefixes that they share."""


class State(Protocol):
    """Where what was learned is kept."""

    def load(self) -> tuple[Counts, dict[bytes, Counts]] | None:
        """The counts of all kinds together, and of each; None where there are none."""

    def save(self, general: Counts, kinds: Mapping[bytes, Counts]) -> None:
        """Keep the counts; others may be added to them."""


class StateFile:
    """A file that keeps what was learned over a restart. Written whole, so that no half of it is ever read.

    A file that cannot be read or written is logged once, and costs what it would have kept.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Name the file; nothing is read yet."""
        self._path = Path(path)
        self._told = False

    def load(self) -> tuple[Counts, dict[bytes, Counts]] | None:
        """The counts of all kinds together, and of each; None where there are none that can be read."""
        try:
            return _read(self._path)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            self._tell("read", error)
            return None

    def save(self, general: Counts, kinds: Mapping[bytes, Counts]) -> None:
        """Write the counts: of the kinds, those that were used last; the order of `kinds` is that of use."""
        latest = list(kinds.items())[-_MOST_KINDS:]
        state = {
            "version": _VERSION,
            "bounds": BOUNDS,
            "all": _written(general),
            "kinds": {kind.hex(): _written(counts) for kind, counts in latest},
        }
        try:
            self._write(json.dumps(state))
        except OSError as error:
            self._tell("written", error)

    def _write(self, text: str) -> None:
        handle, name = tempfile.mkstemp(prefix=f".{self._path.name}.", dir=self._path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            Path(name).replace(self._path)
        except OSError:
            with suppress(OSError):
                Path(name).unlink()
            raise

    def _tell(self, what: str, error: Exception) -> None:
        if not self._told:
            self._told = True
            _log.warning(
                "what `ttl: auto` learned could not be %s: %s: %s (logged once)", what, self._path, error
            )


def state_of(where: str | os.PathLike[str]) -> State:
    """The file of that name, or the Redis at that address.

    Raises:
        ValueError: The address is none.
        ModuleNotFoundError: It is a Redis, and the extra `redis` is not installed.
    """
    if isinstance(where, str) and where.startswith(("redis://", "rediss://", "unix://")):
        from policy_cache.lifetimes.shared import SharedState  # noqa: PLC0415, an extra

        return SharedState(where)
    return StateFile(where)


def _read(path: Path) -> tuple[Counts, dict[bytes, Counts]]:
    if path.stat().st_size > _LARGEST:
        raise ValueError("it is too large")
    state = json.loads(path.read_bytes())
    if state["version"] != _VERSION or state["bounds"] != list(BOUNDS):
        raise ValueError("it is of another version")
    kinds = {bytes.fromhex(kind): counts_of(counts) for kind, counts in state["kinds"].items()}
    return counts_of(state["all"]), kinds


def _written(counts: Counts) -> list[list[list[float]]]:
    return [
        [[round(count, 3) for count in part] for part in (pauses.followed, pauses.waited_on)]
        for pauses in counts
    ]


def counts_of(written: Any) -> Counts:  # noqa: ANN401, as it was written
    """Counts as they were written.

    Raises:
        ValueError: They cannot be counts.
    """
    conversations, prefixes = (Pauses(*(_row(row) for row in pauses)) for pauses in written)
    return conversations, prefixes


def _row(row: Any) -> list[float]:  # noqa: ANN401, as the file has it
    counts = [float(count) for count in row]
    if len(counts) != len(BOUNDS) or not all(0 <= count < 1e9 for count in counts):
        raise ValueError("it has counts that cannot be")
    return counts
