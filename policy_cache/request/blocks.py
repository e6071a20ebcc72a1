"""Blocks: the units of a prompt's prefix, in the order in which providers hash them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from policy_cache.request.location import Location, elements_of, fields_of
from policy_cache.request.prompt import SYSTEM_ROLES, TOOL_ROLES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from policy_cache.request.prompt import Prompt

Order: TypeAlias = tuple[int, int, int, int]
"""Prefix order: section (tools, system, messages, request), element, part, block."""

TOOLS, SYSTEM, MESSAGES, REQUEST = range(4)
END = 1 << 30


@dataclass(frozen=True, slots=True)
class BlockRules:
    """Which blocks can carry a marker on a route; see `providers.catalog.BlockTable`."""

    tools: bool = False
    system: frozenset[str] = field(default_factory=frozenset)
    system_parameter: bool = False
    user: frozenset[str] = field(default_factory=frozenset)
    assistant: frozenset[str] = field(default_factory=frozenset)
    tool_calls: bool = False
    tool_messages: frozenset[str] = field(default_factory=frozenset)
    needs_tools: bool = False
    sorts_assistant: bool = False
    only_functions: bool = False
    tool_content: frozenset[str] = field(default_factory=frozenset)
    calls_break_text: bool = False
    message_level: bool = True


# A NamedTuple's own constructor is a Python call, and blocks are made for every request.
_new = tuple.__new__

_APART = ("tool_use", "thinking", "redacted_thinking")
_TOOL_KINDS = frozenset({"tool_use", "tool_result"})


class Block(NamedTuple):
    """One block.

    Attributes:
        location: What carries the marker: a dict, or a text that becomes a one-block list.
        order: Its place in the prefix.
        markable: Whether a marker there reaches the provider, and is taken.
    """

    location: Location
    order: Order
    markable: bool


def tool_block(prompt: Prompt, rules: BlockRules, index: int) -> Block:
    """The tool at an index. A deferred tool is outside the prefix; litellm sends `mcp` tools elsewhere."""
    tool = fields_of(prompt.tools[index])
    markable = False
    if rules.tools and tool is not None and tool.get("type") != "mcp":
        function = tool.get("function")
        deferred = tool.get("defer_loading") or (type(function) is dict and function.get("defer_loading"))
        declared = tool.get("type") in ("function", "custom", None)
        markable = not deferred and (declared or not rules.only_functions)
    return _new(Block, (("tools", index), (TOOLS, index, 0, 0), markable))


def system_blocks(prompt: Prompt, rules: BlockRules) -> list[Block]:
    """The blocks of a top-level `system`; those of leading system messages are `message_blocks`."""
    kinds = rules.system if rules.system_parameter else frozenset[str]()
    return _content_blocks(prompt.system, ("system",), (SYSTEM, 0), kinds)


def message_blocks(prompt: Prompt, rules: BlockRules, index: int) -> list[Block]:
    """The blocks of one message, in prefix order."""
    message = prompt.messages[index]
    role = message.get("role")
    content = message.get("content")
    section = MESSAGES
    if index < prompt.leading:
        section, kinds = SYSTEM, rules.system
    elif role in TOOL_ROLES:
        if rules.tool_content:
            return _content_blocks(
                content, ("messages", index, "content"), (section, index), rules.tool_content
            )
        carries = role in rules.tool_messages and not (rules.needs_tools and not prompt.tools)
        return [_new(Block, (("messages", index), (MESSAGES, index, 0, 0), carries))]
    elif role == "assistant":
        if "tool_calls" in message or rules.sorts_assistant or rules.needs_tools:
            return _assistant_blocks(prompt, rules, index)
        kinds = rules.assistant
    elif role in SYSTEM_ROLES:
        kinds = rules.system if _stays(prompt, index) else frozenset()
    else:
        kinds = rules.user - _TOOL_KINDS if rules.needs_tools and not prompt.tools else rules.user
    if type(content) is str:
        carries = "text" in kinds and _carries(content)
        return [_new(Block, (("messages", index, "content"), (section, index, 0, 0), carries))]
    return _content_blocks(content, ("messages", index, "content"), (section, index), kinds)


def _assistant_blocks(prompt: Prompt, rules: BlockRules, index: int) -> list[Block]:
    message = prompt.messages[index]
    content, calls = message.get("content"), message.get("tool_calls")
    orphaned = rules.needs_tools and not prompt.tools
    if isinstance(calls, (list, tuple)) and calls:
        blocks = _calling_blocks(content, calls, index, BlockRules() if orphaned else rules)
    else:
        kinds = rules.assistant - _TOOL_KINDS if orphaned else rules.assistant
        blocks = _content_blocks(content, ("messages", index, "content"), (MESSAGES, index), kinds)
    return _sorted_blocks(prompt, index, blocks) if rules.sorts_assistant else blocks


def _sorted_blocks(prompt: Prompt, index: int, blocks: list[Block]) -> list[Block]:
    """An assistant turn whose texts litellm sorts before its calls, and their markers behind all texts.

    So only the last text of a turn keeps its marker in place, and none where turns are merged.
    """
    messages = prompt.messages
    merged = _meets_assistant(messages, index, -1) or _meets_assistant(messages, index, 1)
    content = messages[index].get("content")
    parts = elements_of(content)
    sorted_parts = [n for n, part in enumerate(parts) if (fields_of(part) or {}).get("type") not in _APART]
    return [
        block._replace(markable=False)
        if block.markable
        and block.order[2] == 0
        and (merged or (block.order[3] in sorted_parts and block.order[3] != sorted_parts[-1]))
        else block
        for block in blocks
    ]


def _meets_assistant(messages: Sequence[Mapping[str, object]], index: int, step: int) -> bool:
    """Whether the nearest message on one side that leaves anything on the wire is an assistant's."""
    index += step
    while 0 <= index < len(messages):
        message = messages[index]
        content = message.get("content")
        blank = not content or (isinstance(content, str) and content.isspace())
        if message.get("role") in TOOL_ROLES or not blank or message.get("tool_calls"):
            return message.get("role") == "assistant"
        index += step
    return False


