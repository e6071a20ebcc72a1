"""What is wrong with a condition: its pattern, its range, its sample, its numbers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from policy_cache.diagnostics import Diagnostic, Label, quoted
from policy_cache.errors import PatternError
from policy_cache.policy.check.meaning.walk import error, is_number, items, matches, rules, texts, warning
from policy_cache.request.pattern import compile_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policy_cache.policy.text.source import Source


_PLACEHOLDER = re.compile(r"\{([^{}]*)\}|[{}]")
_ALLOWED_PLACEHOLDER = re.compile(r"alias|model|metadata\.[^\s.]+(?:\.[^\s.]+)*")
_SAMPLE_KEY = re.compile(r"alias|model|(?:metadata|headers)\.\S+")


def patterns(source: Source) -> Iterator[Diagnostic]:
    """PC303: a `re:` pattern cannot be used, or stands where only globs are taken.

    Regular expressions are for `model`; `provider` and `alias` take globs. A pattern is one of Python's that
    RE2 takes too: a client may choose the name, and RE2 never goes back in it. So there is no look-around and
    no back-reference, and a repeat counts to 1,000 at most.

    Bad:
        match: {model: "re:claude-(opus"}
    Good:
        match: {model: "re:claude-(opus|sonnet).*"}
    """
    for path, match in matches(source):
        for field in ("model", "provider", "alias"):
            for at, text in texts(match.get(field), (*path, field)):
                if not text.startswith("re:"):
                    continue
                if field != "model":
                    fix = "write a glob; regular expressions are for `model`"
                    yield error(source, "PC303", f"`{field}` takes no regular expression", at, fix)
                elif (problem := _problem(text[3:])) is not None:
                    start = 0 if problem.offset is None else problem.offset + 3
                    span = source.span_in(at, start, len(text) if problem.offset is None else start + 1)
                    message = f"invalid regular expression: {problem.message}"
                    yield Diagnostic(
                        "PC303", "error", message, span=span, path=at, help=problem.help, file=source.name
                    )


def _problem(pattern: str) -> PatternError | None:
    try:
        compile_pattern(pattern, name=True)
    except PatternError as problem:
        return problem
    return None


def ranges(source: Source) -> Iterator[Diagnostic]:
    """PC304: a range's `min` is larger than its `max`, so that no number is in it.

    Bad:
        match: {messages: {min: 5, max: 2}}
    Good:
        match: {messages: {min: 2, max: 5}}
    """
    for path, match in matches(source):
        for field in ("tools", "messages", "tokens"):
            limits = match.get(field)
            if not isinstance(limits, dict):
                continue
            low, high = limits.get("min"), limits.get("max")
            if not isinstance(low, int) or not isinstance(high, int) or low <= high:
                continue
            at = (*path, field, "min")
            span = source.span((*path, field, "max"))
            labels = (Label(span, "`max`"),) if span else ()
            yield error(
                source,
                "PC304",
                f"`min` is larger than `max`: no number of {field} matches",
                at,
                labels=labels,
            )


def sampling(source: Source) -> Iterator[Diagnostic]:
    """PC307: a sample is taken by something that a request does not have.

    Bad:
        match: {sample: {percent: 10, by: session}}
    Good:
        match: {sample: {percent: 10, by: metadata.session_id}}
    """
    for path, match in matches(source):
        sample = match.get("sample")
        by = sample.get("by") if isinstance(sample, dict) else None
        if isinstance(by, str) and not _SAMPLE_KEY.fullmatch(by):
            fix = "one of `metadata.<name>`, `headers.<name>`, `alias` or `model`"
            yield error(source, "PC307", f"cannot sample by {quoted(by)}", (*path, "sample", "by"), fix)


def spellings(source: Source) -> Iterator[Diagnostic]:
    """PC310: a number in `metadata` or `headers` does not keep its spelling.

    YAML reads `1.10` as the number 1.1, and the text `1.10` would not match it.

    Bad:
        match: {metadata: {release: 1.10}}
    Good:
        match: {metadata: {release: "1.10"}}
    """
    for path, match in matches(source):
        for field in ("metadata", "headers"):
            values = match.get(field)
            if not isinstance(values, dict):
                continue
            for name, value in values.items():
                for at, number in items(value, (*path, field, name)):
                    if is_number(number) and at not in source.holes and source.raw(at) != str(number):
                        raw = source.raw(at)
                        message = f"{quoted(raw)} is the number `{number}` here"
                        fix = f'"{raw}"'
                        yield warning(source, "PC310", message, at, f"quote it: {fix}", write=fix)


def placeholders(source: Source) -> Iterator[Diagnostic]:
    """PC308: `prompt_cache_key` holds an unknown placeholder.

    The placeholders are `{metadata.x}`, `{alias}` and `{model}`.

    Bad:
        action: {set: {prompt_cache_key: "{tenant}"}}
    Good:
        action: {set: {prompt_cache_key: "{metadata.tenant}"}}
    """
    for path, rule in rules(source):
        action = rule.get("action")
        parameters = action.get("set") if isinstance(action, dict) else None
        key = parameters.get("prompt_cache_key") if isinstance(parameters, dict) else None
        if not isinstance(key, str):
            continue
        at = (*path, "action", "set", "prompt_cache_key")
        for hit in _PLACEHOLDER.finditer(key):
            inside = hit.group(1)
            if inside is not None and _ALLOWED_PLACEHOLDER.fullmatch(inside):
                continue
            yield Diagnostic(
                "PC308",
                "error",
                f"{quoted(hit.group())} is not a placeholder",
                span=source.span_in(at, *hit.span()),
                path=at,
                help="the placeholders are `{metadata.<name>}`, `{alias}` and `{model}`",
                file=source.name,
            )
