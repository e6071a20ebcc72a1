"""A session: the files that are asked for, their tests chosen and run, and what there is to say."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from policy_cache.errors import PolicyCacheError, PolicyError
from policy_cache.policy.text.search import is_policy
from policy_cache.testing.discover import files_below, is_named_test, is_ours, tests_beside
from policy_cache.testing.load import load_suite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from policy_cache.diagnostics import Diagnostic
    from policy_cache.testing.load import Suite
    from policy_cache.testing.outcome import Outcome
    from policy_cache.testing.run import Runner

    Chosen: TypeAlias = Callable[[str], bool]


@dataclass(slots=True)
class Session:
    """What was run.

    Attributes:
        outcomes: The tests of each file, in its order.
        broken: What is wrong with each file that could not be used, or with its policy.
        untested: Policies that were asked for, or found, and have no tests.
    """

    outcomes: dict[str, list[Outcome]] = field(default_factory=dict)
    broken: dict[str, PolicyError] = field(default_factory=dict)
    untested: list[Path] = field(default_factory=list)

    @property
    def every(self) -> list[Outcome]:
        """Every test that was run."""
        return [outcome for outcomes in self.outcomes.values() for outcome in outcomes]

    @property
    def wrong(self) -> list[Diagnostic]:
        """Everything that is wrong with files."""
        return [diagnostic for error in self.broken.values() for diagnostic in error.diagnostics]

    def run(self, runner: Runner, paths: Iterable[Path], chosen: Chosen) -> None:
        """Run the tests of files, policies and folders whose names are chosen."""
        files, policies = _files(paths)
        tested: set[Path] = set()
        for file in files:
            try:
                suite = load_suite(file)
                tested.add(suite.policy.resolve())
                self.rerun(runner, suite, chosen)
            except PolicyError as error:
                self.broken[str(file)] = error
        self.untested = [path for path in policies if path.resolve() not in tested]

    def rerun(self, runner: Runner, suite: Suite, chosen: Chosen) -> Sequence[Outcome]:
        """Run the chosen tests of a file, in place of what was known of it.

        Raises:
            PolicyError: The policy or the catalog is not valid.
        """
        name = suite.source.name
        numbers = [n for n, case in enumerate(suite.cases) if chosen(f"{name}::{case.name}")]
        self.outcomes[name] = [runner.run(suite, number) for number in numbers]
        return self.outcomes[name]


def _files(paths: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """The test files that paths stand for, each once, and the policies among them."""
    files: dict[Path, None] = {}
    policies: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            for file in files_below(path):
                if is_named_test(file):
                    files |= {file: None} if is_ours(file) else {}
                elif is_policy(str(file)):
                    policies[file] = None
        elif is_named_test(path) or not path.exists():
            files[path] = None
        else:
            policies[path] = None
            beside = tests_beside(path)
            files |= {beside: None} if beside.is_file() else {}
    return list(files), list(policies)


_TOKEN = re.compile(r"\s*(\(|\)|\"[^\"]*\"|'[^']*'|[^\s()]+)")
_DEEPEST = 50


class SelectError(PolicyCacheError):
    """An expression after `-k` that cannot be read."""


def selection(expression: str) -> Chosen:
    """Compile an expression; a word holds for a name that contains it, in any case.

    Raises:
        SelectError: It is not an expression.
    """
    words = [match.group(1) for match in _TOKEN.finditer(expression)]
    parser = _Parser(words)
    chosen = parser.either(0)
    if (extra := parser.peek()) is not None:
        raise SelectError(f"-k: expected `and` or `or` before `{extra}`")
    return chosen


class _Parser:
    def __init__(self, words: list[str]) -> None:
        self._words = words
        self._at = 0

    def peek(self) -> str | None:
        return self._words[self._at] if self._at < len(self._words) else None

    def _take(self, word: str) -> bool:
        if self.peek() != word:
            return False
        self._at += 1
        return True

    def either(self, depth: int) -> Chosen:
        options = [self._both(depth)]
        while self._take("or"):
            options.append(self._both(depth))
        return lambda name: any(option(name) for option in options)

    def _both(self, depth: int) -> Chosen:
        parts = [self._term(depth)]
        while self._take("and"):
            parts.append(self._term(depth))
        return lambda name: all(part(name) for part in parts)

    def _term(self, depth: int) -> Chosen:
        if depth > _DEEPEST:
            raise SelectError("-k: nested too deeply")
        if self._take("not"):
            inner = self._term(depth + 1)
            return lambda name: not inner(name)
        if self._take("("):
            inner = self.either(depth + 1)
            if not self._take(")"):
                raise SelectError("-k: a parenthesis is never closed")
            return inner
        word = self.peek()
        if word is None or word in {")", "and", "or"}:
            raise SelectError(f"-k: expected a word, found {f'`{word}`' if word else 'the end'}")
        self._at += 1
        wanted = word.strip("\"'").lower()
        return lambda name: wanted in name.lower()
