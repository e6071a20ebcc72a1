"""What is wrong with a target: its name, its path, what it takes."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from policy_cache.diagnostics import Diagnostic, Label, listed, quoted, suggest
from policy_cache.errors import PathError
from policy_cache.policy.check.meaning.walk import error, path_texts, rules, target_texts, targets, warning
from policy_cache.policy.language.names import NAMED_TARGETS, TAKE_WORDS
from policy_cache.request.path import compile_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policy_cache.policy.text.source import Source


_compiled = lru_cache(maxsize=1024)(compile_path)
"""Policies that are checked together mostly have the same paths."""


def named_targets(source: Source) -> Iterator[Diagnostic]:
    """PC302: a target is neither a known name nor a JSONPath.

    A JSONPath begins with `$`.

    Bad:
        targets: [sytem]
    Good:
        targets: [system, "$.tools[-1]"]
    """
    for path, target in target_texts(source):
        if target in NAMED_TARGETS or target.startswith("$"):
            continue
        suggestion = suggest(target, NAMED_TARGETS)
        span = source.span(path)
        labels = (Label(span, f"did you mean `{suggestion}`?"),) if suggestion and span else ()
        fix = f"a target is a JSONPath that begins with `$`, or one of {listed(NAMED_TARGETS)}"
        help_ = None if suggestion else fix
        certain = suggestion if suggestion == target.lower() else None
        message = f"{quoted(target)} is not a target"
        yield error(source, "PC302", message, path, help_, labels=labels, write=certain)


def paths(source: Source) -> Iterator[Diagnostic]:
    """PC201: a JSONPath is invalid.

    Names, indexes, slices, `[*]` and filters are allowed, after a `$` that stands for the request.

    Bad:
        targets: ["$.tools[-1"]
    Good:
        targets: ["$.tools[-1]"]

    PC202: a JSONPath is well-formed, and can never match.

    `[last]` and `[01]` are no indexes, and a slice that ends before it begins holds nothing.

    Bad:
        targets: ["$.tools[last]"]
    Good:
        targets: ["$.tools[-1]"]

    PC203: a JSONPath is outside the subset that policies take.

    A filter looks at its own element, and compares one value with a text, a number, true, false or null. What
    follows `=~` is a regular expression that Python and RE2 both take: no look-around, no back-reference.

    Bad:
        targets: [{at: "$.messages[?@.role == $.role]", take: last}]
    Good:
        targets: [{at: "$.messages[?@.role == 'user']", take: last}]

    PC204: a JSONPath descends with `..`.

    It looks at the whole request, and takes as long as the request is large. A request of over 200,000 values
    is left as it is.

    Bad:
        targets: [{at: "$..content", take: 1}]
    Good:
        targets: [{at: "$.messages[*].content", take: 1}]

    PC309: `$` alone is the request, which `request` marks.

    Bad:
        targets: [$]
    Good:
        targets: [request]
    """
    for path, text in path_texts(source):
        if text == "$" and "targets" in path:
            fix = "`request` marks the request itself"
            yield error(source, "PC309", "`$` is not a target", path, fix, write="request")
            continue
        try:
            compiled = _compiled(text)
        except PathError as wrong:
            start = 0 if wrong.offset is None else min(wrong.offset, len(text))
            end = len(text) if wrong.offset is None else start + 1
            span = source.span_in(path, start, end)
            message = f"invalid JSONPath: {wrong.message}"
            yield Diagnostic(
                wrong.code, "error", message, span=span, path=path, help=wrong.help, file=source.name
            )
            continue
        if compiled.descends:
            start = text.index("..")
            yield Diagnostic(
                "PC204",
                "warning",
                "`..` looks at the whole request, every time",
                span=source.span_in(path, start, start + 2),
                path=path,
                help="name the way down, as in `$.messages[*].content`",
                file=source.name,
            )


def take_words(source: Source) -> Iterator[Diagnostic]:
    """PC123: a value is none of those that are allowed, as a `take` other than `first`, `last` and `all`.

    Bad:
        targets: [{at: tools, take: lst}]
    Good:
        targets: [{at: tools, take: last}]
    """
    for path, target in targets(source):
        take = target.get("take") if isinstance(target, dict) else None
        if isinstance(take, str) and take not in TAKE_WORDS:
            at = (*path, "take")
            suggestion = suggest(take, TAKE_WORDS)
            span = source.span(at)
            labels = (Label(span, f"did you mean `{suggestion}`?"),) if suggestion and span else ()
            fix = f"expected one of {listed(TAKE_WORDS)}, or a number"
            message = f"{quoted(take)} is not a value of `take`"
            certain = suggestion if suggestion == take.lower() else None
            yield error(source, "PC123", message, at, fix, labels=labels, write=certain)


def idle_lifetimes(source: Source) -> Iterator[Diagnostic]:
    """PC311: a target has a `ttl`, though the action places no markers.

    Bad:
        targets: [{at: system, ttl: 1h}]
        action: {remove_cache_control: {}}
    Good:
        targets: [system]
        action: {remove_cache_control: {}}
    """
    for path, rule in rules(source):
        action, targets = rule.get("action"), rule.get("targets")
        if not isinstance(action, dict) or not action or not isinstance(targets, list):
            continue
        name = next(iter(action))
        if name not in {"remove_cache_control", "split_text"}:
            continue
        for index, target in enumerate(targets):
            if isinstance(target, dict) and "ttl" in target:
                at = (*path, "targets", index, "ttl")
                yield warning(source, "PC311", f"`ttl` means nothing to `{name}`", at, "remove it")
