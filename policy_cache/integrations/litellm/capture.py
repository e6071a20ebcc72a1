"""litellm up to the HTTP body: each request is caught at the transport, so that none reaches a network.

What litellm would fetch for itself before that is answered from its package, or fails as without a network.
"""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
from litellm import anthropic_beta_headers_manager
from litellm.llms.custom_httpx.aiohttp_transport import LiteLLMAiohttpTransport
from litellm.llms.github_copilot.authenticator import Authenticator
from litellm.llms.sap.chat.transformation import GenAIHubOrchestrationConfig
from litellm.llms.vertex_ai.vertex_llm_base import VertexBase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Sent(NamedTuple):
    """One HTTP request that was not sent: where to, its JSON body, and the names of its headers."""

    method: str
    url: str
    body: Any
    headers: frozenset[str] = frozenset()


class Caught(BaseException):
    """Ends a call once its body is known. Not an `Exception`, which litellm would retry or map."""


_CATCH: ContextVar[list[Sent] | None] = ContextVar("catch", default=None)
_LOCK = threading.Lock()


def capture(call: Callable[[], object]) -> list[Sent]:
    """Run a call of litellm and return what it would have sent, in order.

    The call runs in a thread of its own, so that it may be made where an event loop runs already.
    Other threads' requests go where they always go.

    Raises:
        Exception: Whatever litellm raised before it sent anything.
    """
    caught: list[Sent] = []
    failures: list[BaseException] = []

    def run() -> None:
        _CATCH.set(caught)
        try:
            call()
        except Caught:
            pass
        except Exception as error:  # noqa: BLE001, raised again in the caller's thread
            failures.append(error)

    with _LOCK, _transports():
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    if failures:
        raise failures[0]
    return caught


@contextmanager
def _transports() -> Iterator[None]:
    """Put the catch before each transport that litellm sends through, and a login before each provider's own.

    litellm fetches a list of beta headers once in a process, by a thread of its own: it finds the list of its
    package instead, and nothing in the end.
    """
    places: tuple[tuple[object, str, Callable[..., Any]], ...] = (
        (httpx.HTTPTransport, "handle_request", _catching),
        (httpx.AsyncHTTPTransport, "handle_async_request", _catching_async),
        (LiteLLMAiohttpTransport, "handle_async_request", _catching_async),
        (VertexBase, "_ensure_access_token", _instead(("none", "project"))),
        (VertexBase, "_ensure_access_token_async", _token_async),
        (Authenticator, "_ensure_token_dir", _instead(None)),
        (Authenticator, "get_api_key", _instead("none")),
        (Authenticator, "get_api_base", _instead(None)),
        (GenAIHubOrchestrationConfig, "run_env_setup", _instead(None)),
        (GenAIHubOrchestrationConfig, "headers", _read_instead({})),
        (GenAIHubOrchestrationConfig, "deployment_url", _read_instead("https://wire.invalid")),
        (anthropic_beta_headers_manager, "_BETA_HEADERS_CONFIG", _beta_headers),
    )
    originals = [(owner, name, getattr(owner, name)) for owner, name, _ in places]
    for (owner, name, wrap), (_, _, original) in zip(places, originals, strict=True):
        setattr(owner, name, wrap(original))
    try:
        yield
    finally:
        for owner, name, original in originals:
            setattr(owner, name, original)


def _catching(original: Callable[..., httpx.Response]) -> Callable[..., httpx.Response]:
    def handle(self: object, request: httpx.Request) -> httpx.Response:
        caught = _CATCH.get()
        if caught is None:
            return original(self, request)
        request.read()
        return _take(caught, request)

    return handle


def _catching_async(original: Callable[..., Any]) -> Callable[..., Any]:
    async def handle(self: object, request: httpx.Request) -> httpx.Response:
        caught = _CATCH.get()
        if caught is None:
            response: httpx.Response = await original(self, request)
            return response
        await request.aread()
        return _take(caught, request)

    return handle


def _take(caught: list[Sent], request: httpx.Request) -> httpx.Response:
    if request.method == "GET" and not request.url.path.endswith("/cachedContents"):
        raise httpx.ConnectError("nothing is fetched while a request is caught", request=request)
    body = json.loads(request.content) if request.content else None
    caught.append(Sent(request.method, str(request.url), body, frozenset(request.headers)))
    # litellm asks for Gemini's CachedContents, then creates one, before it sends the request itself.
    if request.url.path.endswith("/cachedContents"):
        created = {"name": "cachedContents/caught", "model": "caught"} if request.method == "POST" else {}
        return httpx.Response(200, json=created, request=request)
    raise Caught


def _instead(answer: object) -> Callable[..., Callable[..., Any]]:
    """What a provider's login is replaced by while a request is caught."""

    def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
        def login(self: object, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401, litellm's own signature
            return original(self, *args, **kwargs) if _CATCH.get() is None else answer

        return login

    return wrap


def _read_instead(answer: object) -> Callable[..., property]:
    """The same for a property of litellm's."""

    def wrap(original: Any) -> property:  # noqa: ANN401, whichever kind of property
        return property(lambda owner: original.__get__(owner) if _CATCH.get() is None else answer)

    return wrap


def _token_async(original: Callable[..., Any]) -> Callable[..., Any]:
    async def token(self: object, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401, litellm's own signature
        return await original(self, *args, **kwargs) if _CATCH.get() is None else ("none", "project")

    return token


def _beta_headers(fetched: dict[str, Any] | None) -> dict[str, Any]:
    """The list of beta headers that was fetched already, or the one of the package."""
    packaged = anthropic_beta_headers_manager.GetAnthropicBetaHeadersConfig.load_local_beta_headers_config
    return fetched if fetched is not None else packaged()
