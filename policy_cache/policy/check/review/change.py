"""What is new in each request, where a cache needs what stays."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from policy_cache.policy.check.meaning.walk import items, matches, warning
from policy_cache.policy.check.review.rules import rules_of
from policy_cache.text.words import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from policy_cache.diagnostics import Diagnostic
    from policy_cache.policy.check.review.rules import Rule
    from policy_cache.policy.text.source import Data, Source
    from policy_cache.text.span import Path

_FICKLE = re.compile(
    r"(?:x-)?(?:(?:request|call|trace|span|message|correlation|litellm-call)-?id|timestamp|time|nonce|uuid"
    r"|traceparent|idempotency-key)"
)
_PLACEHOLDER = re.compile(r"\{((?:metadata|headers)\.[^{}]+)\}")
_SAID = re.compile(r"@\.(?:text|content)\s*(?:==|=~)\s*(['\"])((?:(?!\1).)*)\1")
# A date as it is written or as an expression for one, and what introduces one.
_CLOCK = re.compile(
    r"""
    (?<!\d)\d{4}-\d\d-\d\d(?!\d) | (?<!\d)\d?\d:\d\d(?!\d)
    | (?:\\d|\[0-9\])(?:\{\d\}|\+)?(?:\\d)?[-:/](?:\\d|\[0-9\])
    | \b(?:current|today'?s)[\s_-]*(?:local[\s_-]*)?(?:date|time) | \btoday\ is\b | \bnow\ is\b
    | \b(?:date|time)\ is\b | \btime\ ?stamp\b | \b(?:request|trace)[\s_-]?id\b
    """,
    re.IGNORECASE | re.VERBOSE,
)


def changes(source: Source) -> Iterator[Diagnostic]:
    """Review what is sampled by, keyed by, and marked."""
    for path, match in matches(source):
        yield from _samples(source, path, match)
    for rule in rules_of(source):
        yield from _keys(source, rule)
        if rule.marks:
            yield from _marks(source, rule)


def _samples(source: Source, path: Path, match: Mapping[str, Data]) -> Iterator[Diagnostic]:
    """PC327: a sample is taken by something that is new in each request.

    Then the requests of one conversation fall on both sides, and what one writes the next does not read.

    Bad:
        match: {sample: {percent: 10, by: headers.x-request-id}}
    Good:
        match: {sample: {percent: 10, by: metadata.session_id}}
    """
    sample = match.get("sample")
    for at, key in items(sample.get("by"), (*path, "sample", "by")) if isinstance(sample, dict) else ():
        if _is_fickle(str(key)):
            message = f"{quoted(str(key))} is new in each request"
            yield warning(source, "PC327", message, at, "sample by a session, a user or a tenant")


def _marks(source: Source, rule: Rule) -> Iterator[Diagnostic]:
    """PC329: a marker goes where the content is new in each request, or a cache key is so.

    A prefix is read again only if all of it is the same, its marked block included. A target that asks for
    a text with a clock or a request's id in it is written to the cache each time, and never read; so is
    everything under a `prompt_cache_key` that no second request has.

    Bad:
        targets: [{at: "$.system[?(@.text =~ 'Current time')]", take: last}]
    Good:
        targets: [tools]
    """
    for place in rule.places:
        if not place.text.startswith("$") or "||" in place.text:
            continue
        said = (text for _, text in _SAID.findall(place.text))
        if clock := next(filter(None, map(_CLOCK.search, said)), None):
            message = f"a text with {quoted(clock.group())} is new in each request, and never read again"
            fix = "mark what stands before it; `split_text` divides a text"
            yield warning(source, "PC329", message, place.path, fix)


def _keys(source: Source, rule: Rule) -> Iterator[Diagnostic]:
    given = rule.data["action"].get("set") or {}
    text = given.get("prompt_cache_key")
    for name in _PLACEHOLDER.findall(text) if isinstance(text, str) else ():
        if _is_fickle(name):
            at = (*rule.path, "action", "set", "prompt_cache_key")
            message = f"{quoted(name)} is new in each request: no other one has this key"
            yield warning(source, "PC329", message, at, "key by a session, a user or a tenant")


def _is_fickle(key: str) -> bool:
    return _FICKLE.fullmatch(key.rpartition(".")[2].lower().replace("_", "-")) is not None
