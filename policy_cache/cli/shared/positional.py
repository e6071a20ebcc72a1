"""Files that are given without an option: which of them is the policy, a request, or a trace."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import click

from policy_cache.request.prompt import AREAS
from policy_cache.text.words import visible
from policy_cache.trace.place import is_place

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Kind: TypeAlias = Literal["policy", "request", "trace"]

_SUFFIXES: dict[str, Kind] = {".yaml": "policy", ".yml": "policy", ".json": "request", ".jsonl": "trace"}
# More than that is no request, and a trace may be larger than the memory.
_LARGEST = 16 * 1024 * 1024


class Told(NamedTuple):
    """Files, the policies apart from the others, both in the order they were given."""

    policies: tuple[str, ...]
    others: tuple[str, ...]


def told(files: Iterable[str]) -> Told:
    """Tell policies, which are YAML, from requests and traces, which are JSON."""
    policies: list[str] = []
    others: list[str] = []
    for file in files:
        (policies if named_kind(file) == "policy" else others).append(file)
    return Told(tuple(policies), tuple(others))


def one_of(option: str, given: str | None, found: Sequence[str]) -> str | None:
    """The one file that may be given with an option or without.

    Raises:
        click.UsageError: There are two.
    """
    files = [*(() if given is None else (f"{option} {given}",)), *found]
    if len(files) > 1:
        names = " and ".join(visible(file) for file in files[:2])
        raise click.UsageError(f"one file is taken for {option}, and two are given: {names}")
    return given if given is not None else found[0] if found else None


def kind_of(file: str) -> Kind:
    """What a file is: by its name, or else by what is in it.

    Raises:
        click.UsageError: It can be read only once, and its name does not tell.
    """
    kind = named_kind(file)
    if kind is not None:
        return kind
    if is_place(file):
        return "request"
    path = Path(file)
    if file == "-" or (path.exists() and not path.is_file()):
        name = visible(file)
        raise click.UsageError(f"what is {name}? Write `--request {name}` or `--trace {name}`")
    try:
        return "request" if _is_request(path) else "trace"
    except OSError:
        return "trace"  # whoever reads it says why it cannot be read


def named_kind(file: str) -> Kind | None:
    """What a file is by its name; None where that does not tell."""
    return _SUFFIXES.get(Path(file).suffix.lower())


def _is_request(path: Path) -> bool:
    """Whether a file is one JSON object that a router could send, and not a line for each of many."""
    with path.open("rb") as opened:
        content = opened.read(_LARGEST)
    try:
        document = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and not document.keys().isdisjoint(AREAS.values())
