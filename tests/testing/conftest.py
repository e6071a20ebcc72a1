"""What the command line's tests share; test files that must fail are no tests of this project."""

from __future__ import annotations

from tests.cli.conftest import folder, run, save

__all__ = ["folder", "run", "save"]

collect_ignore = ["cases"]
