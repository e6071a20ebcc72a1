"""Keeping a prefix warm: what one more read of it, just before its entry expires, is expected to be worth.

The next request, if it comes in the time that the read adds, reads what it would have had to write. Whether
it comes follows from the pauses that were seen. Within a stretch of waiting, its
rate falls as one over the time: what has not come for long is the less likely to come soon.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from policy_cache.lifetimes.pauses import BOUNDS, HOUR, Law

if TYPE_CHECKING:
    from policy_cache.providers.catalog import Ttl
    from policy_cache.providers.prices import Prices

FLOOR = 0.001
"""USD that a ping must be expected to gain, unless something else is asked for."""

EARLY = 1 / 20
"""How long before an entry expires it is pinged, as a share of its lifetime: 15 seconds of five minutes."""

_MINUTE = 60.0
_MILLION = 1_000_000
_LARGEST = 1 - 1e-9


class Outlook(NamedTuple):
    """What is known of a conversation that waits for its next request.

    Attributes:
        law: What follows a request of its kind.
        faster: Hazards add up so many times as fast as its kind's, by its own pauses.
        ttl: What its entries live for; None where it has none, as far as it is known.
        shared: The same for its tools and system prompt.
        pauses: How many pauses of more than five minutes are to come, before one of more than an hour.
        hour: Whether `ttl: auto` would write it for an hour, once it has expired.
    """

    law: Law
    faster: float = 1.0
    ttl: Ttl | None = None
    shared: Ttl | None = None
    pauses: float = 0.0
    hour: bool = False

    def within(self, start: float, end: float) -> float:
        """The chance of a next request between two times, of one that has not come until the first.

        Args:
            start: Seconds since its last request.
            end: The same, and never less.
        """
        return -math.expm1(self.faster * (_added(self.law, start) - _added(self.law, end)))


class Stake(NamedTuple):
    """What a ping of a prefix is about, in tokens.

    Attributes:
        read: What it reads.
        rest: What it sends besides, and what is billed plainly.
        lost: What would have to be written again, if nothing was read.
        reply: What is replied; none where `max_tokens: 0` is taken.
    """

    read: int
    rest: int
    lost: int
    reply: int = 0


def gain(
    outlook: Outlook,
    stake: Stake,
    prices: Prices | None,
    *,
    waited: float,
    expires: float,
    lifetime: float,
    ttl: Ttl,
) -> float:
    """What a ping is expected to gain now, in USD; negative where it is expected to lose.

    Nothing is gained where it has waited for an hour, and so has ended, or where a price is unknown.

    Args:
        outlook: What is known of the conversation.
        stake: The prefix.
        prices: The model's; those for a prompt of its size are taken.
        waited: Seconds since its last request.
        expires: The same, for when its entry expires.
        lifetime: Seconds that an entry lives from when it was read last.
        ttl: What it would be written for.
    """
    paid = costs(stake, prices)
    if waited >= HOUR or paid is None or prices is None:
        return 0.0
    rates = prices.for_prompt(stake.read + stake.rest)
    write = rates.write_1h if ttl == "1h" else rates.write_5m
    if write is None or rates.read is None:
        return 0.0
    spares = float(stake.lost * (write - rates.read)) / _MILLION
    return outlook.within(expires, waited + lifetime) * spares - paid


def stays(outlook: Outlook, stake: Stake, prices: Prices, lifetime: float) -> bool:
    """Whether pings cost less than to let an entry expire, and to write it for an hour then.

    Pings are reckoned with in each pause that is still to come, and in the last, which does not end; as many
    as are expected to gain. What is written for an hour is paid once, if there is a next request.

    Args:
        outlook: What is known of the conversation.
        stake: The prefix; what would be lost lives for five minutes.
        prices: The model's.
        lifetime: How long that is, in seconds.
    """
    rates = prices.for_prompt(stake.read + stake.rest)
    ping = costs(stake, prices)
    if ping is None or rates.read is None or rates.write_5m is None or rates.write_1h is None:
        return True
    short = float(stake.lost * (rates.write_5m - rates.read)) / _MILLION
    long = float(stake.lost * (rates.write_1h - rates.read)) / _MILLION
    waiting, paid, expires = 1.0, 0.0, lifetime
    while expires < HOUR:
        following = expires + (1 - EARLY) * lifetime
        chance = outlook.within(expires, following)
        if chance * short <= ping:
            break
        paid += waiting * ping
        waiting, expires = waiting * (1 - chance), following
    paid += waiting * outlook.within(expires, max(expires, HOUR)) * short
    return (outlook.pauses + 1) * paid <= outlook.within(lifetime, HOUR) * long


def costs(stake: Stake, prices: Prices | None) -> float | None:
    """What a ping costs, in USD; None where a price is unknown."""
    rates = prices and prices.for_prompt(stake.read + stake.rest)
    if rates is None or rates.read is None or rates.input is None or rates.output is None:
        return None
    paid = stake.read * rates.read + stake.rest * rates.input + stake.reply * rates.output
    return float(paid) / _MILLION


def leaning(law: Law, medium: float) -> float:
    """By how much faster hazards add up, given the share that is followed within an hour, but no sooner.

    Args:
        law: What follows a request of its kind.
        medium: That share, for the conversation itself.
    """
    usual, own = (math.log1p(share / law.ends) for share in (law.medium, medium))
    return own / usual if usual > 0 else 1.0


def _added(law: Law, waited: float) -> float:
    """What the hazards have added up to: the chance that nothing came so far is `exp` of minus that."""
    total, start = 0.0, 0.0
    for hazard, end in zip(law.hazards, BOUNDS, strict=True):
        whole = -math.log1p(-min(hazard, _LARGEST))
        if waited <= end:
            return total + whole * (_scale(waited) - _scale(start)) / (_scale(end) - _scale(start))
        total, start = total + whole, end
    return total


def _scale(seconds: float) -> float:
    return math.log1p(seconds / _MINUTE)
