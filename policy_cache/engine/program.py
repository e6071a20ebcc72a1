"""What a policy does on a route, worked out once for all requests that go there."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from policy_cache.engine.compile import Candidate
    from policy_cache.providers.resolve import Route


class Left(NamedTuple):
    """What is left of the policy on a route.

    Attributes:
        candidates: The rules that the route does not exclude.
        acts: Whether any of them can change anything there.
        direct: Whether `direct` may know the request to send.
        marks: Whether any of the rules adds markers there.
        repairs: Whether what clients did there may be put right.
    """

    candidates: tuple[Candidate, ...]
    acts: bool
    direct: bool
    marks: bool
    repairs: bool


class Program(NamedTuple):
    """A route, what it leaves of the policy, and what it shares with routes that the policy treats alike."""

    route: Route
    left: Left
    alike: Alike


class Alike:
    """What stands for routes that the policy treats alike; it keeps what its traits are told by."""

    __slots__ = ("_left",)

    def __init__(self, left: object) -> None:
        self._left = left
