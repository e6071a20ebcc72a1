"""What is new in each request, where a cache needs what stays."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from policy_cache.policy.check.finding import Finding
from policy_cache.policy.check.rules import rules_of
from policy_cache.policy.check.walk import items, matches, parameters
from policy_cache.text.words import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policy_cache.policy.check.rules import Rule
    from policy_cache.policy.text.source import Source

_FICKLE = re.compile(
    r"(?:x-)?(?:(?:request|call|trace|span|message|correlation|litellm-call)-?id|timestamp|time|nonce|uuid"
    r"|traceparent|idempotency-key)"
)
_PLACEHOLDER = re.compile(r"\{(metadata\.[^{}]+)\}")
_ASKED_TEXT = re.compile(r"@\.(?:text|content)\s*(?:==|=~)\s*(['\"])((?:(?!\1).)*)\1")
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


def fresh_samples(source: Source) -> Iterator[Finding]:
    """PC327: a sample is taken by something that is new in each request.

    Then the requests of one conversation fall on both sides, and what one writes the next does not read.

    Bad:
        match: {sample: {percent: 10, by: headers.x-request-id}}
    Good:
        match: {sample: {percent: 10, by: metadata.session_id}}
    """
    for path, match in matches(source):
        sample = match.get("sample")
        for at, key in items(sample.get("by"), (*path, "sample", "by")) if isinstance(sample, dict) else ():
            if _is_fickle(str(key)):
                message = f"{quoted(str(key))} is new in each request"
                yield Finding("PC327", message, at, "sample by a session, a user or a tenant")


def fresh_prefixes(source: Source) -> Iterator[Finding]:
    """PC329: a marker goes where the content is new in each request, or a cache key is so.

    A prefix is read again only if all of it is the same, its marked block included. A target that asks for
    a text with a clock or a request's id in it is written to the cache each time, and never read; so is
    everything under a `prompt_cache_key` that no second request has.

    Bad:
        targets: [{at: "$.system[?(@.text =~ 'Current time')]", take: last}]
    Good:
        targets: [tools]
    """
    for rule in rules_of(source):
        yield from _keys(rule)
        if rule.marks:
            yield from _marked(rule)


def _keys(rule: Rule) -> Iterator[Finding]:
    for at, key in parameters(rule.data["action"]):
        for name in _PLACEHOLDER.findall(key) if isinstance(key, str) else ():
            if _is_fickle(name):
                message = f"{quoted(name)} is new in each request: no other one has this key"
                yield Finding(
                    "PC329", message, (*rule.path, "action", *at), "key by a session, a user or a tenant"
                )


def _marked(rule: Rule) -> Iterator[Finding]:
    for place in rule.places:
        if not place.text.startswith("$") or "||" in place.text:
            continue
        texts = (text for _, text in _ASKED_TEXT.findall(place.text))
        if clock := next(filter(None, map(_CLOCK.search, texts)), None):
            message = f"a text with {quoted(clock.group())} is new in each request, and never read again"
            help_ = "mark what stands before it; `split_text` divides a text"
            yield Finding("PC329", message, place.path, help_)


def _is_fickle(key: str) -> bool:
    return _FICKLE.fullmatch(key.rpartition(".")[2].lower().replace("_", "-")) is not None
