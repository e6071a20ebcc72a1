"""Blocks: the units of a prompt's prefix, in the order in which providers hash them.

This is the only walk over a prompt. Whether a marker takes effect on a block depends on the route, so a walk
is of a prompt and the `BlockRules` of a route.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from policy_cache.request.location import Location, elements_of, fields_of, value_at
from policy_cache.request.prompt import SYSTEM_ROLES, TOOL_ROLES, made_by_code

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from policy_cache.request.prompt import Prompt

Order: TypeAlias = tuple[int, int, int, int]
"""Prefix order: section (tools, system, messages, request), element, part, block."""

TOOLS, SYSTEM, MESSAGES, REQUEST = range(4)
END = 1 << 30

THINKING, CONTENT, CALLS = -1, 0, 1
"""The parts of a message, in prefix order."""

ABSENT = frozenset({"deferred", "repeated"})
"""The kinds that are in a request and not in its prefix: a deferred tool, a second call with one id."""


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
    list_level: bool = False
    function_level: bool = True
    translated: frozenset[str] = field(default_factory=frozenset)


# A NamedTuple's own constructor is a Python call, and blocks are made for every request.
_new = tuple.__new__

_APART = ("tool_use", "thinking", "redacted_thinking")
_TOOL_KINDS = frozenset({"tool_use", "tool_result"})
_NONE: frozenset[str] = frozenset()


class Block(NamedTuple):
    """One block.

    Attributes:
        location: What carries the marker: a dict, or a text that becomes a one-block list.
        order: Its place in the prefix.
        kind: Its type: `tool`, `text`, `tool_use`, `tool_result`; `empty` for a message that says nothing.
        markable: Whether a policy may mark it: a marker reaches the provider, and the block stays as it is.
        effective: Whether a marker that is there takes effect; what is markable is effective.
    """

    location: Location
    order: Order
    kind: str
    markable: bool
    effective: bool


def walk(prompt: Prompt, rules: BlockRules) -> Iterator[Block]:
    """Every block of a prompt, in prefix order."""
    for index in range(len(prompt.tools)):
        yield tool_block(prompt, rules, index)
    if prompt.leading == 0:
        yield from system_blocks(prompt, rules)
    for index in range(len(prompt.messages)):
        yield from message_blocks(prompt, rules, index)


def value_of(prompt: Prompt, block: Block) -> object:
    """What stands at a block: of a result that carries its own marker, the content."""
    value = value_at(prompt.request, block.location)
    if block.kind == "tool_result" and len(block.location) == 2:
        return (fields_of(value) or {}).get("content")
    return value


def tool_block(prompt: Prompt, rules: BlockRules, index: int) -> Block:
    """The tool at an index. A deferred tool is outside the prefix; litellm sends `mcp` tools elsewhere."""
    tool = fields_of(prompt.tools[index])
    kind = "tool"
    markable = False
    if tool is not None:
        function = tool.get("function")
        if tool.get("defer_loading") or (type(function) is dict and function.get("defer_loading")):
            kind = "deferred"
        elif rules.tools and tool.get("type") != "mcp":
            markable = not rules.only_functions or tool.get("type") in ("function", "custom", None)
    return _new(Block, (("tools", index), (TOOLS, index, 0, 0), kind, markable, markable))


def system_blocks(prompt: Prompt, rules: BlockRules) -> list[Block]:
    """The blocks of a top-level `system`; those of leading system messages are `message_blocks`."""
    kinds = rules.system if rules.system_parameter else _NONE
    return _content_blocks(prompt, prompt.system, ("system",), (SYSTEM, 0), kinds)


def message_blocks(prompt: Prompt, rules: BlockRules, index: int) -> list[Block]:
    """The blocks of one message, in prefix order."""
    message = prompt.messages[index]
    role = message.get("role")
    content = message.get("content")
    place = (MESSAGES, index)
    at: Location = ("messages", index, "content")
    if index < prompt.leading:
        return _content_blocks(prompt, content, at, (SYSTEM, index), rules.system)
    if role in TOOL_ROLES:
        if rules.tool_content:
            blocks = _content_blocks(prompt, content, at, place, rules.tool_content)
            return [block._replace(kind="tool_result") for block in blocks]
        carries = role in rules.tool_messages and not (rules.needs_tools and not prompt.tools)
        return [_new(Block, (at[:2], (MESSAGES, index, CONTENT, 0), "tool_result", carries, carries))]
    if role == "assistant":
        if (
            "tool_calls" in message
            or "thinking_blocks" in message
            or rules.sorts_assistant
            or rules.needs_tools
        ):
            blocks = _assistant_blocks(prompt, rules, index)
        else:
            blocks = _content_blocks(prompt, content, at, place, rules.assistant)
    elif role in SYSTEM_ROLES:
        blocks = _late_system_blocks(prompt, rules, index)
    else:
        kinds = rules.user - _TOOL_KINDS if rules.needs_tools and not prompt.tools else rules.user
        blocks = _content_blocks(prompt, content, at, place, kinds)
    if blocks or prompt.shape != "chat":
        return blocks
    # litellm sends something of a message without content, which the API would refuse.
    location = at if "content" in message else at[:2]
    return [_new(Block, (location, (MESSAGES, index, CONTENT, 0), "empty", False, False))]


def _late_system_blocks(prompt: Prompt, rules: BlockRules, index: int) -> list[Block]:
    """A system message behind the conversation's beginning: volatile by its nature, so no policy marks it.

    A client's marker takes effect where litellm leaves the message in place, which it does unless a user's
    turn follows; never on one that a turn clears (platform.claude.com, "Mid-conversation system messages").
    """
    message = prompt.messages[index]
    stays = message.get("clear_at") is None and (
        prompt.shape == "messages" or prompt.role_after_system(index) in {None, "assistant"}
    )
    kinds = rules.system if stays else _NONE
    blocks = _content_blocks(
        prompt, message.get("content"), ("messages", index, "content"), (MESSAGES, index), kinds
    )
    return [block._replace(markable=False) for block in blocks]


def _assistant_blocks(prompt: Prompt, rules: BlockRules, index: int) -> list[Block]:
    message = prompt.messages[index]
    content, calls = message.get("content"), message.get("tool_calls")
    orphaned = rules.needs_tools and not prompt.tools
    blocks = [
        _new(
            Block,
            (
                ("messages", index, "thinking_blocks", number),
                (MESSAGES, index, THINKING, number),
                "thinking",
                False,
                False,
            ),
        )
        for number in range(len(elements_of(message.get("thinking_blocks"))))
    ]
    if isinstance(calls, (list, tuple)) and calls:
        blocks += _calling_blocks(prompt, content, calls, index, BlockRules() if orphaned else rules)
    elif content or not blocks:
        kinds = rules.assistant - _TOOL_KINDS if orphaned else rules.assistant
        blocks += _content_blocks(prompt, content, ("messages", index, "content"), (MESSAGES, index), kinds)
    return _sorted_blocks(prompt, index, blocks) if rules.sorts_assistant else blocks


def _sorted_blocks(prompt: Prompt, index: int, blocks: list[Block]) -> list[Block]:
    """An assistant turn whose texts litellm sorts before its calls, and their markers behind all texts.

    So only the last text of a turn keeps its marker in place, and none where turns are merged.
    """
    merged = prompt.meets_assistant(index)
    parts = elements_of(prompt.messages[index].get("content"))
    last = next(
        (n for n in range(len(parts) - 1, -1, -1) if (fields_of(parts[n]) or {}).get("type") not in _APART),
        0,
    )
    return [
        block._replace(markable=False, effective=False)
        if block.markable
        and block.order[2] == CONTENT
        and (merged or (block.order[3] != last and block.kind not in _APART))
        else block
        for block in blocks
    ]


def _calling_blocks(
    prompt: Prompt, content: object, calls: list[object] | tuple[object, ...], index: int, rules: BlockRules
) -> list[Block]:
    """An assistant message that calls tools. Server tools make litellm reorder it, so it carries nothing."""
    read = [fields_of(call) or {} for call in calls]
    server = any(str(call.get("id", "")).startswith("srvtoolu_") for call in read)
    kinds = _NONE if server or rules.calls_break_text else rules.assistant
    blocks: list[Block] = []
    if content:
        blocks = _content_blocks(prompt, content, ("messages", index, "content"), (MESSAGES, index), kinds)
    # Of the calls with one id, litellm sends the first.
    ids: set[str] = set()
    for number, call in enumerate(read):
        name = call.get("id")
        repeated = isinstance(name, str) and name in ids
        if isinstance(name, str):
            ids.add(name)
        carries = rules.tool_calls and not server and call.get("type") == "function" and not repeated
        kind = "repeated" if repeated else "tool_use"
        location: Location = ("messages", index, "tool_calls", number)
        blocks.append(_new(Block, (location, (MESSAGES, index, CALLS, number), kind, carries, carries)))
    return blocks


def _content_blocks(
    prompt: Prompt, content: object, location: Location, place: tuple[int, int], kinds: frozenset[str]
) -> list[Block]:
    section, element = place
    if isinstance(content, str):
        carries = "text" in kinds and _carries(content)
        kind = "text" if content or prompt.shape == "messages" else "empty"
        return [_new(Block, (location, (section, element, CONTENT, 0), kind, carries, carries))]
    if not isinstance(content, (list, tuple)):
        return []
    blocks: list[Block] = []
    for number, part in enumerate(content):
        fields = part if isinstance(part, dict) else fields_of(part)
        said = None if fields is None else fields.get("type")
        kind = said if isinstance(said, str) else ""
        carries = kind in kinds and _markable(prompt, kind, fields or {})
        blocks.append(
            _new(Block, ((*location, number), (section, element, CONTENT, number), kind, carries, carries))
        )
    return blocks


def _markable(prompt: Prompt, kind: str, block: Mapping[str, object]) -> bool:
    if kind == "text":
        text = block.get("text")
        return isinstance(text, str) and _carries(text)
    # A call that code execution made refuses a marker, and so does its result, which is not in the context.
    if kind == "tool_result":
        return not prompt.is_programmatic(block.get("tool_use_id"))
    return not made_by_code(block)


def _carries(text: str) -> bool:
    """Blank text is refused or replaced; litellm drops the billing header on most routes."""
    return text != "" and not text.isspace() and not text.startswith("x-anthropic-billing-header:")
