"""What a schema cannot say: checks of meaning that need no request.

Each check is a generator over the raw data, so that it also finds what it can in a file that is
wrong elsewhere. Its docstring is the documentation of its codes.
"""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, TypeAlias

from policy_cache.errors import PathError
from policy_cache.policy.diagnostics import Diagnostic, Label, listed, quoted, suggest
from policy_cache.policy.names import NAMED_TARGETS, RULE_FIELDS, TAKE_WORDS
from policy_cache.request.jsonpath import compile_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from policy_cache.policy.source import Data, Source
    from policy_cache.policy.span import Path

    Found: TypeAlias = tuple[Path, dict[str, Data]]

_NEEDS_TARGETS = ("add_cache_control", "split_text")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}|[{}]")
_ALLOWED_PLACEHOLDER = re.compile(r"alias|model|metadata\.[^\s.]+(?:\.[^\s.]+)*")
_SAMPLE_KEY = re.compile(r"alias|model|(?:metadata|headers)\.\S+")


def check(source: Source) -> Iterator[Diagnostic]:
    """Run every check."""
    for each in CHECKS:
        yield from each(source)


def duplicate_names(source: Source) -> Iterator[Diagnostic]:
    """PC301: two rules have the same name.

    Reports and tests call a rule by its name, so a name stands for one rule.
    """
    seen: dict[str, Path] = {}
    for path, rule in _rules(source):
        name = rule.get("name")
        if not isinstance(name, str) or not name:
            continue
        here = (*path, "name")
        if name not in seen:
            seen[name] = here
            continue
        first = source.span(seen[name])
        labels = (Label(first, "the first of that name"),) if first else ()
        yield _error(source, "PC301", f"two rules are named {quoted(name)}", here, labels=labels)


def named_targets(source: Source) -> Iterator[Diagnostic]:
    """PC302: a target is neither a known name nor a JSONPath.

    A JSONPath begins with `$`.
    """
    for path, target in _target_texts(source):
        if target in NAMED_TARGETS or target.startswith("$"):
            continue
        suggestion = suggest(target, NAMED_TARGETS)
        span = source.span(path)
        labels = (Label(span, f"did you mean `{suggestion}`?"),) if suggestion and span else ()
        fix = f"a target is a JSONPath that begins with `$`, or one of {listed(NAMED_TARGETS)}"
        help_ = None if suggestion else fix
        yield _error(source, "PC302", f"{quoted(target)} is not a target", path, help_, labels=labels)


