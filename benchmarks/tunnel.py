"""The emulator as `https://api.anthropic.com`, for a process that is told to trust it.

Nothing of litellm is changed: it goes through a proxy server (`HTTPS_PROXY`) that knows this one host, and
accepts a certificate for the name (`SSL_CERT_FILE`).
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import trustme

from policy_cache.emulator import create_app, serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOST = "api.anthropic.com"
_LOOPBACK = "127.0.0.1"


@contextmanager
def emulated(folder: Path) -> Iterator[dict[str, str]]:
    """The environment in which Anthropic's API is an emulator; `folder` takes the certificate."""
    authority = trustme.CA()
    trusted = folder / "authority.pem"
    authority.cert_pem.write_to_path(str(trusted))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(HOST).configure_cert(context)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="tunnel")
    thread.start()
    try:
        with serve(create_app()) as address:
            behind = int(address.rpartition(":")[2])
            port = asyncio.run_coroutine_threadsafe(_start(context, behind), loop).result()
            yield {"HTTPS_PROXY": f"http://{_LOOPBACK}:{port}", "SSL_CERT_FILE": str(trusted)}
            asyncio.run_coroutine_threadsafe(_stop(), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _start(context: ssl.SSLContext, behind: int) -> int:
    """Listen for clients, and for what they send by TLS; the port for clients."""
    by_tls = await asyncio.start_server(partial(_relay, behind), _LOOPBACK, 0, ssl=context)
    port = by_tls.sockets[0].getsockname()[1]
    clients = await asyncio.start_server(partial(_connect, port), _LOOPBACK, 0)
    return int(clients.sockets[0].getsockname()[1])


async def _stop() -> None:
    """Let what is under way end, as it does with its client."""
    if under_way := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(under_way, timeout=5)


async def _connect(port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    request = await reader.readuntil(b"\r\n\r\n")
    if not request.startswith(f"CONNECT {HOST}:443 ".encode()):
        writer.write(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")
        writer.close()
        return
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    await _relay(port, reader, writer)


async def _relay(port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    answers, requests = await asyncio.open_connection(_LOOPBACK, port)
    await asyncio.gather(_copy(reader, requests), _copy(answers, writer), return_exceptions=True)


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65_536):
            target.write(data)
            await target.drain()
    finally:
        target.close()
