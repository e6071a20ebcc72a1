"""From a test file to the tests of one policy, or to everything that is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from policy_cache.diagnostics import Diagnostic
from policy_cache.errors import PolicyError
from policy_cache.policy.check.examine import examined, validate
from policy_cache.policy.text.file import read_bytes, sibling
from policy_cache.policy.text.source import parse
from policy_cache.testing.checks import check, rules
from policy_cache.testing.discover import is_named_test, policy_beside
from policy_cache.text.words import quoted

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from policy_cache.policy.text.source import Source
    from policy_cache.testing.model import Case, Tests

SCHEMA = "test.schema.json"


@dataclass(frozen=True, slots=True)
class Suite:
    """A test file without errors.

    Attributes:
        tests: The model.
        source: Its text and positions.
        policy: The policy that it tests.
        catalog: Its file of providers, if it names one.
    """

    tests: Tests
    source: Source
    policy: Path
    catalog: Path | None

    @property
    def cases(self) -> tuple[Case, ...]:
        """The tests, in the order of the file."""
        return self.tests.tests

    def beside(self, name: str) -> Path:
        """A file that the test file names, relative to itself."""
        return Path(self.source.name).parent / name

    def line(self, number: int) -> int:
        """The line on which a test begins."""
        span = self.source.span(("tests", number))
        return span.line if span else 1


def load_suite(path: str | os.PathLike[str]) -> Suite:
    """Load a test file.

    Raises:
        PolicyError: With every diagnostic of the file; `unreadable` where it could not be read.
    """
    file = Path(path)
    return loads_suite(read_bytes(file), str(file))


def loads_suite(content: str | bytes, name: str) -> Suite:
    """The same from a test file's text, or its bytes; `name` is its path.

    Raises:
        PolicyError: With every diagnostic of the text.
    """
    try:
        source = parse(content, name)
    except PolicyError as error:
        raise PolicyError(list(_of_tests(error)), lines=error.lines) from None
    checked = (finding.located(source, "error") for finding in check(source))
    checked_file = examined(source, validate(source, SCHEMA, "test file"), [*checked, *_policy(source)])
    if not checked_file.ok:
        raise PolicyError(checked_file.diagnostics, lines=source.lines)
    from policy_cache.testing.model import Tests  # noqa: PLC0415, slow to import

    tests = Tests.model_validate(source.data)
    catalog = Path(name).parent / tests.catalog if tests.catalog else None
    return Suite(tests, source, policy_of(source), catalog)


def policy_of(source: Source) -> Path:
    """The policy that a test file names, or stands beside."""
    file = Path(source.name)
    named = source.data.get("policy") if isinstance(source.data, dict) else None
    return file.parent / named if isinstance(named, str) else policy_beside(file)


def _policy(source: Source) -> Iterator[Diagnostic]:
    """PC502: the policy is not there, or not told.

    What is wrong with the policy itself is said when it is used.
    """
    if not isinstance(source.data, dict):
        return
    named = "policy" in source.data
    if not named and not is_named_test(Path(source.name)):
        yield _missing(source, "the test file has no `policy`", "add `policy: default.yaml`")
        return
    path = policy_of(source)
    if not path.is_file():
        shown = quoted(path.name if not named else str(source.data["policy"]))
        close = sibling(path)
        if named:
            yield _missing(source, f"no policy {shown}, relative to this file", close)
        else:
            yield _missing(
                source, f"no policy {shown} beside this file, and no `policy` in it", "name it: `policy:`"
            )
        return
    try:
        data = parse(read_bytes(path), str(path)).data
    except PolicyError:
        return
    given = data.get("rules") if isinstance(data, dict) else None
    names = [rule.get("name") for rule in given if isinstance(rule, dict)] if isinstance(given, list) else []
    for finding in rules(source, [name for name in names if isinstance(name, str)]):
        yield finding.located(source, "error")


def _missing(source: Source, message: str, help: str | None) -> Diagnostic:
    path = ("policy",) if ("policy",) in source.values else ()
    span = source.span(path) if path else source.keys.get(("version",)) or source.span(())
    return Diagnostic("PC502", "error", message, span=span, path=path, help=help, file=source.name)


def _of_tests(error: PolicyError) -> Iterator[Diagnostic]:
    """What was said of a policy's text, said of a test file's."""
    for diagnostic in error.diagnostics:
        if diagnostic.code == "PC117":
            yield replace(diagnostic, help="begin with `version: 1` and `tests:`")
        else:
            yield diagnostic
