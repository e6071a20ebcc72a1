"""A studio on loopback, and what its page would ask it."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import NamedTuple

import httpx
import pytest

from policy_cache.emulator.server import serve
from policy_cache.studio.app import Opened, Studio
from policy_cache.studio.offers import Offers
from policy_cache.studio.saving import Places, digest
from tests.conftest import REPOSITORY

AGENT = (REPOSITORY / "examples" / "requests" / "agent.json").read_text(encoding="utf-8")
POLICY = """version: 1
name: team
rules:
  - name: prefix
    targets: [system]
    action: {add_cache_control: {ttl: 1h}}
"""


class Asking(NamedTuple):
    """A studio as its own page reaches it."""

    url: str
    studio: Studio

    @property
    def headers(self):
        return {"origin": self.url, "x-studio-token": self.studio.token}

    def post(self, question, body=None, **headers):
        """Ask a question; a header that is None is left out."""
        sent = {"content-type": "application/json", **self.headers, **headers}
        content = body if isinstance(body, bytes) else json.dumps({} if body is None else body).encode()
        return httpx.post(
            f"{self.url}/api/{question}",
            content=content,
            headers={name: value for name, value in sent.items() if value is not None},
            timeout=60,
        )

    def evaluate(self, policy=POLICY, request=AGENT, pause=60.0):
        return self.post("evaluate", {"policy": policy, "request": request, "pause": pause})


@contextmanager
def studio_of(*, offers=None, file=None, folder=None, text=POLICY, seconds=20.0):
    """Serve a studio that opens with a text."""
    opened = Opened("policy.yaml", text, file and digest(file.read_bytes()))
    studio = Studio(opened, offers or Offers(), Places(file, folder), seconds=seconds)
    try:
        with serve(studio.app()) as url:
            yield Asking(url, studio)
    finally:
        studio.close()


@pytest.fixture(scope="module")
def asking():
    with studio_of() as found:
        yield found


@pytest.fixture
def saves(tmp_path):
    """A studio that may save a file and in a folder, and the folder around both."""
    root = tmp_path.resolve()
    folder = root / "policies"
    folder.mkdir()
    (root / "policy.yaml").write_text(POLICY, encoding="utf-8")
    with studio_of(file=root / "policy.yaml", folder=folder) as found:
        yield found, root
