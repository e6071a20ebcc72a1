"""The cheapest placement of real breakpoints, found through the model of the cache.

A branch-and-bound search over all placements that can matter. What is left to pay is bounded from below as
the optimum bounds it: for each run of blocks alone.
"""

from decimal import Decimal
from heapq import nsmallest
from itertools import combinations, pairwise
from typing import NamedTuple

from policy_cache.cache.cost import cost
from policy_cache.cache.explicit import CacheModel

_BREAKPOINTS = 4
_WIDTH = 30


def paid_for(outcome, prices):
    return cost(outcome, prices.for_prompt(outcome.total))


def ends(sent):
    """For each prompt, the blocks where it ends or parts from another.

    Nothing is gained elsewhere: what all prompts have alike is best written as a whole or not at all.
    """
    chains = [plain.prefix.digests for plain, _ in sent]
    places = []
    for chain in chains:
        common = {sum(a == b for a, b in zip(chain, other, strict=False)) for other in chains}
        places.append(sorted(length - 1 for length in common if length))
    return places


def placements(plain, places, most=_BREAKPOINTS):
    """Every choice of at most so many of these places, those for an hour before those for five minutes."""
    for count in range(min(most, len(places)) + 1):
        for chosen in combinations(places, count):
            for hours in range(count + 1):
                ttls = ["1h"] * hours + ["5m"] * (count - hours)
                yield plain.mark(dict(zip(chosen, ttls, strict=True)))


class _Next(NamedTuple):
    """The next request with a run: when, and what is left to pay for it if it is read then, or if not."""

    at: float
    read: dict[str, Decimal]
    missed: Decimal


def _nexts(sent, places, prices, rules):
    """For each request, what follows it for each run, by the digest that ends it."""
    following, found = {}, []
    for (plain, at), indexes in zip(sent[::-1], places[::-1], strict=True):
        found.append(dict(following))
        price = prices.for_prompt(plain.tokens)
        for before, index in pairwise([-1, *indexes]):
            digest = plain.prefix.digests[index]
            tokens = sum(block.tokens for block in plain.blocks[before + 1 : index + 1])
            weight = Decimal(tokens) / 1_000_000
            then = following.get(digest)
            left = dict.fromkeys(("5m", "1h"), then.missed if then else Decimal(0))
            missed = weight * price.input + left["5m"]
            for ttl in left:
                if then and then.at - at < rules.seconds(ttl):
                    left[ttl] = then.read[ttl]
            writes = {"5m": price.write_5m, "1h": price.write_1h}
            missed = min([missed, *(weight * writes[ttl] + left[ttl] for ttl in left)])
            following[digest] = _Next(at, {ttl: weight * price.read + left[ttl] for ttl in left}, missed)
    return found[::-1]


def _least(entries, nexts, covers):
    """What is left to pay at least, with these entries."""
    lives = {}
    for digest, entry in entries.items():
        for covered in covers[digest]:
            if covered in nexts and entry.expires > nexts[covered].at:
                lives[covered] = "1h" if "1h" in {entry.ttl, lives.get(covered)} else "5m"
    return sum(
        (then.read[lives[digest]] if digest in lives else then.missed for digest, then in nexts.items()),
        Decimal(0),
    )


def cheapest(sent, prices, rules, *, most=_BREAKPOINTS, everywhere=False):
    """What the best placement costs, and its prompts.

    Args:
        sent: Prompts, and when each of them starts.
        prices: What their tokens cost.
        rules: How the cache behaves.
        most: The most breakpoints of a prompt.
        everywhere: Whether to try every block, and not only those where prompts end or part.
    """
    places = [list(range(len(plain.blocks))) for plain, _ in sent] if everywhere else ends(sent)
    nexts = _nexts(sent, places, prices, rules)
    covers = {
        plain.prefix.digests[index]: [plain.prefix.digests[i] for i in indexes if i <= index]
        for (plain, _), indexes in zip(sent, places, strict=True)
        for index in indexes
    }

    def search(limit, width):
        found = {frozenset(): (Decimal(0), {}, ())}
        for (plain, at), indexes, then in zip(sent, places, nexts, strict=True):
            following = {}
            options = list(placements(plain, indexes, most))
            for paid, entries, before in found.values():
                for placed in options:
                    cache = CacheModel(rules)
                    cache.entries = dict(entries)
                    plan = cache.plan(placed, at)
                    total = paid + paid_for(plan.outcome, prices)
                    cache.commit(plan, at)
                    # What expired, or what nobody asks for any more, makes no difference.
                    live = {d: e for d, e in cache.entries.items() if e.expires > at and d in then}
                    state = frozenset((d, e.ttl, e.expires) for d, e in live.items())
                    bound = total + _least(live, then, covers)
                    if (limit is None or bound < limit) and (
                        state not in following or total < following[state][0]
                    ):
                        following[state] = total, live, (*before, placed), bound
            kept = following.items()
            if width is not None:
                kept = nsmallest(width, kept, key=lambda item: item[1][3])
            found = {state: known[:3] for state, known in kept}
        ends_ = [(paid, placed) for paid, _, placed in found.values()]
        return min(ends_, key=lambda known: known[0], default=None)

    good = search(None, _WIDTH)
    return search(good[0], None) or good
