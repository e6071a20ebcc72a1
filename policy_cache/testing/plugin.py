"""The pytest plugin: every test of a policy is an item. Off with `-p no:policy_cache`.

Nothing of policy-cache is imported until a folder has a `*.test.yaml`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from policy_cache.testing.load import Suite
    from policy_cache.testing.outcome import Outcome
    from policy_cache.testing.run import Runner


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect a file that tests a policy; other tools have `*.test.yaml` files too."""
    if not file_path.name.endswith((".test.yaml", ".test.yml")):
        return None
    from policy_cache.testing.discover import is_ours  # noqa: PLC0415

    return TestFile.from_parent(parent, path=file_path) if is_ours(file_path) else None


class TestFile(pytest.File):
    """A test file."""

    __test__ = False

    def collect(self) -> Iterator[pytest.Item]:
        """The tests, in the order of the file."""
        from policy_cache.errors import PolicyError  # noqa: PLC0415
        from policy_cache.testing.load import load_suite  # noqa: PLC0415

        try:
            suite = load_suite(_relative(self.path, self.config))
        except PolicyError as error:
            raise self.CollectError(_said(error)) from None
        for number, case in enumerate(suite.cases):
            yield TestItem.from_parent(self, name=case.name, suite=suite, number=number)


class TestItem(pytest.Item):
    """One test of a policy."""

    __test__ = False

    def __init__(self, *, suite: Suite, number: int, **more: object) -> None:
        super().__init__(**more)  # type: ignore[arg-type]
        self._suite = suite
        self._number = number

    def runtest(self) -> None:
        """Run it as `policy-cache test` does."""
        outcome = _runner(self.config).run(self._suite, self._number)
        if outcome.status == "skipped":
            pytest.skip(outcome.note)
        if outcome.status != "passed":
            raise _FailedError(outcome)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *args: object) -> str:
        """What the command line prints."""
        from policy_cache.errors import PolicyError  # noqa: PLC0415
        from policy_cache.testing.report import failure  # noqa: PLC0415
        from policy_cache.text.styled import plain  # noqa: PLC0415

        if isinstance(excinfo.value, _FailedError):
            return plain(failure(excinfo.value.outcome)).rstrip("\n")
        if isinstance(excinfo.value, PolicyError):
            return _said(excinfo.value)
        return str(super().repr_failure(excinfo, *args))  # type: ignore[arg-type]

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where it is written; lines count from 0 here."""
        return self.path, self._suite.line(self._number) - 1, self.name


class _FailedError(Exception):
    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.case.name)
        self.outcome = outcome


_RUNNER = pytest.StashKey["Runner"]()


def _runner(config: pytest.Config) -> Runner:
    """One for the session: policies are compiled once."""
    from policy_cache.testing.run import Runner, litellm_wire  # noqa: PLC0415

    if _RUNNER not in config.stash:
        config.stash[_RUNNER] = Runner(litellm_wire)
    return config.stash[_RUNNER]


def _relative(path: Path, config: pytest.Config) -> Path:
    """A path as the one who began the session would write it."""
    here = config.invocation_params.dir
    return path.relative_to(here) if path.is_relative_to(here) else path


def _said(error: object) -> str:
    from policy_cache.errors import PolicyError  # noqa: PLC0415
    from policy_cache.report.diagnostics.render import full  # noqa: PLC0415
    from policy_cache.text.styled import plain  # noqa: PLC0415

    assert isinstance(error, PolicyError)
    shown = [plain(full(diagnostic, error.lines)) for diagnostic in error.diagnostics]
    return "\n".join(shown).rstrip("\n")
