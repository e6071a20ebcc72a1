"""The application: Anthropic's Messages API, with a prompt cache that keeps its rules."""

from __future__ import annotations

import json
import time
from itertools import count
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from policy_cache.cache.explicit import CacheModel, CachePlan
from policy_cache.cache.reading import messages_prompt, messages_route
from policy_cache.emulator.errors import ApiError, refusal
from policy_cache.emulator.events import events
from policy_cache.emulator.markers import check_markers
from policy_cache.emulator.reply import Reply, build_message, echo
from policy_cache.emulator.schema import check_shape
from policy_cache.errors import RequestError
from policy_cache.providers.cache_rules import ExplicitRules

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.datastructures import Headers
    from starlette.requests import Request

    from policy_cache.cache.prompt import CachedPrompt


def create_app(
    *,
    clock: Callable[[], float] = time.monotonic,
    reply: Reply = echo,
) -> Starlette:
    """Build a provider with an empty cache.

    Args:
        clock: The time, in seconds; entries live and die by it.
        reply: The content blocks to answer a request with. It runs in a thread, and may wait: what
            the request writes becomes readable only when it returns.
    """
    provider = _Provider(clock, reply)
    return Starlette(
        routes=[
            Route("/v1/messages", provider.messages, methods=["POST"]),
            Route("/v1/messages/count_tokens", provider.count_tokens, methods=["POST"]),
        ],
        exception_handlers={
            ApiError: provider.refused,
            404: provider.unknown_path,
            405: provider.unknown_method,
        },
    )


class _Provider:
    """All state of one provider. The event loop alone touches it, so it takes no lock."""

    def __init__(self, clock: Callable[[], float], reply: Reply) -> None:
        self._clock = clock
        self._reply = reply
        # A client may name any model, and there are few different rules.
        self._caches: dict[ExplicitRules, CacheModel] = {}
        self._ids = count(1)

    async def messages(self, request: Request) -> Response:
        body, prompt = await _read(request)
        cache = self._cache(prompt.model)
        plan = cache.plan(prompt, self._clock())
        cache.refresh(plan)
        content = [] if body["max_tokens"] == 0 else await run_in_threadpool(self._reply, body)
        message = build_message(body, content, plan.outcome, f"msg_{next(self._ids):024d}")
        if body.get("stream"):
            return StreamingResponse(
                self._stream(cache, plan, message), media_type="text/event-stream", headers=self._headers()
            )
        cache.commit(plan, self._clock())
        return self._json(message)

    async def count_tokens(self, request: Request) -> Response:
        _, prompt = await _read(request, counting=True)
        return self._json({"input_tokens": prompt.tokens})

    async def refused(self, _: Request, error: Exception) -> Response:
        assert isinstance(error, ApiError)
        headers = self._headers()
        return _json_response(error.body(headers["request-id"]), headers, status=error.status)

    async def unknown_path(self, request: Request, _: Exception) -> Response:
        message = (
            f"Not Found: {request.url.path}. This emulator answers POST /v1/messages "
            "and POST /v1/messages/count_tokens."
        )
        return await self.refused(request, ApiError(404, "not_found_error", message))

    async def unknown_method(self, request: Request, _: Exception) -> Response:
        return await self.refused(request, ApiError(405, "invalid_request_error", "Method Not Allowed"))

    def _cache(self, model: str) -> CacheModel:
        rules = messages_route(model).marked
        assert isinstance(rules, ExplicitRules)
        cache = self._caches.get(rules)
        if cache is None:
            cache = self._caches[rules] = CacheModel(rules)
        return cache

    async def _stream(
        self, cache: CacheModel, plan: CachePlan, message: dict[str, Any]
    ) -> AsyncIterator[bytes]:
        cache.commit(plan, self._clock())
        for event in events(message):
            yield event

    def _json(self, body: dict[str, Any]) -> Response:
        return _json_response(body, self._headers())

    def _headers(self) -> dict[str, str]:
        return {"request-id": f"req_{next(self._ids):024d}"}


async def _read(request: Request, *, counting: bool = False) -> tuple[dict[str, Any], CachedPrompt]:
    scope = _authenticate(request.headers)
    betas = frozenset(name.strip() for name in request.headers.get("anthropic-beta", "").split(","))
    raw = await request.body()
    try:
        body = check_shape(_parse(raw), counting=counting)
        check_markers(body, betas=betas)
        _check_prewarm(body)
        return body, messages_prompt(body, scope=scope)
    except (RecursionError, RequestError) as error:
        raise refusal(f"The request is too large or too deeply nested: {error}") from error


def _authenticate(headers: Headers) -> str:
    """Any key will do; it names the workspace, which shares its cache with no other."""
    key = headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")
    if not key:
        raise ApiError(401, "authentication_error", "x-api-key header is required")
    return key


def _parse(raw: bytes) -> object:
    try:
        return json.loads(raw, parse_constant=_no_constant)
    except ValueError as error:
        raise refusal(f"The request body is not valid JSON: {error}") from error


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _check_prewarm(body: dict[str, Any]) -> None:
    """`max_tokens: 0` only fills the cache (platform.claude.com, "Prompt caching")."""
    if body.get("max_tokens") != 0:
        return
    thinking = body.get("thinking") or {}
    tool_choice = body.get("tool_choice") or {}
    output_config = body.get("output_config") or {}
    for forbidden, name in (
        (body.get("stream"), "stream"),
        (thinking.get("type") == "enabled", "thinking"),
        (output_config.get("format"), "output_config.format"),
        (tool_choice.get("type") in {"tool", "any"}, "tool_choice"),
    ):
        if forbidden:
            raise refusal(f"max_tokens: 0 cannot be combined with {name}")


def _json_response(body: dict[str, Any], headers: dict[str, str], *, status: int = 200) -> Response:
    # Escaped to ASCII: a request may hold half a surrogate pair, which has no UTF-8.
    return Response(json.dumps(body), status, headers, media_type="application/json")
