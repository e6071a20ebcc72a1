"""Lifetimes in the order of the prefix: what lives for an hour comes before what lives for less."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy_cache.diagnostics import Label
from policy_cache.policy.check.meaning.walk import warning
from policy_cache.policy.check.review.rules import with_companions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policy_cache.diagnostics import Diagnostic
    from policy_cache.policy.check.review.rules import Place
    from policy_cache.policy.text.source import Source


def lifetimes(source: Source) -> Iterator[Diagnostic]:
    """PC318: a marker for an hour stands behind one for five minutes.

    Providers refuse that, so it is sent with `5m` wherever both are placed. The order is that of the
    prefix: tools, then the system prompt, then messages.

    Bad:
        targets: [tools, {at: system, ttl: 1h}]
    Good:
        targets: [{at: tools, ttl: 1h}, {at: system, ttl: 1h}]
    """
    for rule, before in with_companions(source, marking=True):
        others = [place for one in before for place in one.places]
        for late, short in _pairs(rule.places, others):
            span = source.span(short.path)
            labels = (Label(span, "`5m`, and earlier in the prefix"),) if span else ()
            message = "a `1h` marker may not follow a `5m` one: it is sent with `5m`"
            fix = "give both the same `ttl`"
            yield warning(source, "PC318", message, late.path, fix, labels=labels)


def _pairs(own: tuple[Place, ...], others: list[Place]) -> Iterator[tuple[Place, Place]]:
    """Each place for an hour with the first shorter one before it; one of the two is the rule's own."""
    every = [*others, *own]
    for late in every:
        if late.ttl != "1h":
            continue
        against = every if late in own else own
        short = next((one for one in against if one.ttl == "5m" and _precedes(one, late)), None)
        if short is not None:
            yield late, short


def _precedes(one: Place, other: Place) -> bool:
    if (one.key, other.key) == ("messages.previous_turn", "messages.last"):
        return True
    return one.section[1] < other.section[0]
