"""Caches that providers keep by themselves and that cost nothing to write, as a model.

What such a cache keeps is at its provider's discretion: a read is what its documentation lets one expect.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from policy_cache.cache.entries import EntryModel
from policy_cache.cache.explicit import CacheOutcome, CachePlan, EntryRef
from policy_cache.request.location import Mapped

if TYPE_CHECKING:
    from policy_cache.cache.prompt import CachedPrompt
    from policy_cache.providers.cache_rules import AutomaticRules


class AutomaticModel(EntryModel):
    """The prefixes that a provider keeps by itself. Not for several threads at once.

    Every block of a prompt ends a prefix that a later one can share. Of a block only its hash and its size
    are known, so two prompts share whole equal blocks, never the first half of one; the provider's step
    then rounds that down. Markers mean nothing here.
    """

    def __init__(self, rules: AutomaticRules) -> None:
        """Begin with an empty cache."""
        super().__init__(rules.lives)
        self._rules = rules

    def plan(self, prompt: CachedPrompt, now: float) -> CachePlan:
        """Work out what a prompt would read if its request started now; change nothing.

        Its reads are all prefixes that it shares, its writes the others. No lifetime is asked for: `5m` is
        what the type wants, and nothing is billed as written.
        """
        digests, _, ends = prompt.prefix
        rules = self._rules
        size = max(rules.minimum, 1)
        first = bisect_left(ends, -(-size // rules.step) * rules.step)
        is_live = self.is_live
        hit = len(digests) - 1
        while hit >= first and not is_live(digests[hit], now):
            hit -= 1
        read = ends[hit] // rules.step * rules.step if hit >= first else 0
        shared = hit + 1 - first
        found = Mapped(range(first, len(digests)), lambda index: EntryRef(index, digests[index], "5m"))
        return CachePlan(
            started=now,
            outcome=CacheOutcome(read=read, uncached=prompt.tokens - read),
            reads=found[:shared],
            writes=found[shared:],
        )
