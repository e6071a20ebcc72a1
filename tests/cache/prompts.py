"""Small prompts whose sizes can be added up in the head."""

from typing import NamedTuple

from policy_cache.cache.explicit import CacheModel
from policy_cache.cache.prompt import CachedBlock, CachedPrompt, Ttl
from policy_cache.providers.cache_rules import ExplicitRules


class Marked(NamedTuple):
    """A block, and the lifetime that a breakpoint on it asks for."""

    block: CachedBlock
    ttl: Ttl | None


def block(name, tokens=100, ttl=None, *, level="messages", kind="text"):
    return Marked(CachedBlock(level, kind, name.encode(), tokens), ttl)


def prompt(*blocks, model="m", scope="s", kind=CachedPrompt, **fields):
    breakpoints = {index: one.ttl for index, one in enumerate(blocks) if one.ttl is not None}
    return kind(model, scope, tuple(one.block for one in blocks), breakpoints=breakpoints, **fields)


def texts(count, *, ttl=None, start=0):
    """`count` text blocks of 100 tokens, the last one marked."""
    names = [f"text {n}" for n in range(start, start + count)]
    return [block(name, ttl=ttl if name == names[-1] else None) for name in names]


def explicit_rules(minimum=0, **rules):
    """Claude's rules, with this minimum."""
    return ExplicitRules(**{"minimum": minimum, "lookback": 20, "short": 300.0, "long": 3_600.0, **rules})


def no_minimum():
    return CacheModel(explicit_rules())


def send(cache, sent, now, *, available=None):
    """Plan and commit a prompt, its reply beginning at once."""
    plan = cache.plan(sent, now)
    cache.commit(plan, now if available is None else available)
    return plan.outcome
