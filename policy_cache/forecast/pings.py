"""Keeping warm in a replay: the pings that would have been sent between its requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from policy_cache.usage.keeping import Keeping

if TYPE_CHECKING:
    from policy_cache.cache.explicit import CachePlan
    from policy_cache.cache.models import Model
    from policy_cache.cache.prompt import CachedPrompt
    from policy_cache.engine.match import Facts
    from policy_cache.forecast.result import Column
    from policy_cache.lifetimes import Lifetimes
    from policy_cache.providers.prices import Prices


class Sent(NamedTuple):
    """A request as it was sent, and the cache that it met.

    Attributes:
        prompt: Its prompt, with breakpoints.
        model: The cache.
        prices: The model's.
        group: What its pings are grouped with.
    """

    prompt: CachedPrompt
    model: Model
    prices: Prices | None
    group: str | None


class Pings:
    """Keeps what one policy wrote warm, as far as that was expected to pay by what was known at that time.

    A ping reads a prefix as it was sent, so its entries live on. Not for several threads at once.
    """

    def __init__(self, lifetimes: Lifetimes, column: Column, floor: float, *, switches: bool) -> None:
        """Begin with nothing.

        Args:
            lifetimes: What learns from the requests.
            column: Where pings are added.
            floor: USD that a ping must be expected to gain.
            switches: Whether the policy has `ttl: auto`.
        """
        self._lifetimes = lifetimes
        self._column = column
        self._switches = switches
        self._keeping: Keeping[Sent] = Keeping(lifetimes, floor=floor)

    def until(self, now: float) -> None:
        """Send what is due before this time."""
        keeping = self._keeping
        while (due := keeping.next()) is not None and due < now:
            ping = keeping.take(due)
            if ping is None:
                continue
            kept, sent = ping.kept, ping.what
            plan = sent.model.plan(sent.prompt, due)
            sent.model.commit(plan, due)
            rates = sent.prices and sent.prices.for_prompt(plan.outcome.total)
            self._column.ping(plan.outcome, rates, kept.stake.reply, group=sent.group)
            # What had to be written was lost already: nobody would send another one after that.
            if plan.outcome.read == kept.stake.read:
                keeping.renewed(ping, due)
            else:
                keeping.lost(ping)

    def answered(self, facts: Facts, sent: Sent, plan: CachePlan) -> None:
        """A request was sent, and learned from.

        Args:
            facts: The request as it came, and where it went.
            sent: How it was sent.
            plan: What it did there.
        """
        of = self._lifetimes.conversation(facts.prompt)
        self._keeping.answered(
            of,
            facts.route,
            plan.outcome,
            sent.prices,
            sent,
            at=plan.started,
            switches=self._switches,
        )
