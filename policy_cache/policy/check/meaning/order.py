"""Rules and targets in an order that leaves some of them without effect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy_cache.policy.check.finding import Finding, Mark
from policy_cache.policy.check.rules import rules_of, with_companions
from policy_cache.policy.check.walk import parameters
from policy_cache.text.words import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policy_cache.diagnostics import Path
    from policy_cache.policy.check.rules import Place, Rule
    from policy_cache.policy.text.source import Source


def late_rules(source: Source) -> Iterator[Finding]:
    """PC314: an earlier rule with `stop: true` matches whatever this one matches, so that it never acts.

    Bad:
        - {name: all, match: {stream: true}, targets: [system], action: {add_cache_control: {}}, stop: true}
        - {name: tools, match: {stream: true}, targets: [tools], action: {add_cache_control: {}}}
    Good:
        - {name: some, match: {stream: true}, targets: [tools], action: {add_cache_control: {}}, stop: true}
        - {name: others, targets: [system], action: {add_cache_control: {}}}

    PC315: an earlier target or rule claims the same place whenever this one could.

    The first to claim a place keeps it, with its lifetime. The same holds for a parameter that an earlier
    rule sets.

    Bad:
        - {name: all, targets: [system], action: {add_cache_control: {}}}
        - {name: long, match: {model: "*opus*"}, targets: [system], action: {add_cache_control: {ttl: 1h}}}
    Good:
        - {name: long, match: {model: "*opus*"}, targets: [system], action: {add_cache_control: {ttl: 1h}}}
        - {name: all, targets: [system], action: {add_cache_control: {}}}
    """
    for rule, before in with_companions(source, marking=False):
        stopping = next((earlier for earlier in before if earlier.data.get("stop") is True), None)
        if stopping is not None:
            first = quoted(stopping.name)
            message = f"{quoted(rule.name)} is never looked at: {first} matches all that it matches"
            marks = (Mark((*stopping.path, "stop"), f"{first} stops here", key=True),)
            yield Finding("PC314", message, (*rule.path, "name"), f"move it before {first}", marks=marks)
        elif rule.marks:
            yield from _claimed(rule, [earlier for earlier in before if earlier.marks])
        else:
            yield from _set_twice(rule, before)


def _claimed(rule: Rule, before: list[Rule]) -> Iterator[Finding]:
    claimed: dict[str, Mark] = {}
    for earlier in before:
        for place in earlier.places:
            if place.take == "all":
                claimed.setdefault(place.key, Mark(place.path, f"{quoted(earlier.name)} claims it"))
    for place in rule.places:
        if place.key in claimed:
            yield _again("this place is claimed already", place.path, claimed[place.key])
        elif place.take == "all":
            claimed[place.key] = Mark(place.path, "claimed here")


def _set_twice(rule: Rule, before: tuple[Rule, ...]) -> Iterator[Finding]:
    for at, value in parameters(rule.data["action"]):
        for earlier in before:
            first = dict(parameters(earlier.data["action"])).get(at)
            # A key with a placeholder stays unset where that is absent.
            if first is not None and value is not None and "{" not in str(first):
                mark = Mark((*earlier.path, "action", *at), f"{quoted(earlier.name)} sets it")
                yield _again(f"{quoted(str(at[-1]))} is set already", (*rule.path, "action", *at), mark)
                break


def _again(message: str, path: Path, first: Mark) -> Finding:
    help_ = "the first keeps it: remove one, or change the order"
    return Finding("PC315", message, path, help_, marks=(first,))


def late_lifetimes(source: Source) -> Iterator[Finding]:
    """PC318: a marker that may live for an hour stands behind one for five minutes.

    Providers refuse that, so it is sent with `5m` wherever both are placed, `auto` too. The order is that
    of the prefix: tools, then the system prompt, then messages.

    Bad:
        targets: [tools, {at: system, ttl: 1h}]
    Good:
        targets: [{at: tools, ttl: 1h}, {at: system, ttl: 1h}]
    """
    for rule, before in with_companions(source, marking=True):
        others = [place for earlier in before for place in earlier.places]
        for late, short in _pairs(rule.places, others):
            message = f"a `{late.ttl}` marker follows a `5m` one, and no `1h` may: it is sent with `5m`"
            if late.ttl == "1h":
                message = "a `1h` marker may not follow a `5m` one: it is sent with `5m`"
            marks = (Mark(short.path, "`5m`, and earlier in the prefix"),)
            yield Finding("PC318", message, late.path, "give both the same `ttl`", marks=marks)


def _pairs(own: tuple[Place, ...], others: list[Place]) -> Iterator[tuple[Place, Place]]:
    """Each place for an hour with the first shorter one before it; one of the two is the rule's own."""
    every = [*others, *own]
    for late in every:
        if late.ttl == "5m":
            continue
        against = every if late in own else own
        short = next((place for place in against if place.ttl == "5m" and _precedes(place, late)), None)
        if short is not None:
            yield late, short


def _precedes(place: Place, other: Place) -> bool:
    if other.key == "messages.last" and place.key in {"messages.previous_turn", "messages.stable"}:
        return True
    if other.key == "system" and place.text == "system.stable":
        return True
    return place.section[1] < other.section[0]


def idle_stops(source: Source) -> Iterator[Finding]:
    """PC403: `stop: true` on the last rule, with no rule to stop.

    Bad:
        - {name: only, targets: [system], action: {add_cache_control: {}}, stop: true}
    Good:
        - {name: only, targets: [system], action: {add_cache_control: {}}}
    """
    rules = rules_of(source)
    if rules and rules[-1].data.get("stop") is True:
        path = (*rules[-1].path, "stop")
        yield Finding("PC403", "no rule comes after this one", path, "remove `stop`", key=True)
