"""Serving, and the extra that it needs."""

import socket
import sys
import threading

import httpx
import pytest

import policy_cache.emulator
from policy_cache.emulator import EmulatorError, create_app, run, serve
from policy_cache.errors import PolicyCacheError

from .bodies import request


def post(url):
    headers = {"x-api-key": "k"}
    return httpx.post(f"{url}/v1/messages", json=request(), headers=headers, trust_env=False).status_code


def test_it_serves_on_loopback_and_stops():
    before = threading.active_count()
    with serve(create_app()) as url:
        assert url.startswith("http://127.0.0.1:")
        assert post(url) == 200
    with pytest.raises(httpx.ConnectError):
        post(url)
    assert threading.active_count() == before


def test_it_stops_when_its_caller_fails():
    def fail():
        with serve(create_app()) as url:
            raise LookupError(url)

    with pytest.raises(LookupError) as raised:
        fail()
    with pytest.raises(httpx.ConnectError):
        post(raised.value.args[0])


@pytest.mark.parametrize("host", ["0.0.0.0", "localhost", "::1", ""])
def test_another_host_is_refused(host):
    with pytest.raises(EmulatorError, match=r"serves 127\.0\.0\.1 only"), serve(create_app(), host=host):
        pass


def test_a_taken_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EmulatorError, match=f"cannot listen on 127.0.0.1:{port}: "):
            run(port=port, announce=pytest.fail)


def test_an_impossible_port():
    with pytest.raises(EmulatorError, match="cannot listen"):
        run(port=70_000, announce=pytest.fail)


def test_running_in_the_foreground(monkeypatch):
    """The address is announced, connections are taken from then on, and an interrupt ends it quietly."""
    from policy_cache.emulator import server

    announced = []
    monkeypatch.setattr(server._Server, "run", _interrupted)
    run(port=0, announce=announced.append)
    (url,) = announced
    with pytest.raises(httpx.ConnectError):
        post(url)


def _interrupted(_, sockets):
    with socket.create_connection(sockets[0].getsockname()):
        raise KeyboardInterrupt


def test_streamed_events_do_not_wait_for_acknowledgements():
    """asyncio sets TCP_NODELAY only on sockets made with an explicit protocol."""
    from policy_cache.emulator import server

    with server._listen("127.0.0.1", 0) as listener:
        assert listener.proto == socket.IPPROTO_TCP


@pytest.mark.parametrize(
    ("missing", "name"), [("starlette", "create_app"), ("uvicorn", "serve"), ("uvicorn", "run")]
)
def test_without_the_extra(monkeypatch, missing, name):
    for module in [*sys.modules]:
        if module.startswith("policy_cache.emulator.") and not module.endswith(".errors"):
            monkeypatch.delitem(sys.modules, module)
        if module.split(".")[0] == missing:
            monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(PolicyCacheError, match=r"pip install 'policy-cache\[emulator\]'"):
        getattr(policy_cache.emulator, name)


def test_other_names_are_missing():
    with pytest.raises(AttributeError, match="nothing"):
        policy_cache.emulator.nothing  # noqa: B018
