"""What the demo is doing, told as it goes: it takes seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable


class Step(NamedTuple):
    """What is being done.

    Attributes:
        what: What it is, in words.
        done: How many parts of it are done.
        parts: How many it has; 0 where they are not counted.
    """

    what: str
    done: int = 0
    parts: int = 0


Tell: TypeAlias = "Callable[[Step], None]"


def silent(_: Step) -> None:
    """Tell nobody."""
