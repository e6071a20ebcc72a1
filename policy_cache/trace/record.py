"""A record of a trace: what is kept of a request and its usage, and what is read back of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from policy_cache.engine.match import base_model_of
from policy_cache.errors import PolicyCacheError
from policy_cache.request.location import fields_of
from policy_cache.request.metadata import carried_metadata
from policy_cache.request.prompt import AREAS

if TYPE_CHECKING:
    from policy_cache.usage.account import Placed
    from policy_cache.usage.usage import CacheUsage

_CACHE_PARAMETERS = (
    "cache_control",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
)
# What decides a prompt and its route; a member that is not named here is never written.
_MEMBERS = (
    "model",
    "base_model",
    "custom_llm_provider",
    "messages",
    "system",
    "input",
    "instructions",
    "previous_response_id",
    "tool_choice",
    "thinking",
    "reasoning_effort",
    "reasoning",
    "output_config",
    "speed",
    "response_format",
    *_CACHE_PARAMETERS,
    "cache_control_injection_points",
    "enable_prompt_caching",
    "temperature",
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "stream",
)
# A remote tool server's, which stand on its tool.
_TOOL_SECRETS = frozenset(
    {"api_key", "authorization", "authorization_token", "extra_headers", "headers", "server_url"}
)


class TraceError(PolicyCacheError):
    """A trace that cannot be read: the file, the line, and what is wrong with it."""


class TraceRecord(NamedTuple):
    """One request of a trace.

    Attributes:
        where: Its file and line.
        at: When it started, in seconds.
        request: The keyword arguments of the call. Records share their tools and messages: not to be changed.
        usage: What the provider reported; None where nothing was recorded.
        waited: Seconds until the reply began; 0 where that was not recorded.
        scope: What shares a cache; empty where that was not recorded.
        session: The conversation it belongs to.
        worded: Whether its texts are those that were sent, and no stand-ins of their size.
        placed: The breakpoints that it was sent with; None where only its own markers are known.
    """

    where: str
    at: float
    request: dict[str, Any]
    usage: CacheUsage | None
    waited: float
    scope: str
    session: str
    worded: bool = True
    placed: tuple[Placed, ...] | None = None


def kept_of(request: Mapping[str, object], metadata: tuple[str, ...]) -> dict[str, object]:
    """The members of a request that are written; no secret among them."""
    kept = {name: request[name] for name in _MEMBERS if request.get(name) is not None}
    if base_model := base_model_of(request):
        kept["base_model"] = base_model
    for area in set(AREAS.values()):
        messages = request.get(area)
        if isinstance(messages, (list, tuple)):
            # Those that are objects, as litellm answers with them, so that the rest need not be walked.
            kept[area] = [message if type(message) is dict else plain(message) for message in messages]
    tools = request.get("tools")
    if tools is not None:
        kept["tools"] = [_tool(tool) for tool in tools] if isinstance(tools, (list, tuple)) else None
    base = request.get("api_base") or request.get("base_url")
    if isinstance(base, str) and (host := _host(base)):
        kept["api_base"] = f"https://{host}"
    body = request.get("extra_body")
    if isinstance(body, dict):
        kept["extra_body"] = {name: body[name] for name in _CACHE_PARAMETERS if name in body}
    if metadata:
        carried = carried_metadata(request)
        kept["metadata"] = {
            name: value
            for name in metadata
            if isinstance(value := carried.get(name), (str, bool, int, float))
        }
    return kept


def _tool(tool: object) -> object:
    fields = fields_of(tool)
    if fields is None or _TOOL_SECRETS.isdisjoint(fields):
        return tool
    return {name: value for name, value in fields.items() if name not in _TOOL_SECRETS}


def _host(base: str) -> str | None:
    try:
        host = urlsplit(base).hostname
    except ValueError:
        return None
    return f"[{host}]" if host and ":" in host else host


def usage_of(response: object) -> object:
    return response.get("usage") if isinstance(response, Mapping) else getattr(response, "usage", None)


# What tells the parts of a usage apart that come as a list: calls of the model, and writes by their lifetime.
_TELLING = frozenset({"type", "ttl"})
_WORD = re.compile(r"\w{1,40}", re.ASCII)


def numbers(usage: object) -> dict[str, object]:
    """The counts of a usage, at any depth, and the words that tell its parts apart."""
    counts: dict[str, object] = {}
    for name, value in (fields_of(usage) or {}).items():
        word = name in _TELLING and isinstance(value, str) and _WORD.fullmatch(value)
        if word or isinstance(value, (int, float)):
            counts[name] = value
        elif isinstance(value, (list, tuple)):
            if any(parts := [numbers(part) for part in value]):
                counts[name] = parts
        elif nested := numbers(value):
            counts[name] = nested
    return counts


def plain(value: object) -> Any:  # noqa: ANN401, JSON
    """A value in JSON's types; of an object, what is not None of its dict form."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        return int(value) if isinstance(value, int) else float(value)
    fields = fields_of(value)
    if fields is None:
        return named(value)
    return {name: plain(item) for name, item in fields.items() if item is not None}


def named(value: object) -> str:
    """What stands for a value that JSON has no form for: the name of its type."""
    return f"<{type(value).__name__}>"
