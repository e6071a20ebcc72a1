"""The parts of a policy that may be wrong elsewhere, each with its data path."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from policy_cache.diagnostics import Diagnostic, Fix, Label
from policy_cache.text.words import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from policy_cache.diagnostics import Severity
    from policy_cache.policy.text.source import Data, Source
    from policy_cache.text.span import Path

    Found: TypeAlias = tuple[Path, dict[str, Data]]


def rules(source: Source) -> Iterator[Found]:
    data = source.data
    listed = data.get("rules") if isinstance(data, dict) else None
    if isinstance(listed, list):
        for index, rule in enumerate(listed):
            if isinstance(rule, dict):
                yield ("rules", index), rule


def matches(source: Source) -> Iterator[Found]:
    for path, rule in rules(source):
        for field in ("match", "except"):
            match = rule.get(field)
            if isinstance(match, dict):
                yield (*path, field), match


def targets(source: Source) -> Iterator[tuple[Path, Data]]:
    for path, rule in rules(source):
        given = rule.get("targets")
        if isinstance(given, list):
            for index, target in enumerate(given):
                yield (*path, "targets", index), target


def target_texts(source: Source) -> Iterator[tuple[Path, str]]:
    for path, target in targets(source):
        at = (*path, "at") if isinstance(target, dict) else path
        text = target.get("at") if isinstance(target, dict) else target
        if isinstance(text, str):
            yield at, text


def path_texts(source: Source) -> Iterator[tuple[Path, str]]:
    for path, text in target_texts(source):
        if text.startswith("$"):
            yield path, text
    for path, match in matches(source):
        for field in ("exists", "missing"):
            yield from texts(match.get(field), (*path, field))


def items(value: Data, path: Path) -> Iterator[tuple[Path, Data]]:
    """A value, or each item of a list of them."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield (*path, index), item
    else:
        yield path, value


def texts(value: Data, path: Path) -> Iterator[tuple[Path, str]]:
    for at, item in items(value, path):
        if isinstance(item, str):
            yield at, item


def is_number(value: Data) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _diagnose(
    severity: Severity,
    source: Source,
    code: str,
    message: str,
    path: Path,
    help: str | None = None,
    *,
    labels: tuple[Label, ...] = (),
    at_key: bool = False,
    write: str | None = None,
) -> Diagnostic:
    """A diagnostic at a value or at its key; `write` is what certainly belongs there."""
    span = source.key_span(path) if at_key else source.span(path)
    fix = Fix(span, write) if span and write else None
    return Diagnostic(
        code, severity, message, span=span, path=path, labels=labels, help=help, file=source.name, fix=fix
    )


error = partial(_diagnose, "error")
warning = partial(_diagnose, "warning")


def repeated_names(source: Source, named: Iterable[Found], code: str, noun: str) -> Iterator[Diagnostic]:
    """An error for each thing of a kind that has the name of an earlier one."""
    seen: dict[str, Path] = {}
    for path, one in named:
        name = one.get("name")
        if not isinstance(name, str) or not name:
            continue
        here = (*path, "name")
        if name not in seen:
            seen[name] = here
            continue
        first = source.span(seen[name])
        labels = (Label(first, "the first of that name"),) if first else ()
        yield error(source, code, f"two {noun} are named {quoted(name)}", here, labels=labels)
