"""From what a user names to the files to check: folders are searched, and globs expanded."""

from __future__ import annotations

import glob
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_ENDINGS = (".yaml", ".yml")
_TESTS = (".test.yaml", ".test.yml")
_FIELD = re.compile(rb"^(?:\xef\xbb\xbf)?[\"']?(version|name|rules)[\"']?[ \t]*:", re.MULTILINE)
# What a policy has below a `rules` that is misspelt; other tools' files have a version and a name, too.
_RULE = re.compile(rb"[\s,{](?:action|targets)[ \t]*:")
_BEGINNING = 64 * 1024


def search(names: Iterable[str]) -> tuple[str, ...]:
    """The files that some names mean, each once, in the order of the names.

    A file is taken as it is named, and so is a name that leads nowhere. In a folder, and where a glob leads,
    it is taken if it looks like a policy: YAML with `rules`, and no `*.test.yaml`. A folder without any
    stands for itself.
    """
    return tuple(dict.fromkeys(file for name in names for file in _files(name)))


def _files(name: str) -> Iterator[str]:
    if os.path.isdir(name):  # noqa: PTH112, which says no of a path that may not be looked at
        policies = [file for file in _below(name) if is_policy(file)]
        yield from policies or [name]
    elif glob.has_magic(name) and not os.path.lexists(name):
        expanded = sorted(glob.glob(name, recursive=True))  # noqa: PTH207, names are kept as written
        files = [file for file in expanded if not os.path.isdir(file)]  # noqa: PTH112
        yield from [file for file in files if not file.endswith(_TESTS)] or [name]
    else:
        yield name


def _below(folder: str) -> Iterator[str]:
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if name.endswith(_ENDINGS) and not name.endswith(_TESTS):
                yield str(Path(here, name))


def is_policy(file: str) -> bool:
    """Whether a file begins as policies do; one that cannot be read is left to whoever checks it."""
    try:
        with Path(file).open("rb") as opened:
            content = opened.read(_BEGINNING)
    except OSError:
        return True
    fields = set(_FIELD.findall(content))
    return len(fields) > 1 and (b"rules" in fields or _RULE.search(content) is not None)
