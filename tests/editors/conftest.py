"""yaml-language-server, installed once from the lock file into a folder that git ignores."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.editors.server import Server

HERE = Path(__file__).parent
LOCK = HERE / "package-lock.json"
HOME = HERE.parents[1] / ".venv-editors"
SECONDS = 60


def installed():
    """The folder of what the lock file says; a worker beside this one may be installing it as well."""
    folder = HOME / hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]
    if folder.exists():
        return folder
    npm = shutil.which("npm")
    if not npm:
        pytest.skip("npm is not on this machine")
    HOME.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=HOME) as temporary:
        fresh = Path(temporary) / "fresh"
        fresh.mkdir()
        for file in (LOCK, HERE / "package.json"):
            shutil.copy(file, fresh)
        try:
            npm_ci = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            subprocess.run(npm_ci, cwd=fresh, check=True, capture_output=True, text=True, timeout=SECONDS)
        except subprocess.TimeoutExpired:
            pytest.skip(f"npm did not install yaml-language-server within {SECONDS} s")
        except subprocess.CalledProcessError as error:
            pytest.skip(
                f"npm could not install yaml-language-server: {error.stderr.strip().splitlines()[:1]}"
            )
        try:
            fresh.rename(folder)
        except OSError:
            assert folder.exists()
    return folder


@pytest.fixture(scope="session")
def server():
    if not shutil.which("node"):
        pytest.skip("node is not on this machine")
    server = Server(installed() / "node_modules" / "yaml-language-server" / "bin" / "yaml-language-server")
    yield server
    server.end()
