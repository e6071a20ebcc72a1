"""`git:REV:path`: a file as git has it, in place of the one on disk."""

from __future__ import annotations

import os
import shutil
import subprocess

from policy_cache.cli.shared.output import give_up
from policy_cache.text.words import visible

_PREFIX = "git:"


def is_revision(name: str) -> bool:
    """Whether a name asks git for a file."""
    return name.startswith(_PREFIX)


def read_revision(name: str) -> bytes:
    """The content of `git:REV:path`, its path relative to the working folder; exits with 2 without one."""
    revision, colon, path = name.removeprefix(_PREFIX).partition(":")
    if not revision or not colon or not path or revision.startswith("-"):
        example = "git:origin/main:policies/default.yaml"
        give_up(f"{visible(name)}: expected git:REVISION:PATH, for example {example}")
    git = shutil.which("git")
    if git is None:
        give_up(f"{visible(name)}: git is not installed")
    # `./` is what makes a path relative to the working folder.
    place = path if path.startswith("/") else f"./{path}"
    ran = subprocess.run(  # noqa: S603, no shell, and the revision cannot be an option
        [git, "cat-file", "blob", f"{revision}:{place}"],
        capture_output=True,
        check=False,
        env={**os.environ, "LC_ALL": "C"},
    )
    if ran.returncode:
        said = ran.stderr.decode(errors="replace").strip().splitlines()
        give_up(f"{visible(name)}: {visible(said[-1].removeprefix('fatal: ') if said else 'no such file')}")
    return ran.stdout
