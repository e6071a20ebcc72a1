"""Which files are tests of policies, told without reading them as YAML."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from policy_cache.policy.text.search import is_policy

if TYPE_CHECKING:
    from collections.abc import Iterator

SUFFIXES = (".test.yaml", ".test.yml")
_LARGEST = 256 * 1024
_VERSION = re.compile(rb"^version[ \t]*:", re.MULTILINE)
_POLICY = re.compile(rb"^policy[ \t]*:", re.MULTILINE)
_TESTS = re.compile(rb"^tests[ \t]*:", re.MULTILINE)
_EXPECT = re.compile(rb"[\s,{]expect[ \t]*:")


def is_named_test(path: Path) -> bool:
    """Whether a file is called as test files are."""
    return path.name.endswith(SUFFIXES)


def is_ours(path: Path) -> bool:
    """Whether a file called so tests a policy: other tools have `*.test.yaml` files too."""
    content = _content(path)
    if _VERSION.search(content) and (_POLICY.search(content) or _tests(content)):
        return True
    policy = policy_beside(path)
    return policy.is_file() and is_policy(str(policy))


def _tests(content: bytes) -> bool:
    """Whether a file has tests as we write them, whose policy may have been renamed."""
    return bool(_TESTS.search(content) and _EXPECT.search(content))


def policy_beside(path: Path) -> Path:
    """The policy that a test file stands beside: `x.yaml` for `x.test.yaml`."""
    stem, _, suffix = path.name.rpartition(".test.")
    return path.with_name(f"{stem}.{suffix}")


def tests_beside(path: Path) -> Path:
    """The test file that stands beside a policy: `x.test.yaml` for `x.yaml`."""
    return path.with_name(f"{path.stem}.test{path.suffix}")


def files_below(folder: Path) -> Iterator[Path]:
    """The YAML files of a folder and those below it, by name; hidden folders are left out."""
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "node_modules")
        for name in sorted(names):
            if name.endswith((".yaml", ".yml")):
                yield Path(root, name)


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST)
    except OSError:
        return b""