def paths(source: Source) -> Iterator[Diagnostic]:
    """PC201, PC202, PC203: a JSONPath that is invalid, can never match, or is outside the subset.

    PC204 warns of `..`: it looks at the whole request, and takes as long as the request is large.
    PC309: `$` alone is the request, which `request` marks.
    """
    for path, text in _paths(source):
        if text == "$" and "targets" in path:
            yield _error(source, "PC309", "`$` is not a target", path, "`request` marks the request itself")
            continue
        try:
            compiled = compile_path(text)
        except PathError as error:
            start = 0 if error.offset is None else min(error.offset, len(text))
            end = len(text) if error.offset is None else start + 1
            span = source.span_in(path, start, end)
            message = f"invalid JSONPath: {error.message}"
            yield Diagnostic(
                error.code, "error", message, span=span, path=path, help=error.help, file=source.name
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


def patterns(source: Source) -> Iterator[Diagnostic]:
    """PC303: a `re:` pattern does not compile, or stands where only globs are taken.

    Regular expressions are for `model`; `provider` and `alias` take globs.
    """
    for path, match in _matches(source):
        for field in ("model", "provider", "alias"):
            for at, text in _texts(match.get(field), (*path, field)):
                if not text.startswith("re:"):
                    continue
                if field != "model":
                    fix = "write a glob; regular expressions are for `model`"
                    yield _error(source, "PC303", f"`{field}` takes no regular expression", at, fix)
                elif problem := _regex_problem(text[3:]):
                    message, offset = problem
                    start = 0 if offset is None else offset + 3
                    span = source.span_in(at, start, len(text) if offset is None else start + 1)
                    message = f"invalid regular expression: {message}"
                    yield Diagnostic("PC303", "error", message, span=span, path=at, file=source.name)


def ranges(source: Source) -> Iterator[Diagnostic]:
    """PC304: a range's `min` is larger than its `max`, so that no number is in it."""
    for path, match in _matches(source):
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
            yield _error(
                source,
                "PC304",
                f"`min` is larger than `max`: no number of {field} matches",
                at,
                labels=labels,
            )


def action_targets(source: Source) -> Iterator[Diagnostic]:
    """PC305: an action that marks or splits has no target.

    PC306: `set` has targets, though it is about the whole request.
    """
    for path, rule in _rules(source):
        action, targets = rule.get("action"), rule.get("targets", [])
        # A misspelt field may be the `targets` that seem to be absent.
        if not isinstance(action, dict) or not isinstance(targets, list) or rule.keys() - RULE_FIELDS:
            continue
        for name in action:
            at = (*path, "action", name)
            if name in _NEEDS_TARGETS and not targets:
                fix = f"add `targets:` with a JSONPath or one of {listed(NAMED_TARGETS)}"
                yield _error(source, "PC305", f"`{name}` needs at least one target", at, fix, at_key=True)
            elif name == "set" and targets:
                at = (*path, "targets")
                fix = "remove `targets`"
                yield _error(source, "PC306", "`set` is about the whole request", at, fix, at_key=True)


def sampling(source: Source) -> Iterator[Diagnostic]:
    """PC307: a sample is taken by something that a request does not have."""
    for path, match in _matches(source):
        sample = match.get("sample")
        by = sample.get("by") if isinstance(sample, dict) else None
        if isinstance(by, str) and not _SAMPLE_KEY.fullmatch(by):
            fix = "one of `metadata.<name>`, `headers.<name>`, `alias` or `model`"
            yield _error(source, "PC307", f"cannot sample by {quoted(by)}", (*path, "sample", "by"), fix)


def placeholders(source: Source) -> Iterator[Diagnostic]:
    """PC308: `prompt_cache_key` holds a placeholder other than `{metadata.x}`, `{alias}`, `{model}`."""
    for path, rule in _rules(source):
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


def take_words(source: Source) -> Iterator[Diagnostic]:
    """PC123: `take` is a word other than `first`, `last` and `all`."""
    for path, target in _targets(source):
        take = target.get("take") if isinstance(target, dict) else None
        if isinstance(take, str) and take not in TAKE_WORDS:
            at = (*path, "take")
            suggestion = suggest(take, TAKE_WORDS)
            span = source.span(at)
            labels = (Label(span, f"did you mean `{suggestion}`?"),) if suggestion and span else ()
            fix = f"expected one of {listed(TAKE_WORDS)}, or a number"
            message = f"{quoted(take)} is not a value of `take`"
            yield _error(source, "PC123", message, at, fix, labels=labels)


def spellings(source: Source) -> Iterator[Diagnostic]:
    """PC310: a number in `metadata` or `headers` does not keep its spelling.

    YAML reads `1.10` as the number 1.1, and the text `1.10` would not match it.
    """
    for path, match in _matches(source):
        for field in ("metadata", "headers"):
            values = match.get(field)
            if not isinstance(values, dict):
                continue
            for name, value in values.items():
                for at, number in _items(value, (*path, field, name)):
                    if _is_number(number) and at not in source.holes and source.raw(at) != str(number):
                        raw = source.raw(at)
                        message = f"{quoted(raw)} is the number `{number}` here"
                        yield _warning(source, "PC310", message, at, f'quote it: "{raw}"')


def idle_lifetimes(source: Source) -> Iterator[Diagnostic]:
    """PC311: a target has a `ttl`, though the action places no markers."""
    for path, rule in _rules(source):
        action, targets = rule.get("action"), rule.get("targets")
        if not isinstance(action, dict) or not action or not isinstance(targets, list):
            continue
        name = next(iter(action))
        if name not in {"remove_cache_control", "split_text"}:
            continue
        for index, target in enumerate(targets):
            if isinstance(target, dict) and "ttl" in target:
                at = (*path, "targets", index, "ttl")
                yield _warning(source, "PC311", f"`ttl` means nothing to `{name}`", at, "remove it")


def idle_rules(source: Source) -> Iterator[Diagnostic]:
    """PC312: an empty `except` matches every request, so that the rule never acts."""
    for path, rule in _rules(source):
        if rule.get("except") == {}:
            message = "an empty `except` leaves every request alone: the rule never acts"
            yield _warning(
                source, "PC312", message, (*path, "except"), "remove it, or name what to leave alone"
            )


CHECKS: tuple[Callable[[Source], Iterator[Diagnostic]], ...] = (
    duplicate_names,
    named_targets,
    paths,
    patterns,
    ranges,
    action_targets,
    sampling,
    placeholders,
    take_words,
    spellings,
    idle_lifetimes,
    idle_rules,
)


def _rules(source: Source) -> Iterator[Found]:
    data = source.data
    rules = data.get("rules") if isinstance(data, dict) else None
    if isinstance(rules, list):
        for index, rule in enumerate(rules):
            if isinstance(rule, dict):
                yield ("rules", index), rule


def _matches(source: Source) -> Iterator[Found]:
    for path, rule in _rules(source):
        for field in ("match", "except"):
            match = rule.get(field)
            if isinstance(match, dict):
                yield (*path, field), match


def _targets(source: Source) -> Iterator[tuple[Path, Data]]:
    for path, rule in _rules(source):
        targets = rule.get("targets")
        if isinstance(targets, list):
            for index, target in enumerate(targets):
                yield (*path, "targets", index), target


def _target_texts(source: Source) -> Iterator[tuple[Path, str]]:
    for path, target in _targets(source):
        at = (*path, "at") if isinstance(target, dict) else path
        text = target.get("at") if isinstance(target, dict) else target
        if isinstance(text, str):
            yield at, text


def _paths(source: Source) -> Iterator[tuple[Path, str]]:
    for path, text in _target_texts(source):
        if text.startswith("$"):
            yield path, text
    for path, match in _matches(source):
        for field in ("exists", "missing"):
            yield from _texts(match.get(field), (*path, field))


def _items(value: Data, path: Path) -> Iterator[tuple[Path, Data]]:
    """A value, or each item of a list of them."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield (*path, index), item
    else:
        yield path, value


def _texts(value: Data, path: Path) -> Iterator[tuple[Path, str]]:
    for at, item in _items(value, path):
        if isinstance(item, str):
            yield at, item


def _is_number(value: Data) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _regex_problem(pattern: str) -> tuple[str, int | None] | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(pattern, re.IGNORECASE)
    except re.error as error:
        return error.msg, error.pos
    except (OverflowError, RecursionError):
        return "it is too large", None
    return None


def _error(
    source: Source,
    code: str,
    message: str,
    path: Path,
    help: str | None = None,
    *,
    labels: tuple[Label, ...] = (),
    at_key: bool = False,
) -> Diagnostic:
    span = source.key_span(path) if at_key else source.span(path)
    return Diagnostic(
        code, "error", message, span=span, path=path, labels=labels, help=help, file=source.name
    )


def _warning(source: Source, code: str, message: str, path: Path, help: str) -> Diagnostic:
    return Diagnostic(
        code, "warning", message, span=source.span(path), path=path, help=help, file=source.name
    )
