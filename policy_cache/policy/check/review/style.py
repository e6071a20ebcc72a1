"""What does no harm, and was hardly meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy_cache.diagnostics import Label
from policy_cache.policy.check.cover import glob_covers
from policy_cache.policy.check.meaning.walk import matches, texts, warning
from policy_cache.policy.check.review.rules import rules_of
from policy_cache.text.words import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policy_cache.diagnostics import Diagnostic
    from policy_cache.policy.text.source import Source
    from policy_cache.text.span import Path


def style(source: Source) -> Iterator[Diagnostic]:
    """Review what is easily confused or has no effect."""
    yield from _alike(source)
    yield from _covered(source)
    yield from _last_stop(source)


def _alike(source: Source) -> Iterator[Diagnostic]:
    """PC401: the names of two rules differ in case alone.

    Bad:
        - {name: prefix, targets: [tools], action: {add_cache_control: {}}}
        - {name: Prefix, targets: [system], action: {add_cache_control: {}}}
    Good:
        - {name: tools, targets: [tools], action: {add_cache_control: {}}}
        - {name: system, targets: [system], action: {add_cache_control: {}}}
    """
    seen: dict[str, Path] = {}
    for rule in rules_of(source):
        at = (*rule.path, "name")
        first = seen.setdefault(rule.name.casefold(), at)
        if first != at:
            span = source.span(first)
            labels = (Label(span, "the other"),) if span else ()
            message = f"the name {quoted(rule.name)} differs from another in case alone"
            yield warning(source, "PC401", message, at, labels=labels)


def _covered(source: Source) -> Iterator[Diagnostic]:
    """PC402: a value of a list matches nothing that another one of it does not match.

    Bad:
        match: {model: ["*claude*", "claude-3*"]}
    Good:
        match: {model: ["*claude*", "*gpt-5.6*"]}
    """
    for path, match in matches(source):
        for field in ("provider", "model", "alias"):
            values = list(texts(match.get(field), (*path, field)))[:100]
            for index, (at, text) in enumerate(values):
                # Of two that match the same, the second is idle.
                wide = next(
                    (
                        other
                        for number, (_, other) in enumerate(values)
                        if number != index
                        and glob_covers(other, text)
                        and (number < index or not glob_covers(text, other))
                    ),
                    None,
                )
                if wide is not None:
                    yield warning(source, "PC402", f"{quoted(wide)} matches all that {quoted(text)} does", at)


def _last_stop(source: Source) -> Iterator[Diagnostic]:
    """PC403: `stop: true` on the last rule, with no rule to stop.

    Bad:
        - {name: only, targets: [system], action: {add_cache_control: {}}, stop: true}
    Good:
        - {name: only, targets: [system], action: {add_cache_control: {}}}
    """
    listed = rules_of(source)
    if listed and listed[-1].data.get("stop") is True:
        at = (*listed[-1].path, "stop")
        yield warning(source, "PC403", "no rule comes after this one", at, "remove `stop`", at_key=True)
