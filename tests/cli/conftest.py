"""Running the command line: in this process, or as a user does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import NamedTuple

import pytest

from policy_cache.cli.main import main

PROGRAM = Path(sys.executable).with_name("policy-cache")


class Ran(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str

    def refused(self):
        """The one line with which a command said what it could not do."""
        assert (self.code, self.out) == (2, "")
        assert self.err.startswith("policy-cache: ")
        assert self.err.endswith("\n")
        assert len(self.err.splitlines()) == 1
        assert "internal error" not in self.err
        return self.err.removeprefix("policy-cache: ").rstrip("\n")


@pytest.fixture
def run(capsys, monkeypatch):
    """Run a command in this process, with bytes as its standard input."""

    def run(*arguments, stdin=b""):
        content = stdin.encode() if isinstance(stdin, str) else stdin
        monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(content), encoding="utf-8"))
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit_:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return Ran(exit_.value.code or 0, out, err)

    return run


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder to work in, so that messages name files as a user would."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def save(folder):
    """Write a file of a name: text, bytes, or data as JSON."""

    def save(name, content):
        if isinstance(content, bytes):
            (folder / name).write_bytes(content)
        else:
            text = content if isinstance(content, str) else json.dumps(content)
            (folder / name).write_text(text, encoding="utf-8")
        return name

    return save


def environment(**more):
    """A plain environment for a subprocess."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**kept, "LC_ALL": "C.UTF-8", **more}


def start(*arguments, stdin=b"", **more):
    """Run the installed program as a user does."""
    done = subprocess.run(
        [PROGRAM, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        check=False,
        timeout=60,
        env=environment(**more),
    )
    return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())
