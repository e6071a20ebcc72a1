"""The request that reads a prefix as it was sent, and does nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from policy_cache.request.location import elements_of
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
    that the provider has stored might add to it, and cannot be judged as a whole.

    Args:
        sent: The request as it was sent, with its markers; nothing of it is shared but texts.
        route: Where it went.
    """
    beside = sent.get("extra_body")
    said = {**sent, **beside} if isinstance(beside, Mapping) else sent
    least = least_reply(route)
    if least is None or _is_of_a_class(said) or _goes_on(said):
        return None
    if _calls_tools(said) if least > 1 else _thinks(said):
        return None
    request: dict[str, object] = {}
    size = 0
    for name, value in _without_reply(sent).items():
        kept = _without_reply(value) if value is beside and isinstance(value, Mapping) else value
        if kept is None or isinstance(kept, (str, int, float, list, tuple, dict)):
            request[name], bytes_ = _copied(kept)
            size += bytes_
    reply = 1 if least == 0 and _wants(said) else least
    request[_LEAST[route.shape]] = reply
    request[_METADATA[route.shape]] = {
        **_told(sent, "metadata"),
        **_told(sent, "litellm_metadata"),
        PING: True,
    }
    if route.shape == "responses":
        request["store"] = False
    return Held(request, route.shape, size, reply, route.model, route.provider, route.name)


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
