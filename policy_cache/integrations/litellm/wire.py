"""The wire check: where each marker of a request stands in the body that the installed litellm sends."""

from __future__ import annotations

import asyncio
import copy
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import litellm

from policy_cache.engine.injection import POINTS
from policy_cache.errors import PolicyCacheError
from policy_cache.integrations.litellm.capture import Sent, capture
from policy_cache.request.edit import Draft
from policy_cache.request.location import Location, fields_of
from policy_cache.request.markers import MARKER_KEYS
from policy_cache.request.prompt import detect_shape

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping, Sequence

    from policy_cache.engine.breakpoints import Breakpoint
    from policy_cache.engine.plan import Plan
    from policy_cache.request.prompt import Shape

# What each provider must be given before litellm builds a body; no value leaves the machine.
_STAND_INS: dict[str, dict[str, str]] = {
    "azure": {"api_base": "https://wire.openai.azure.com", "api_version": "2025-04-01-preview"},
    "azure_ai": {"api_base": "https://wire.services.ai.azure.com/anthropic"},
    "bedrock": {
        "aws_access_key_id": "none",
        "aws_secret_access_key": "none",
        "aws_region_name": "us-east-1",
    },
    "databricks": {"api_base": "https://wire.cloud.databricks.com/serving-endpoints"},
    "hosted_vllm": {"api_base": "https://wire.invalid/v1"},
    "litellm_proxy": {"api_base": "https://wire.invalid/v1"},
    "snowflake": {"api_base": "https://wire.snowflakecomputing.com/api/v2"},
    "vertex_ai": {"vertex_project": "project", "vertex_location": "us-east5"},
}
_PLATFORM = {"aws_bedrock_runtime_endpoint": "https://wire.amazonaws.com", "workspace_id": "none"}
# What would answer, retry, reroute or call back in place of sending.
_NOT_SENT = frozenset(
    {
        "acompletion",
        "api_key",
        "client",
        "context_window_fallback_dict",
        "fallbacks",
        "logger_fn",
        "max_retries",
        "mock_response",
        "mock_timeout",
        "mock_tool_calls",
        "model_list",
        "num_retries",
        "shared_session",
    }
)
# litellm fetches what some providers want inline.
_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
# Objects whose members the caller names.
_OPAQUE = frozenset({"parameters", "input_schema", "inputSchema", "input", "args", "properties", "metadata"})


class WireError(PolicyCacheError):
    """litellm builds no body for a request."""


class WireMarker(NamedTuple):
    """A marker in a body.

    Attributes:
        call: Which of the HTTP requests carries it, from 0.
        location: The block that it ends, in that body, a Converse `cachePoint` not being counted.
        ttl: Its TTL as sent; None where none is said.
    """

    call: int
    location: Location
    ttl: str | None


