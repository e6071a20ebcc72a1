"""Rules that come too late: behind a `stop`, or where an earlier rule has claimed the place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy_cache.diagnostics import Label
from policy_cache.policy.check.meaning.walk import warning
from policy_cache.policy.check.review.rules import with_companions
from policy_cache.text.words import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policy_cache.diagnostics import Diagnostic
    from policy_cache.policy.check.review.rules import Place, Rule
    from policy_cache.policy.text.source import Source
    from policy_cache.text.span import Path


def order(source: Source) -> Iterator[Diagnostic]:
    """Review what earlier rules leave to later ones."""
    for rule, before in with_companions(source, marking=False):
        stopping = next((one for one in before if one.data.get("stop") is True), None)
        if stopping is not None:
            yield from _behind(source, rule, stopping)
        elif rule.marks:
            yield from _claimed(source, rule, [one for one in before if one.marks])
        else:
            yield from _set_twice(source, rule, before)


def _behind(source: Source, rule: Rule, stopping: Rule) -> Iterator[Diagnostic]:
    """PC314: an earlier rule with `stop: true` matches whatever this one matches, so that it never acts.

    Bad:
        - {name: all, match: {stream: true}, targets: [system], action: {add_cache_control: {}}, stop: true}
        - {name: tools, match: {stream: true}, targets: [tools], action: {add_cache_control: {}}}
    Good:
        - {name: some, match: {stream: true}, targets: [tools], action: {add_cache_control: {}}, stop: true}
        - {name: others, targets: [system], action: {add_cache_control: {}}}
    """
    span = source.key_span((*stopping.path, "stop"))
    labels = (Label(span, f"{quoted(stopping.name)} stops here"),) if span else ()
    message = f"{quoted(rule.name)} is never looked at: {quoted(stopping.name)} matches all that it matches"
    fix = f"move it before {quoted(stopping.name)}"
    yield warning(source, "PC314", message, (*rule.path, "name"), fix, labels=labels)


def _claimed(source: Source, rule: Rule, before: list[Rule]) -> Iterator[Diagnostic]:
    """PC315: an earlier target or rule claims the same place whenever this one could.

    The first to claim a place keeps it, with its lifetime. The same holds for a parameter that an earlier
    rule sets.

    Bad:
        - {name: all, targets: [system], action: {add_cache_control: {}}}
        - {name: long, match: {model: "*opus*"}, targets: [system], action: {add_cache_control: {ttl: 1h}}}
    Good:
        - {name: long, match: {model: "*opus*"}, targets: [system], action: {add_cache_control: {ttl: 1h}}}
        - {name: all, targets: [system], action: {add_cache_control: {}}}
    """
    claimed: dict[str, tuple[Place, str]] = {}
    for one in before:
        for place in one.places:
            if place.take == "all":
                claimed.setdefault(place.key, (place, f"{quoted(one.name)} claims it"))
    for place in rule.places:
        first = claimed.get(place.key)
        if first is not None:
            yield _again(source, "this place is claimed already", place.path, first[0].path, first[1])
        elif place.take == "all":
            claimed[place.key] = place, "claimed here"


def _set_twice(source: Source, rule: Rule, before: tuple[Rule, ...]) -> Iterator[Diagnostic]:
    for name, value in (rule.data["action"].get("set") or {}).items():
        for one in before:
            earlier = (one.data["action"].get("set") or {}).get(name)
            # A key with a placeholder stays unset where that is absent.
            if earlier is not None and value is not None and "{" not in str(earlier):
                path = (*rule.path, "action", "set", name)
                first = (*one.path, "action", "set", name)
                yield _again(
                    source, f"{quoted(name)} is set already", path, first, f"{quoted(one.name)} sets it"
                )
                break


def _again(source: Source, message: str, path: Path, first: Path, text: str) -> Diagnostic:
    span = source.span(first)
    labels = (Label(span, text),) if span else ()
    return warning(
        source, "PC315", message, path, "the first keeps it: remove one, or change the order", labels=labels
    )
