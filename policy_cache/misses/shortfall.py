"""Why a prompt did not read an entry that the request before it left in what both have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from policy_cache.cache.explicit import CachePlan, EntryRef
    from policy_cache.cache.prompt import Prompt
    from policy_cache.misses.miss import Cause
    from policy_cache.providers.cache_rules import ExplicitRules


class Turn(NamedTuple):
    """A prompt with its breakpoints, and what it does to the cache.

    Attributes:
        prompt: The prompt.
        plan: Its plan.
        at: When its request started.
        available: When its reply began.
        rules: How the entries of its route live, and are found.
    """

    prompt: Prompt
    plan: CachePlan
    at: float
    available: float
    rules: ExplicitRules

    @property
    def entries(self) -> tuple[EntryRef, ...]:
        """The entries that it read or wrote."""
        return self.plan.reads + self.plan.writes


def shortfall(before: Turn, after: Turn, entry: EntryRef) -> tuple[Cause, str]:
    """Why a prompt that begins with an entry of the request before did not read it: its cause, in words."""
    positions = after.prompt.prefix.positions
    behind = [index for index, block in enumerate(after.prompt.blocks) if block.ttl and index >= entry.index]
    if not behind:
        return "no_breakpoint", "this request has none at or behind the entry that ends here"
    late = after.at - before.at - before.rules.seconds(entry.ttl)
    if late >= 0:
        kept = after.at - before.at < before.rules.long
        hour = "; 1h would have kept it" if kept else ""
        return "expired", f"the {entry.ttl} entry that ends here had expired {late:,.0f} s before{hour}"
    away = min(positions[index] for index in behind) - positions[entry.index]
    if away >= after.rules.lookback:
        return "lookback", (
            f"the entry that ends here is {away} positions before the next breakpoint, "
            f"which looks back {after.rules.lookback - 1}"
        )
    if entry in before.plan.writes and after.at < before.available:
        wait = before.available - after.at
        return "not_readable_yet", f"the entry that ends here became readable {wait:,.1f} s later"
    if entry in before.plan.reads and not before.rules.prolonged:
        return "expired", f"the {entry.ttl} entry that ends here had expired: a read does not prolong it"
    return (
        "unexplained",
        "the entry that ends here should have been read; it was evicted, or is somewhere else",
    )
