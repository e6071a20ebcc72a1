"""How many breakpoints a policy asks for, and where: what the routes that its rules reach take."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from policy_cache.policy.check.finding import Finding, Mark
from policy_cache.policy.check.reach.routes import keeps
from policy_cache.policy.check.rules import rules_of, with_companions
from policy_cache.text.words import listed, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policy_cache.policy.check.reach.routes import Routes, Way
    from policy_cache.policy.check.rules import Place, Rule
    from policy_cache.policy.text.source import Source


def budgets(source: Source, routes: Routes) -> Iterator[Finding]:
    """PC316: the targets before this one can use up all breakpoints that the providers take.

    Counted is the most that each path can name, over the rule and those before it that match whatever it
    matches. Earlier rules and targets go first; within one target, the places nearest the end.

    Bad:
        targets: [tools, system, messages.previous_turn, messages.last_user, messages.last_tool_result]
    Good:
        targets: [tools, system, messages.previous_turn, messages.last]

    PC317: a target names any number of places, and does not say how many to take.

    Each wildcard, filter and `..` can match as often as the request is long. The places nearest the end get
    the breakpoints, and nothing is left for later targets.

    Bad:
        targets: ["$.messages[*]"]
    Good:
        targets: [{at: "$.messages[*]", take: 2}]
    """
    for rule, before in with_companions(source, marking=True):
        most = max((way.route["breakpoints"] for way in _explicit(rule, routes)), default=0)
        yield from _unbounded(rule, most)
        if most:
            yield from _left_out(rule, before, most)


def _explicit(rule: Rule, routes: Routes) -> list[Way]:
    """The routes that a rule reaches and that take markers."""
    return [way for way in routes.reached(rule.match) if way.route["mechanism"] == "explicit"]


def _unbounded(rule: Rule, most: int) -> Iterator[Finding]:
    for place in rule.places:
        if math.isinf(place.bound):
            message = f"{quoted(place.text)} names any number of places"
            many = f", of at most {most} breakpoints" if most else ""
            yield Finding("PC317", message, place.path, f"`take: 2` takes the last two{many}")


def _left_out(rule: Rule, before: tuple[Rule, ...], most: int) -> Iterator[Finding]:
    counted: dict[str, Place] = {}
    own = {place.path for place in rule.places}
    for place in (place for each in (*before, rule) for place in each.places):
        total = sum(earlier.bound for earlier in counted.values())
        if place.path in own and total >= most and place.key not in counted:
            marks = tuple(Mark(each.path, _amount(each.bound)) for each in (*counted.values(), place))
            upto = "any number of breakpoints" if math.isinf(total) else f"up to {total:.0f} breakpoints"
            message = f"{upto} before this target, of {most} that the providers take: it may get none"
            help_ = "name fewer places, or this one earlier"
            yield Finding("PC316", message, place.path, help_, marks=marks)
            return
        counted.setdefault(place.key, place)


def _amount(bound: float) -> str:
    if math.isinf(bound):
        return "any number"
    return f"up to {bound:.0f}" if bound > 1 else "1"


def lost_markers(source: Source, routes: Routes) -> Iterator[Finding]:
    """PC325: no route that the rule can reach keeps a marker at this target.

    Which routes a rule reaches is told from its `provider` and from the known models that its `model`
    matches. `policy-cache providers` shows what each route keeps.

    Bad:
        match: {provider: openai, model: "gpt-5.6*"}
        targets: [tools]
    Good:
        match: {provider: openai, model: "gpt-5.6*"}
        targets: [system]
    """
    for rule in rules_of(source):
        ways = _explicit(rule, routes) if rule.marks and rule.match.get("provider") else []
        for place in rule.places if ways else ():
            low, high = place.section
            if low != high or any(keeps(way, low, rule.match.get("shape"), routes) for way in ways):
                continue
            names = listed(sorted({str(way.route["name"]) for way in ways}))
            message = f"no marker stays on {quoted(place.text)} on the routes that this rule reaches: {names}"
            help_ = "`policy-cache providers NAME` shows what a route keeps"
            yield Finding("PC325", message, place.path, help_)
