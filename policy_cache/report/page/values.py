"""What a page shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from decimal import Decimal

    from policy_cache.cache.explicit import CacheOutcome
    from policy_cache.cache.prompt import Ttl
    from policy_cache.forecast.result import Simulation
    from policy_cache.forecast.switches import Switches
    from policy_cache.misses.ledger import Misses
    from policy_cache.trace.reader import TraceSummary


class DrawnBlock(NamedTuple):
    """A block of a prompt.

    Attributes:
        location: Where it stands in the request.
        kind: What it is: `text`, `tool_use`, `tool` for a tool definition.
        tokens: Its size.
        text: What it says, cut when it is long; None unless it was asked for.
    """

    location: str
    kind: str
    tokens: int
    text: str | None


class Treated(NamedTuple):
    """What became of one request, marked in one way.

    Attributes:
        outcome: Its tokens.
        blocks: Its blocks, as indexes into the session's.
        states: A letter for each: `r` read, `1` written for an hour, `5` for five minutes, `u` uncached.
        breakpoints: The blocks that carry one, by their place in `blocks`, and for how long.
        changed: The first block that is not as the request before had it; None where that only went on.
    """

    outcome: CacheOutcome
    blocks: tuple[int, ...]
    states: str
    breakpoints: tuple[tuple[int, Ttl], ...]
    changed: int | None


class DrawnTurn(NamedTuple):
    """One request of a session.

    Attributes:
        where: Its file and line.
        at: When it started, in seconds from the first of its session.
        ways: What became of it, for each way of marking; None where nothing was recorded.
    """

    where: str
    at: float
    ways: tuple[Treated | None, ...]


class DrawnSession(NamedTuple):
    """A conversation.

    Attributes:
        name: What it is called.
        model: The model that it began with.
        requests: How many requests it has.
        cost: What its prompts cost without caching, in USD; None where the price is unknown.
        blocks: All blocks of its prompts, each once.
        turns: Its first requests.
    """

    name: str
    model: str
    requests: int
    cost: Decimal | None
    blocks: tuple[DrawnBlock, ...]
    turns: tuple[DrawnTurn, ...]


class Page(NamedTuple):
    """What a page shows of a trace.

    Attributes:
        name: What the trace is called.
        policies: What the policies are called: as much of their paths as tells them apart.
        simulation: What they would have cost.
        summary: What reading the trace met with.
        misses: What each policy leaves unread.
        ways: The ways of marking that sessions are shown in: the policies, then what was sent and recorded.
        sessions: The dearest sessions.
        switches: Where sessions changed their model, and what that cost under the first policy.
    """

    name: str
    policies: tuple[str, ...]
    simulation: Simulation
    summary: TraceSummary
    misses: tuple[Misses, ...]
    ways: tuple[str, ...]
    sessions: tuple[DrawnSession, ...]
    switches: Switches
