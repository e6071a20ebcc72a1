"""Serving the emulator on loopback, for a test or in the foreground."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn

from policy_cache.emulator.app import create_app
from policy_cache.emulator.errors import EmulatorError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from starlette.applications import Starlette

LOOPBACK = "127.0.0.1"
DEFAULT_PORT = 8402


@contextmanager
def serve(app: Starlette, *, host: str = LOOPBACK, port: int = 0) -> Iterator[str]:
    """Serve an application from a thread, and yield its address; stop it at the end.

    Args:
        app: What `create_app` returned.
        host: 127.0.0.1; nothing else is served.
        port: The port; 0 takes a free one.

    Raises:
        EmulatorError: The host is another one, or the port is taken.
    """
    with _listen(host, port) as listener:
        server = _Server(app)
        thread = threading.Thread(target=server.run, args=([listener],), name="policy-cache-emulator")
        thread.start()
        try:
            server.ready.wait()
            if not server.started:
                raise EmulatorError("the emulator did not start")
            yield _address(listener)
        finally:
            server.should_exit = True
            thread.join()


def run(
    *,
    announce: Callable[[str], None],
    host: str = LOOPBACK,
    port: int = DEFAULT_PORT,
    app: Starlette | None = None,
    interrupted: Callable[[], None] = lambda: None,
) -> None:
    """Serve in the foreground until interrupted.

    Args:
        announce: Called with the address once it is listening.
        host: 127.0.0.1; nothing else is served.
        port: The port; 0 takes a free one.
        app: What to serve; a new provider by default.
        interrupted: Called as soon as that happens, before what is under way has ended.

    Raises:
        EmulatorError: The host is another one, or the port is taken.
    """
    with _listen(host, port) as listener:
        server = _Server(app or create_app(), interrupted)
        announce(_address(listener))
        try:
            server.run([listener])
        except KeyboardInterrupt:
            return


class _Server(uvicorn.Server):
    def __init__(self, app: Starlette, interrupted: Callable[[], None] = lambda: None) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                access_log=False,
                lifespan="off",
                log_config=None,
                log_level="warning",
                timeout_graceful_shutdown=1,
                ws="none",
            )
        )
        self.ready = threading.Event()
        self._interrupted = interrupted

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self._interrupted()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        finally:
            self.ready.set()


def _listen(host: str, port: int) -> socket.socket:
    if host != LOOPBACK:
        raise EmulatorError(f"the emulator serves {LOOPBACK} only, not {host}")
    # asyncio turns Nagle's algorithm off only for sockets that name their protocol; with it on,
    # every streamed event waits some 40 ms for the client's acknowledgement.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        # From here on the kernel accepts connections, so an announced address never refuses one.
        listener.listen()
    except (OSError, OverflowError) as error:
        listener.close()
        raise EmulatorError(f"cannot listen on {host}:{port}: {error}") from error
    return listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()
    return f"http://{host}:{port}"
