"""A real Redis, on a free port, with an empty folder of its own."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
from contextlib import closing

import pytest
import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from tests.emulator.conftest import client, clock, key, provider, url

__all__ = ["client", "clock", "key", "provider", "redis_server", "url"]


class Server:
    """A server that can be silenced, and killed and started again, empty."""

    def __init__(self, folder):
        with closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        self._process = None

    def start(self):
        given = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder)]
        self._process = subprocess.Popen(
            ["redis-server", *given, "--save", "", "--appendonly", "no"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        patient = Retry(ConstantBackoff(0.01), 1_000)
        redis.Redis.from_url(self.url, retry=patient).ping()

    def silence(self):
        """It takes what it is sent, and answers nothing until it is woken."""
        self._process.send_signal(signal.SIGSTOP)

    def wake(self):
        self._process.send_signal(signal.SIGCONT)

    def kill(self):
        self._process.kill()
        self._process.wait()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory):
    if shutil.which("redis-server") is None:
        pytest.skip("no redis-server here: `apt-get install redis-server`")
    server = Server(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()