@dataclass(frozen=True, slots=True)
class Wire:
    """What litellm would send for a request: more than one HTTP request for a Gemini CachedContent.

    Attributes:
        sent: The HTTP requests, in order.
        markers: Every marker in them, in order.
        leaks: Parameters of litellm's own that it passes on to the provider.
    """

    sent: tuple[Sent, ...]
    markers: tuple[WireMarker, ...]
    leaks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one marker of the request to send.

    Attributes:
        marker: The marker, at its place in the request to send.
        places: Where it is on the wire; empty where litellm lost it.
    """

    marker: Breakpoint
    places: tuple[WireMarker, ...]


@dataclass(frozen=True, slots=True)
class Check:
    """A plan on the wire: what litellm would send for it.

    Attributes:
        wire: The HTTP requests, with every marker in them.
        fates: What became of each marker of the request.
        added: The markers that litellm adds by itself.
        parameters: For each parameter that the plan sets, whether it is sent.
    """

    wire: Wire
    fates: tuple[Fate, ...]
    added: tuple[WireMarker, ...]
    parameters: Mapping[str, bool]

    @property
    def lost(self) -> tuple[Fate, ...]:
        """The markers that take a slot, and that litellm loses all the same."""
        return tuple(fate for fate in self.fates if fate.marker.slot is not None and not fate.places)


def wire(request: Mapping[str, object], *, provider: str | None = None, shape: Shape | None = None) -> Wire:
    """Run the installed litellm up to the HTTP body, with no network and no key.

    What the process has registered with litellm as callbacks sees the call. Images at a URL are sent
    inline as one pixel, since litellm would fetch them for some providers.

    Args:
        request: The keyword arguments of `litellm.completion`, `litellm.anthropic_messages` or
            `litellm.responses`.
        provider: litellm's provider name, where the request does not say it.
        shape: `chat`, `messages` or `responses`; by default told from the request.

    Raises:
        WireError: litellm refuses the request, or sends nothing for it.
    """
    log = logging.getLogger("LiteLLM")
    level, banner = log.level, litellm.suppress_debug_info
    log.setLevel(logging.CRITICAL)
    litellm.suppress_debug_info = True
    try:
        # litellm changes what it is given.
        given: dict[str, Any] = copy.deepcopy(
            {name: _inline(value) for name, value in request.items() if name not in _NOT_SENT}
        )
        if provider is not None:
            given["custom_llm_provider"] = provider
        sent = capture(lambda: _call(given, shape or detect_shape(request)))
    except Exception as error:  # noqa: BLE001, whatever litellm raises before it sends
        raise WireError(f"litellm builds no body for this request: {_said(error)}") from None
    finally:
        log.setLevel(level)
        litellm.suppress_debug_info = banner
    if not sent or not isinstance(sent[-1].body, dict):
        raise WireError("litellm sends nothing for this request")
    markers = tuple(
        marker for call, http_request in enumerate(sent) for marker in _markers(call, http_request)
    )
    return Wire(tuple(sent), markers, (POINTS,) if POINTS in sent[-1].body else ())


def check(plan: Plan) -> Check:
    """Where each marker of a plan's request is on the wire: what its absence takes away there.

    Raises:
        WireError: As for `wire`.
    """
    request, route = plan.request, plan.route
    whole = wire(request, provider=route.provider or None, shape=route.shape)
    points = [point for point in plan.breakpoints if point.party != "litellm"]
    fates: list[Fate] = []
    if route.run:  # the markers of a run act together
        fates = [Fate(point, whole.markers) for point in points[-1:]]
    else:
        known: dict[tuple[Breakpoint, ...], tuple[WireMarker, ...]] = {}
        for point in points:
            # Two markers on a block are one breakpoint, which stands until both are gone.
            together = tuple(p for p in points if p.at == point.at or p.block == point.block)
            gone = (point,) if point.block is None else together
            if gone not in known:
                rest = wire(_without(request, gone), provider=route.provider or None, shape=route.shape)
                known[gone] = tuple(place for place in whole.markers if place not in rest.markers)
            fates.append(Fate(point, known[gone]))
    claimed = {place for fate in fates for place in fate.places}
    last = whole.sent[-1]
    return Check(
        whole,
        tuple(fates),
        tuple(place for place in whole.markers if place not in claimed),
        {
            name: name in last.body or name.lower() in last.headers
            for edit in plan.edits
            if edit.change == "set" and edit.after is not None
            for name in [str(edit.location[-1])]
        },
    )


def _inline(value: object) -> object:
    """A part of a request with one pixel for every image at a URL."""
    if isinstance(value, dict):
        if value.get("type") == "url" and isinstance(value.get("url"), str):
            return {"type": "base64", "media_type": "image/png", "data": _PIXEL}
        return {name: _pixel(item) if name == "image_url" else _inline(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_inline(item) for item in value]
    fields = fields_of(value)
    return value if fields is None else _inline(fields)


def _pixel(image: object) -> object:
    url = image.get("url") if isinstance(image, dict) else image
    if not isinstance(url, str) or not url.startswith(("http:", "https:")):
        return image
    inline = f"data:image/png;base64,{_PIXEL}"
    return {**image, "url": inline} if isinstance(image, dict) else inline


def _said(error: Exception) -> str:
    """An error without a word of the prompt, which litellm quotes in some."""
    if type(error).__name__ == "LiteLLMUnknownProvider":
        return "it does not know the provider; behind an `api_base`, a model is called as `openai/…`"
    if isinstance(error, (litellm.UnsupportedParamsError, litellm.AuthenticationError)):
        return str(error).splitlines()[0]
    return type(error).__name__


def _stand_ins(given: Mapping[str, Any]) -> dict[str, str]:
    """What the provider needs beside the request; litellm raises where it cannot tell who that is."""
    model, provider, _, _ = litellm.get_llm_provider(
        given["model"], given.get("custom_llm_provider"), given.get("api_base")
    )
    stand_ins = dict(_STAND_INS.get(provider, {}))
    if provider == "azure_ai" and "claude" not in model:
        stand_ins["api_base"] = "https://wire.services.ai.azure.com"
    if provider == "bedrock" and model.startswith("claude_platform/"):
        stand_ins |= _PLATFORM
    return stand_ins


def _call(given: dict[str, Any], shape: Shape) -> None:
    """Call litellm; of some providers' streams it sends nothing before they are read."""
    given = {**_stand_ins(given), **given, "api_key": "none"}
    if shape == "messages":
        given.setdefault("max_tokens", 1)
        asyncio.run(_read(litellm.anthropic_messages(**given)))
        return
    call = litellm.completion if shape == "chat" else litellm.responses
    events = call(max_retries=0, **given)
    if isinstance(events, Iterator):
        next(events, None)


async def _read(call: Awaitable[object]) -> None:
    events = await call
    if isinstance(events, AsyncIterator):
        await anext(events, None)


def _without(request: Mapping[str, object], markers: Sequence[Breakpoint]) -> dict[str, object]:
    """A copy of a request without some of its markers."""
    draft = Draft(copy.deepcopy(dict(request)))
    for marker in markers:
        draft.apply("remove", (*marker.at, marker.key), None)
    return draft.request


def _markers(call: int, sent: Sent) -> Iterator[WireMarker]:
    if sent.method == "POST" and sent.url.endswith("/cachedContents") and isinstance(sent.body, dict):
        yield WireMarker(call, ("contents", len(sent.body.get("contents") or ()) - 1), sent.body.get("ttl"))
        return
    for location, ttl in _walk(sent.body, ()):
        yield WireMarker(call, location, ttl)


def _walk(value: object, here: Location) -> Iterator[tuple[Location, str | None]]:
    """Every marker below a value, in the order of the body."""
    if isinstance(value, dict):
        for name, item in value.items():
            if name not in MARKER_KEYS and not (name in _OPAQUE and isinstance(item, dict)):
                yield from _walk(item, (*here, name))
        for key in MARKER_KEYS:
            if value.get(key) is not None:
                yield here, _ttl(value[key])
    elif isinstance(value, list):
        yield from _walk_list(value, here)


def _walk_list(items: Sequence[object], here: Location) -> Iterator[tuple[Location, str | None]]:
    number = -1
    for item in items:
        if isinstance(item, dict) and set(item) == {"cachePoint"}:
            yield (*here, max(number, 0)), _ttl(item["cachePoint"])
            continue
        number += 1
        yield from _walk(item, (*here, number))


def _ttl(marker: object) -> str | None:
    ttl = marker.get("ttl") if isinstance(marker, dict) else None
    return ttl if isinstance(ttl, str) else None