def _stays(prompt: Prompt, index: int) -> bool:
    """Whether litellm leaves a later system message in place: it moves one that a user turn follows."""
    return prompt.shape == "chat" and prompt.role_after_system(index) in {None, "assistant"}


def _calling_blocks(
    content: object, calls: list[object] | tuple[object, ...], index: int, rules: BlockRules
) -> list[Block]:
    """An assistant message that calls tools. Server tools make litellm reorder it, so it carries nothing."""
    read = [fields_of(call) or {} for call in calls]
    server = any(str(call.get("id", "")).startswith("srvtoolu_") for call in read)
    kinds = frozenset[str]() if server or rules.calls_break_text else rules.assistant
    blocks = _content_blocks(content, ("messages", index, "content"), (MESSAGES, index), kinds)
    # Of the calls with one id, litellm sends the first.
    ids: set[str] = set()
    for number, call in enumerate(read):
        name = call.get("id")
        repeated = isinstance(name, str) and name in ids
        if isinstance(name, str):
            ids.add(name)
        markable = rules.tool_calls and not server and call.get("type") == "function" and not repeated
        blocks.append(
            Block(("messages", index, "tool_calls", number), (MESSAGES, index, 1, number), markable)
        )
    return blocks


def _content_blocks(
    content: object, location: Location, place: tuple[int, int], kinds: frozenset[str]
) -> list[Block]:
    section, element = place
    if isinstance(content, str):
        carries = "text" in kinds and _carries(content)
        return [_new(Block, (location, (section, element, 0, 0), carries))]
    if not isinstance(content, (list, tuple)):
        return []
    return [
        _new(Block, ((*location, number), (section, element, 0, number), _markable(part, kinds)))
        for number, part in enumerate(content)
    ]


def _markable(part: object, kinds: frozenset[str]) -> bool:
    block = part if isinstance(part, dict) else fields_of(part)
    if block is None:
        return False
    kind = block.get("type")
    if not isinstance(kind, str) or kind not in kinds:
        return False
    if kind == "text":
        text = block.get("text")
        return isinstance(text, str) and _carries(text)
    # A call that code execution made, or its result, refuses a marker.
    caller = block.get("caller")
    return not isinstance(caller, dict) or caller.get("type") == "direct"


def _carries(text: str) -> bool:
    """Blank text is refused or replaced; litellm drops the billing header on most routes."""
    return text != "" and not text.isspace() and not text.startswith("x-anthropic-billing-header:")
