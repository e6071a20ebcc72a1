"""The request that reads a prefix as it was sent, and does nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from sys import getsizeof
from typing import TYPE_CHECKING, NamedTuple

from policy_cache.request.location import elements_of, fields_of
from policy_cache.usage.accounting import PING
from policy_cache.usage.keeping import least_reply

if TYPE_CHECKING:
    from policy_cache.providers.resolve import Route
    from policy_cache.request.prompt import Shape

# What asks for a reply, for another way to send it, or for it to be kept, or is litellm's own of that one
# call. A name means the same in every shape that has it.
_LEFT_OUT = frozenset(
    {
        "background",
        "cooldown_time",
        "context_window_fallback_dict",
        "fallbacks",
        "include",
        "litellm_metadata",
        "max_completion_tokens",
        "max_output_tokens",
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
        "stop_sequences",
        "store",
        "stream",
        "stream_options",
    }
)
_OF_LITELLM = "litellm_"
_LEAST: dict[Shape, str] = {
    "chat": "max_tokens",
    "messages": "max_tokens",
    "responses": "max_output_tokens",
}
# In the others, `metadata` is sent to the provider.
_METADATA: dict[Shape, str] = {
    "chat": "metadata",
    "messages": "litellm_metadata",
    "responses": "litellm_metadata",
}
_RUN_BY_CLIENTS = frozenset({"function", "custom"})
# No request is nested so deep but one that is in itself, or is meant to do harm.
_DEEPEST = 100


class _TooDeepError(Exception):
    """A request is nested too deep to be copied."""


class Held(NamedTuple):
    """A request that is held for a ping.

    Attributes:
        request: What to send.
        shape: Its shape.
        size: How many bytes that takes, about.
        reply: How many tokens it asks for.
        model: The model, without its provider's prefix.
        provider: litellm's name for the provider.
        route: The catalog's name for the route; None for a provider it does not know.
    """

    request: dict[str, object]
    shape: Shape
    size: int
    reply: int
    model: str
    provider: str
    route: str | None


def ping_of(sent: Mapping[str, object], route: Route) -> Held | None:
    """The ping of a request; None where there is none that would cost little, and do nothing else.

    One that thinks needs more tokens for its reply than it thinks with, and without its thinking it would
    read nothing; OpenAI's Responses API alone cuts a reply off while it thinks. What goes on with something
    that the provider has stored might add to it, and cannot be judged as a whole. What is nested deeper than
    a hundred levels is not copied.

    Args:
        sent: The request as it was sent, with its markers; no list, dict or object of its data is shared.
        route: Where it went.
    """
    beside = sent.get("extra_body")
    said = {**sent, **beside} if isinstance(beside, Mapping) else sent
    least = least_reply(route)
    if least is None or _is_of_a_class(said) or _goes_on(said):
        return None
    if _calls_tools(said) if least > 1 else _thinks(said):
        return None
    asked = _without_reply(sent)
    if isinstance(beside, Mapping):
        asked["extra_body"] = _without_reply(beside)
    reply = 1 if least == 0 and _wants(said) else least
    request = {name: value for name, value in asked.items() if _is_data(value)}
    request[_LEAST[route.shape]] = reply
    request[_METADATA[route.shape]] = {
        **_told(sent, "metadata"),
        **_told(sent, "litellm_metadata"),
        PING: True,
    }
    if route.shape == "responses":
        request["store"] = False
    try:
        copied, size = _fields(request, 1)
    except _TooDeepError:
        return None
    return Held(copied, route.shape, size, reply, route.model, route.provider, route.name)


def _without_reply(given: Mapping[str, object]) -> dict[str, object]:
    return {
        name: value
        for name, value in given.items()
        if name not in _LEFT_OUT and not name.startswith(_OF_LITELLM)
    }


def _told(sent: Mapping[str, object], name: str) -> dict[str, object]:
    """What metadata say of a request in a word or a number."""
    metadata = sent.get(name)
    given = metadata.items() if isinstance(metadata, Mapping) else ()
    return {
        key: value for key, value in given if isinstance(key, str) and isinstance(value, (str, int, float))
    }


def _member(value: object, name: str) -> object:
    """What a mapping has, or an object of an SDK."""
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)


def _is_of_a_class(said: Mapping[str, object]) -> bool:
    """Whether its reply is to be of a class, of which litellm makes a part of the prompt."""
    return any(isinstance(said.get(name), type) for name in ("response_format", "text_format"))


def _goes_on(said: Mapping[str, object]) -> bool:
    """Whether a part of it is with the provider, who stored a response, a conversation or a prompt."""
    if any(said.get(name) for name in ("previous_response_id", "conversation", "prompt")):
        return True
    for item in elements_of(said.get("input")):
        kind = _member(item, "type")
        if kind == "item_reference" or (kind == "reasoning" and not _member(item, "encrypted_content")):
            return True
    return False


def _calls_tools(said: Mapping[str, object]) -> bool:
    """Whether a reply of several tokens may have the provider run a tool."""
    return any(_member(tool, "type") not in _RUN_BY_CLIENTS for tool in elements_of(said.get("tools")))


def _thinks(said: Mapping[str, object]) -> bool:
    efforts = said.get("reasoning_effort"), _member(said.get("reasoning"), "effort")
    kind = _member(said.get("thinking"), "type")
    return kind not in (None, "disabled") or any(effort not in (None, "none") for effort in efforts)


def _wants(said: Mapping[str, object]) -> bool:
    """Whether it asks for what is refused where no reply is asked for."""
    choice = said.get("tool_choice")
    chosen = _member(choice, "type") if isinstance(choice, Mapping) else choice
    formatted = _member(_member(said.get("text"), "format"), "type") not in (None, "text")
    formatted = formatted or bool(_member(said.get("output_config"), "format") or said.get("response_format"))
    return formatted or chosen not in (None, "auto", "none")


def _is_data(value: object) -> bool:
    """Whether it can be a part of a request, and is no client, logger or function for litellm itself."""
    plain = value is None or isinstance(value, (str, int, float, list, tuple))
    return plain or fields_of(value) is not None


def _copied(value: object, depth: int) -> tuple[object, int]:
    """The same value in lists and dicts of its own, and about how many bytes it takes."""
    if isinstance(value, dict):
        return _fields(value, depth + 1)
    if isinstance(value, (list, tuple)):
        _bound(depth + 1)
        items = [_copied(item, depth + 1) for item in value]
        return [item for item, _ in items], 64 + sum(size for _, size in items)
    members = None if isinstance(value, (str, int, float)) else fields_of(value)
    if members is None:
        return value, getsizeof(value)
    # litellm sends no member of an object that is None, but those of a dict.
    return _fields({name: item for name, item in members.items() if item is not None}, depth + 1)


def _fields(given: Mapping[str, object], depth: int) -> tuple[dict[str, object], int]:
    _bound(depth)
    copied: dict[str, object] = {}
    size = 64
    for name, value in given.items():
        copied[name], bytes_ = _copied(value, depth)
        size += 64 + len(str(name)) + bytes_
    return copied, size


def _bound(depth: int) -> None:
    if depth > _DEEPEST:
        raise _TooDeepError
