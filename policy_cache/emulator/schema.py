"""The shape of a request: required members and their types, each refused as the provider words it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from policy_cache.emulator.errors import refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from policy_cache.emulator.errors import ApiError
    from policy_cache.request.location import Location

_T = TypeVar("_T")

EXTRA = "Extra inputs are not permitted"

_TYPES: Mapping[type, str] = {
    bool: "boolean",
    dict: "dictionary",
    float: "number",
    int: "integer",
    list: "list",
    str: "string",
}

_OPTIONAL: Mapping[str, type | None] = {
    "anthropic_beta": list,
    "anthropic_version": str,
    "billing_policy": None,
    "cache_control": dict,
    "compaction": None,
    "container": None,
    "context_management": dict,
    "diagnostics": dict,
    "fallback_credit_token": None,
    "fallbacks": None,
    "inference_geo": str,
    "mcp_servers": list,
    "metadata": dict,
    "output_config": dict,
    "output_format": dict,
    "service_tier": str,
    "speed": str,
    "stop_sequences": list,
    "stream": bool,
    "system": None,
    "temperature": float,
    "thinking": dict,
    "thread": None,
    "tool_choice": dict,
    "tools": list,
    "top_k": int,
    "top_p": float,
    "user_profile_id": str,
    "workspace_id": str,
}

_TOOL_USE: Mapping[str, type] = {"id": str, "name": str, "input": dict}
_TOOL_RESULT: Mapping[str, type] = {"tool_use_id": str}
_BLOCKS: Mapping[str, Mapping[str, type]] = {
    "text": {"text": str},
    "image": {"source": dict},
    "document": {"source": dict},
    "search_result": {"content": list, "source": str, "title": str},
    "thinking": {"signature": str, "thinking": str},
    "redacted_thinking": {"data": str},
    "tool_use": _TOOL_USE,
    "server_tool_use": _TOOL_USE,
    "mcp_tool_use": _TOOL_USE,
    "tool_result": _TOOL_RESULT,
    "advisor_tool_result": _TOOL_RESULT,
    "bash_code_execution_tool_result": _TOOL_RESULT,
    "code_execution_tool_result": _TOOL_RESULT,
    "mcp_tool_result": _TOOL_RESULT,
    "text_editor_code_execution_tool_result": _TOOL_RESULT,
    "tool_search_tool_result": _TOOL_RESULT,
    "web_fetch_tool_result": _TOOL_RESULT,
    "web_search_tool_result": _TOOL_RESULT,
    "compaction": {},
    "container_upload": {"file_id": str},
    "mid_conversation_system": {},
    "tool_addition": {},
    "tool_reference": {"tool_name": str},
    "tool_removal": {},
}
_ROLES = ("user", "assistant", "system")
_TOOL_CHOICES = ("auto", "any", "tool", "none")


def check_shape(body: object, *, counting: bool = False) -> dict[str, Any]:
    """Return the body as a request, or refuse it.

    Args:
        body: The parsed JSON.
        counting: It is to be counted only, so that `max_tokens` is not asked for.

    Raises:
        ApiError: Something required is missing, or has the wrong type.
    """
    request: dict[str, Any] = _typed(body, dict, ())
    _required(request, {"model": str} if counting else {"model": str, "max_tokens": int}, ())
    if not request["model"]:
        raise refusal("String should have at least 1 character", ("model",))
    if not counting and request["max_tokens"] < 0:
        raise refusal("Input should be greater than or equal to 0", ("max_tokens",))
    _required(request, {"messages": list}, ())
    if not request["messages"]:
        raise refusal("messages: at least one message is required")
    for key, value in request.items():
        if key in {"model", "max_tokens", "messages"} or value is None:
            continue
        if key not in _OPTIONAL:
            raise refusal(EXTRA, (key,))
        if (kind := _OPTIONAL[key]) is not None:
            _typed(value, kind, (key,))
    for index, message in enumerate(request["messages"]):
        _message(message, ("messages", index))
    _system(request.get("system"))
    for index, tool in enumerate(request.get("tools") or []):
        _tool(tool, ("tools", index))
    _tool_choice(request.get("tool_choice"))
    return request


def tag_of(block: Mapping[str, Any], at: Location) -> Location:
    """Where the provider's schema reports a member of a block: the type is part of the path."""
    if at[0] == "tools":
        return (*at, str(block.get("type") or "custom"))
    return at if at[0] == "system" else (*at, str(block.get("type")))


def unknown_tag(found: object, expected: Iterable[str], at: Location) -> ApiError:
    """The refusal of a `type` that is not one of those expected."""
    listed = ", ".join(f"'{name}'" for name in expected)
    return refusal(
        f"Input tag '{found}' found using 'type' does not match any of the expected tags: {listed}", at
    )


def _message(message: object, at: Location) -> None:
    fields = _typed(message, dict, at)
    _required(fields, {"role": str}, at)
    if fields["role"] not in _ROLES:
        raise refusal("Input should be 'user', 'assistant' or 'system'", (*at, "role"))
    if "content" not in fields:
        raise refusal("Field required", (*at, "content"))
    _content(fields["content"], (*at, "content"))


def _content(content: object, at: Location) -> None:
    if isinstance(content, str):
        return
    for index, block in enumerate(_typed(content, list, at)):
        _block(block, (*at, index))


def _block(block: object, at: Location) -> None:
    fields = _typed(block, dict, at)
    kind = _type_of(fields, at)
    if kind not in _BLOCKS:
        raise unknown_tag(kind, _BLOCKS, at)
    inner = (*at, kind)
    _required(fields, _BLOCKS[kind], inner)
    if kind == "tool_result" and fields.get("content") is not None:
        _content(fields["content"], (*inner, "content"))


def _system(system: object) -> None:
    if system is None or isinstance(system, str):
        return
    for index, block in enumerate(_typed(system, list, ("system",))):
        at: Location = ("system", index)
        fields = _typed(block, dict, at)
        if _type_of(fields, at) != "text":
            raise refusal("Input should be 'text'", (*at, "type"))
        _required(fields, _BLOCKS["text"], at)


def _tool(tool: object, at: Location) -> None:
    fields = _typed(tool, dict, at)
    if fields.get("type") is None or fields["type"] == "custom":
        _required(fields, {"input_schema": dict, "name": str}, (*at, "custom"))
    else:
        _typed(fields["type"], str, (*at, "type"))


def _tool_choice(choice: dict[str, Any] | None) -> None:
    at: Location = ("tool_choice",)
    if choice is not None and (kind := _type_of(choice, at)) not in _TOOL_CHOICES:
        raise unknown_tag(kind, _TOOL_CHOICES, at)


def _type_of(fields: Mapping[str, Any], at: Location) -> str:
    _required(fields, {"type": str}, at)
    kind: str = fields["type"]
    return kind


def _required(fields: Mapping[str, Any], members: Mapping[str, type], at: Location) -> None:
    for name, kind in members.items():
        if name not in fields:
            raise refusal("Field required", (*at, name))
        _typed(fields[name], kind, (*at, name))


def _typed(value: object, kind: type[_T], at: Location) -> _T:
    accepted = (int, float) if kind is float else kind
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        raise refusal(f"Input should be a valid {_TYPES[kind]}", at)
    return cast("_T", value)
