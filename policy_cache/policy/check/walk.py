"""The parts of a policy that may be wrong elsewhere, each with its data path."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from policy_cache.policy.check.finding import Finding, Mark
from policy_cache.text.words import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from policy_cache.diagnostics import Path
    from policy_cache.policy.text.compose import Data
    from policy_cache.policy.text.source import Source

    Part: TypeAlias = tuple[Path, dict[str, Data]]

NAMES = ("provider", "model", "alias")
"""The conditions that hold globs."""

PATHS = ("exists", "missing")
"""The conditions that hold JSONPaths."""


def rules(source: Source) -> Iterator[Part]:
    """Every rule that is a mapping."""
    data = source.data
    listed = data.get("rules") if isinstance(data, dict) else None
    for index, rule in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(rule, dict):
            yield ("rules", index), rule


def matches(source: Source) -> Iterator[Part]:
    """Every `match` and `except` that is a mapping."""
    for path, rule in rules(source):
        for field in ("match", "except"):
            match = rule.get(field)
            if isinstance(match, dict):
                yield (*path, field), match


def target_texts(source: Source) -> Iterator[tuple[Path, str]]:
    """The place of every target, whether it is written as a text or as a mapping with `at`."""
    for path, rule in rules(source):
        targets = rule.get("targets")
        for index, target in enumerate(targets if isinstance(targets, list) else ()):
            at: Path = (*path, "targets", index)
            text = target
            if isinstance(target, dict):
                at, text = (*at, "at"), target.get("at")
            if isinstance(text, str):
                yield at, text


def path_texts(source: Source) -> Iterator[tuple[Path, str]]:
    """Every JSONPath, of targets and of conditions."""
    for path, text in target_texts(source):
        if text.startswith("$"):
            yield path, text
    yield from condition_paths(source)


def condition_paths(source: Source) -> Iterator[tuple[Path, str]]:
    """Every JSONPath of a condition."""
    for path, match in matches(source):
        for field in PATHS:
            yield from texts(match.get(field), (*path, field))


def items(value: Data, path: Path) -> Iterator[tuple[Path, Data]]:
    """A value, or each item of a list of them."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield (*path, index), item
    else:
        yield path, value


def texts(value: Data, path: Path) -> Iterator[tuple[Path, str]]:
    """A text, or each text in a list."""
    for at, item in items(value, path):
        if isinstance(item, str):
            yield at, item


def repeated_names(parts: Iterable[Part], code: str, noun: str) -> Iterator[Finding]:
    """Each part that has the name of an earlier one; `noun` is what such parts are called."""
    seen: dict[str, Path] = {}
    for path, part in parts:
        name, here = part.get("name"), (*path, "name")
        if not isinstance(name, str) or not name:
            continue
        if name in seen:
            marks = (Mark(seen[name], "the first of that name"),)
            yield Finding(code, f"two {noun} are named {quoted(name)}", here, marks=marks)
        else:
            seen[name] = here


def parameters(action: object) -> Iterator[tuple[Path, object]]:
    """What `set` sets: where in an action, each header by itself, and to what."""
    given = action.get("set") if isinstance(action, dict) else None
    for name, value in given.items() if isinstance(given, dict) else ():
        if name != "headers":
            yield ("set", name), value
        elif isinstance(value, dict):
            yield from ((("set", name, header), text) for header, text in value.items())
