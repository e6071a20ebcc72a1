"""How many breakpoints a policy asks for, and how many the providers take."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from policy_cache.diagnostics import Label
from policy_cache.policy.check.meaning.walk import warning
from policy_cache.policy.check.review.rules import with_companions
from policy_cache.text.words import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policy_cache.diagnostics import Diagnostic
    from policy_cache.policy.check.reach import Routes
    from policy_cache.policy.check.review.rules import Place, Rule
    from policy_cache.policy.text.source import Source


def budgets(source: Source, routes: Routes) -> Iterator[Diagnostic]:
    """Review the number of places that each rule, with those that apply with it, can mark."""
    for rule, before in with_companions(source, marking=True):
        marking = [way.route for way in routes.reached(rule.match) if way.route["mechanism"] == "explicit"]
        most = max((route["breakpoints"] for route in marking), default=0)
        yield from _unbounded(source, rule, most)
        if most:
            yield from _left_out(source, rule, before, most)


def _left_out(source: Source, rule: Rule, before: tuple[Rule, ...], most: int) -> Iterator[Diagnostic]:
    """PC316: the targets before this one can use up all breakpoints that the providers take.

    Counted is the most that each path can name, over the rule and those before it that match whatever it
    matches. Earlier rules and targets go first; within one target, the places nearest the end.

    Bad:
        targets: [tools, system, messages.previous_turn, messages.last_user, messages.last_tool_result]
    Good:
        targets: [tools, system, messages.previous_turn, messages.last]
    """
    counted: dict[str, Place] = {}
    own = {place.path for place in rule.places}
    for place in [place for one in (*before, rule) for place in one.places]:
        total = sum(one.bound for one in counted.values())
        if place.path in own and total >= most and place.key not in counted:
            labels = tuple(
                Label(span, _amount(one.bound))
                for one in (*counted.values(), place)
                if (span := source.span(one.path))
            )
            message = (
                f"{_up_to(total)} before this target, of {most} that the providers take: it may get none"
            )
            fix = "name fewer places, or this one earlier"
            yield warning(source, "PC316", message, place.path, fix, labels=labels)
            return
        counted.setdefault(place.key, place)


def _unbounded(source: Source, rule: Rule, most: int) -> Iterator[Diagnostic]:
    """PC317: a target names any number of places, and does not say how many to take.

    Each wildcard, filter and `..` can match as often as the request is long. The places nearest the end get
    the breakpoints, and nothing is left for later targets.

    Bad:
        targets: ["$.messages[*]"]
    Good:
        targets: [{at: "$.messages[*]", take: 2}]
    """
    for place in rule.places:
        if math.isinf(place.bound):
            message = f"{quoted(place.text)} names any number of places"
            many = f", of at most {most} breakpoints" if most else ""
            yield warning(source, "PC317", message, place.path, f"`take: 2` takes the last two{many}")


def _amount(bound: float) -> str:
    if math.isinf(bound):
        return "any number"
    return f"up to {bound:.0f}" if bound > 1 else "1"


def _up_to(total: float) -> str:
    return "any number of breakpoints" if math.isinf(total) else f"up to {total:.0f} breakpoints"
