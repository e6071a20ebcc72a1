"""The request that reads a prefix as it was sent, and does nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from policy_cache.request.metadata import carried_metadata
from policy_cache.usage.accounting import PING

if TYPE_CHECKING:
    from policy_cache.providers.resolve import Route

# What asks for a reply, for another way to send it, or is litellm's own of that one call.
_LEFT_OUT = frozenset(
    {
        "cooldown_time",
        "context_window_fallback_dict",
        "fallbacks",
        "litellm_metadata",
        "max_completion_tokens",
        "max_retries",
        "max_tokens",
        "metadata",
        "mock_response",
        "model_info",
        "n",
        "num_retries",
        "proxy_server_request",
        "secret_fields",
        "stop",
        "stream",
        "stream_options",
    }
)
_OF_LITELLM = "litellm_"


class Held(NamedTuple):
    """A request that is held for a ping.

    Attributes:
        request: What to send.
        size: How many bytes that takes, about.
        prewarms: Whether it asks for no reply at all, and not for a token.
        model: The model, without its provider's prefix.
        provider: litellm's name for the provider.
    """

    request: dict[str, object]
    size: int
    prewarms: bool
    model: str
    provider: str


def ping_of(sent: Mapping[str, object], route: Route) -> Held | None:
    """The ping of a request; None where there is none that would cost little.

    Only of chat requests. One that thinks needs more tokens for its reply than it thinks with, and without
    its thinking it would read nothing.

    Args:
        sent: The request as it was sent, with its markers; nothing of it is shared but texts.
        route: Where it went.
    """
    if route.shape != "chat" or _thinks(sent):
        return None
    request: dict[str, object] = {}
    size = 0
    for name, value in sent.items():
        if name in _LEFT_OUT or name.startswith(_OF_LITELLM):
            continue
        if value is None or isinstance(value, (str, int, float, list, tuple, dict)):
            request[name], bytes_ = _copied(value)
            size += bytes_
    prewarms = route.prewarms and not _wants(sent)
    metadata = {
        name: value
        for name, value in carried_metadata(sent).items()
        if isinstance(value, (str, int, float)) and isinstance(name, str)
    }
    request["metadata"] = metadata | {PING: True}
    request["max_tokens"] = 0 if prewarms else 1
    return Held(request, size, prewarms, route.model, route.provider)


def _thinks(sent: Mapping[str, object]) -> bool:
    thinking = sent.get("thinking")
    kind = thinking.get("type") if isinstance(thinking, Mapping) else None
    return kind not in (None, "disabled") or sent.get("reasoning_effort") not in (None, "none")


def _wants(sent: Mapping[str, object]) -> bool:
    """Whether it asks for what is refused where no reply is asked for."""
    output = sent.get("output_config")
    formatted = isinstance(output, Mapping) and output.get("format")
    chosen = sent.get("tool_choice") not in (None, "auto", "none")
    return bool(formatted or chosen or sent.get("response_format"))


def _copied(value: object) -> tuple[object, int]:
    """The same value in lists and dicts of its own, and about how many bytes it takes."""
    if isinstance(value, dict):
        fields = {name: _copied(item) for name, item in value.items()}
        size = sum(64 + item[1] for item in fields.values())
        return {name: item[0] for name, item in fields.items()}, 64 + size
    if isinstance(value, (list, tuple)):
        items = [_copied(item) for item in value]
        return [item[0] for item in items], 64 + sum(item[1] for item in items)
    return value, len(value) if isinstance(value, (str, bytes)) else 32
