"""A request on its way through a policy: as it comes in, and as it goes out."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policy_cache.engine.match import Facts
    from policy_cache.engine.program import Alike, Program
    from policy_cache.providers.resolve import Route
    from policy_cache.request.markers import ClientMarker
    from policy_cache.request.prompt import Prompt


class Incoming(NamedTuple):
    """A request on its way in: what conditions see of it, and what the policy does where it goes."""

    facts: Facts
    program: Program

    @property
    def route(self) -> Route:
        """Where it goes."""
        return self.program.route

    @property
    def alike(self) -> Alike:
        """The same object for requests whose prompt, if it is the same, is rewritten alike."""
        return self.program.alike


class Outgoing(NamedTuple):
    """A request on its way out, as a cache sees it.

    Attributes:
        prompt: Its prompt; the one that came in, where markers are all that was added.
        markers: Its markers; where they were added to that, each is on its block there.
    """

    prompt: Prompt
    markers: Sequence[ClientMarker]
