"""Who caused what the cache did: a rule, the client, litellm, or the provider by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, get_args

from policy_cache.cache.explicit import CacheOutcome

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

Party: TypeAlias = Literal["policy", "client", "litellm", "provider", "unrecorded"]
"""Who may have set a breakpoint; `unrecorded` where a trace does not say."""

PARTIES: tuple[Party, ...] = get_args(Party)


class Owner(NamedTuple):
    """Whose a breakpoint is.

    Attributes:
        source: Which party.
        rule: The rule's name where that is the policy.
    """

    source: Party
    rule: str = ""

    def __str__(self) -> str:
        """The rule's name, or the party in parentheses, which no rule is called."""
        return self.rule or f"({self.source})"


CLIENT, LITELLM, PROVIDER = Owner("client"), Owner("litellm"), Owner("provider")
UNRECORDED = Owner("unrecorded")


class Segment(NamedTuple):
    """The part of a prompt between the breakpoint before and its own.

    Attributes:
        owner: Whose that breakpoint is.
        size: How large the part is, in any unit that all segments share.
    """

    owner: Owner
    size: int


class Share(NamedTuple):
    """What one owner caused, in tokens.

    Attributes:
        owner: Who.
        read: Tokens read from the cache.
        write_5m: Tokens written for five minutes, or for as long as the provider does unasked.
        write_1h: Tokens written for an hour.
        saved: USD; negative where it cost more than it saved, None where a price is unknown.
    """

    owner: Owner
    read: int = 0
    write_5m: int = 0
    write_1h: int = 0
    saved: Decimal | None = None

    @property
    def outcome(self) -> CacheOutcome:
        """These tokens, as a part of the prompt."""
        return CacheOutcome(self.read, self.write_5m, self.write_1h)


def attribute(segments: Sequence[Segment], outcome: CacheOutcome, *, tail: int = 0) -> tuple[Share, ...]:
    """Divide what was read and written among the owners of the prompt's breakpoints.

    Every token belongs to the first breakpoint at or after it. What was read fills the segments from the
    front, then what was written for an hour, then what was written for less: the order in which a provider
    bills them. Sizes are estimates, so they are scaled to the prompt that was reported, and what reaches
    past the last breakpoint is counted with it. The shares add up to the outcome.

    Args:
        segments: In prefix order; without any, all is the provider's own doing.
        outcome: What became of the prompt.
        tail: The size of what stands behind the last breakpoint.

    Returns:
        A share for each owner that has tokens, in prefix order.
    """
    segments = segments or (Segment(PROVIDER, 1),)
    whole = sum(segment.size for segment in segments) + tail
    cached = outcome.total - outcome.uncached
    shares: dict[Owner, CacheOutcome] = {}
    passed = start = 0
    for number, (owner, size) in enumerate(segments, 1):
        passed += size
        end = cached if number == len(segments) else min(cached, passed * outcome.total // max(whole, 1))
        if end > start:
            shares[owner] = shares.get(owner, CacheOutcome()) + outcome.between(start, end)
        start = end
    return tuple(Share(owner, part.read, part.write_5m, part.write_1h) for owner, part in shares.items())
