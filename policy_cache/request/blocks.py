"""Blocks: the units of a prompt's prefix, in the order in which providers hash them.

This is the only walk over a prompt. Whether a marker takes effect on a block depends on the route, so a walk
is of a prompt and the `BlockRules` of a route.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from policy_cache.request.location import Location, Mapped, elements_of, fields_of, value_at
from policy_cache.request.prompt import SYSTEM_ROLES, TOOL_ROLES, made_by_code

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping, Sequence

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
    system: frozenset[str] = frozenset()
    system_parameter: bool = False
    user: frozenset[str] = frozenset()
    assistant: frozenset[str] = frozenset()
    tool_calls: bool = False
    tool_messages: frozenset[str] = frozenset()
    needs_tools: bool = False
    sorts_assistant: bool = False
    only_functions: bool = False
    tool_content: frozenset[str] = frozenset()
    calls_break_text: bool = False
    joins_assistant: bool = False
    kept: frozenset[str] = frozenset()
    blank: frozenset[str] = frozenset()
    defers: bool = True
    result_parts: frozenset[str] = frozenset()
    nested: bool = True
    nested_parts: frozenset[str] = frozenset()
    message_level: bool = True
    list_level: bool = False
    function_level: bool = True
    translated: frozenset[str] = frozenset()
    translates_messages: bool = False
    translates_beside_tools: bool = True
    translates_system: bool = False
    clears_turns: bool = False
    result_ends: frozenset[str] = frozenset()
    listed_results: bool = True
    texts_beside_tools: frozenset[str] = frozenset()
    extra_body: bool = True
    bridged: bool = False


def outline(prompt: Prompt, rules: BlockRules) -> BlockRules:
    """Rules by which a prompt has the same blocks, whatever may be marked: one object for all alike."""
    defers = rules.defers or not any(_is_deferred(fields_of(tool) or {}) for tool in prompt.tools)
    return _outline(bool(rules.tool_content), rules.needs_tools and not prompt.tools, defers)


@cache
def _outline(parts: bool, needs_tools: bool, defers: bool) -> BlockRules:
    kinds = frozenset({"text"}) if parts else frozenset[str]()
    return BlockRules(tool_content=kinds, needs_tools=needs_tools, defers=defers)


# A NamedTuple's own constructor is a Python call, and blocks are made for every request.
_new = tuple.__new__

APART = ("tool_use", "thinking", "redacted_thinking")
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
    yield from tool_blocks(prompt, rules)
    yield from system_blocks(prompt, rules)
    for index in range(len(prompt.messages)):
        yield from message_blocks(prompt, rules, index)


def value_of(prompt: Prompt, block: Block) -> object:
    """What stands at a block: of a result that carries its own marker, the content."""
    value = value_at(prompt.request, block.location)
    if block.kind == "tool_result" and len(block.location) == 2:
        return (fields_of(value) or {}).get("content" if prompt.area == "messages" else "output")
    return value


def context(prompt: Prompt) -> Hashable:
    """What the blocks of a message depend on beside it, its index, whether it leads, and the rules.

    Where that is equal, so are the blocks, but for whether a policy may mark them.
    """
    has_tools = bool(prompt.tools)
    if prompt.area == "messages" or has_tools:
        return has_tools, prompt.programmatic
    return has_tools, prompt.programmatic, prompt.calling


_FUNCTIONS = {"messages": ("function", "custom", None), "input": ("function",)}


def tool_blocks(prompt: Prompt, rules: BlockRules) -> Sequence[Block]:
    """The tools."""
    return Mapped(range(len(prompt.tools)), partial(tool_block, prompt, rules))


def tool_block(prompt: Prompt, rules: BlockRules, index: int) -> Block:
    """The tool at an index. A deferred one is outside the prefix; litellm sends `mcp` tools elsewhere."""
    tool: Any = prompt.tools[index]
    if type(tool) is not dict:
        tool = fields_of(tool)
    kind = "tool"
    markable = False
    if tool is not None:
        if rules.defers and _is_deferred(tool):
            kind = "deferred"
        elif rules.tools and tool.get("type") != "mcp":
            markable = not rules.only_functions or tool.get("type") in _FUNCTIONS[prompt.area]
    return _new(Block, (("tools", index), (TOOLS, index, 0, 0), kind, markable, markable))


def _is_deferred(tool: Mapping[str, Any]) -> bool:
    function = tool.get("function")
    return bool(tool.get("defer_loading") or (type(function) is dict and function.get("defer_loading")))


def system_blocks(prompt: Prompt, rules: BlockRules) -> Sequence[Block]:
    """The blocks of a system prompt beside the messages; those of leading messages are `message_blocks`."""
    kinds = rules.system if rules.system_parameter else _NONE
    place = (SYSTEM, -1 if prompt.leading else 0)
    return _content_blocks(prompt, rules, prompt.system, (prompt.system_name,), place, kinds, "system")


def message_blocks(prompt: Prompt, rules: BlockRules, index: int) -> Sequence[Block]:
    """The blocks of one message, in prefix order."""
    message = prompt.messages[index]
    role = message.get("role")
    content = message.get("content")
    place = (MESSAGES, index)
    # Asked of every request: the usual place without a call.
    at: Location = ("messages", index, "content") if prompt.area == "messages" else prompt.content_at(index)
    if index < prompt.leading:
        return _content_blocks(prompt, rules, content, at, (SYSTEM, index), rules.system, "system")
    if role in TOOL_ROLES:
        if prompt.area == "input" and not isinstance(content, (str, list, tuple)):
            return [_new(Block, (at[:2], (MESSAGES, index, CONTENT, 0), "tool_result", False, False))]
        if rules.tool_content:
            blocks = _content_blocks(prompt, rules, content, at, place, rules.tool_content, "tool")
            return Mapped(blocks, _as_result)
        carries = role in rules.tool_messages and not (rules.needs_tools and not prompt.tools)
        return [_new(Block, (at[:2], (MESSAGES, index, CONTENT, 0), "tool_result", carries, carries))]
    if role == "assistant":
        if prompt.area == "input" and message.get("type", "message") != "message":
            return [_item_block(prompt, rules, index)]
        if prompt.area == "messages" and (
            "tool_calls" in message
            or "thinking_blocks" in message
            or rules.sorts_assistant
            or rules.joins_assistant
            or rules.needs_tools
        ):
            blocks = _assistant_blocks(prompt, rules, index)
        else:
            blocks = _content_blocks(prompt, rules, content, at, place, rules.assistant, "assistant")
            if rules.sorts_assistant:
                blocks = _in_turn(prompt, rules, index, blocks)
            if prompt.area == "input" and rules.needs_tools and not prompt.tools and index in prompt.calling:
                blocks = Mapped(blocks, _as_text)
    elif role in SYSTEM_ROLES:
        blocks = _late_system_blocks(prompt, rules, index)
    else:
        kinds = rules.user - _TOOL_KINDS if rules.needs_tools and not prompt.tools else rules.user
        blocks = _content_blocks(prompt, rules, content, at, place, kinds, "user")
        if len(at) == 1:  # the text that `input` is
            blocks = Mapped(blocks, _unmarkable)
    if blocks or prompt.shape != "chat":
        return blocks
    # litellm sends something of a message without content, which the API would refuse.
    location = at if "content" in message else at[:2]
    return [_new(Block, (location, (MESSAGES, index, CONTENT, 0), "empty", False, False))]


_ITEMS = {"function_call": "tool_use", "custom_tool_call": "tool_use", "reasoning": "thinking"}


def _item_block(prompt: Prompt, rules: BlockRules, index: int) -> Block:
    """An item that is no message: what the model thought, or what it called."""
    written = prompt.messages[index].get("type")
    kind = _ITEMS.get(written, written) if isinstance(written, str) else ""
    carries = rules.tool_calls and kind == "tool_use" and not (rules.needs_tools and not prompt.tools)
    part = THINKING if kind == "thinking" else CALLS
    return _new(Block, (prompt.at(index), (MESSAGES, index, part, 0), kind, carries, carries))


def _late_system_blocks(prompt: Prompt, rules: BlockRules, index: int) -> Sequence[Block]:
    """A system message behind the conversation's beginning: volatile by its nature, so no policy marks it.

    A client's marker on it takes effect; a provider that gets `clear_at` refuses one there
    (platform.claude.com, "Mid-conversation system messages").
    """
    message = prompt.messages[index]
    refused = rules.clears_turns and message.get("clear_at") is not None
    kinds = _NONE if refused else rules.system
    at = prompt.content_at(index)
    content = message.get("content")
    # In Anthropic's shape, litellm drops a blank text from a list.
    turn = "later" if prompt.shape != "messages" or isinstance(content, str) else ""
    blocks = _content_blocks(prompt, rules, content, at, (MESSAGES, index), kinds, turn)
    return Mapped(blocks, _unmarkable)


def _assistant_blocks(prompt: Prompt, rules: BlockRules, index: int) -> Sequence[Block]:
    message = prompt.messages[index]
    content, calls = message.get("content"), message.get("tool_calls")
    orphaned = rules.needs_tools and not prompt.tools
    at = prompt.content_at(index)
    thinking = [
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
        blocks = _calling_blocks(prompt, content, calls, index, rules)
        if orphaned:
            blocks = Mapped(blocks, _as_text)
    else:
        kinds = rules.assistant - _TOOL_KINDS if orphaned else rules.assistant
        blocks = _content_blocks(prompt, rules, content, at, (MESSAGES, index), kinds, "assistant")
        if orphaned and any(block.kind in _TOOL_KINDS for block in blocks):
            blocks = Mapped(blocks, _as_text)
    if thinking:
        blocks = [*thinking, *blocks]
    return (
        _in_turn(prompt, rules, index, blocks) if rules.sorts_assistant or rules.joins_assistant else blocks
    )


def _in_turn(prompt: Prompt, rules: BlockRules, index: int, blocks: Sequence[Block]) -> Sequence[Block]:
    """The blocks of an assistant's turn that litellm rearranges.

    Where it sorts texts before calls, and their markers behind all texts, only the last text of a turn keeps
    its marker in place, and none where turns are merged. Where it joins several texts unless one is marked, a
    marker would change what is sent.
    """
    if len(blocks) == 1 and not blocks[0].markable:
        return blocks
    texts = (b.order[3] for b in reversed(blocks) if b.order[2] == CONTENT and b.kind not in APART)
    last = next(texts, -1)
    joined = rules.joins_assistant and next(texts, None) is not None

    def placed(block: Block) -> Block:
        if not block.markable or block.order[2] != CONTENT:
            return block
        moves = rules.sorts_assistant and block.order[3] != last
        if block.kind not in APART and (joined or moves):
            return _unmarkable(block)
        return _unmarkable(block) if rules.sorts_assistant and prompt.meets_assistant(index) else block

    return Mapped(blocks, placed)


def _unmarkable(block: Block) -> Block:
    return _new(Block, (block.location, block.order, block.kind, False, block.effective))


def _as_text(block: Block) -> Block:
    """A block of a turn with calls that litellm writes as one text, since there are no tools."""
    kind = "tool_use" if block.kind == "repeated" else block.kind
    return _new(Block, (block.location, block.order, kind, False, False))


def _as_result(block: Block) -> Block:
    return block._replace(kind="tool_result")


def _calling_blocks(
    prompt: Prompt, content: object, calls: list[object] | tuple[object, ...], index: int, rules: BlockRules
) -> Sequence[Block]:
    """An assistant message that calls tools. Server tools make litellm reorder it, so no policy marks it."""
    read = [fields_of(call) or {} for call in calls]
    server = any(str(call.get("id", "")).startswith("srvtoolu_") for call in read)
    kinds = _NONE if rules.calls_break_text else rules.assistant
    at = prompt.content_at(index)
    blocks: list[Block] = []
    if content or (content == "" and rules.blank >= {"calling", "empty"}):
        blocks += _content_blocks(prompt, rules, content, at, (MESSAGES, index), kinds, "calling")
    # Of the calls with one id, litellm sends the first.
    ids: set[str] = set()
    for number, call in enumerate(read):
        name = call.get("id")
        repeated = isinstance(name, str) and name in ids
        if isinstance(name, str):
            ids.add(name)
        carries = rules.tool_calls and call.get("type") == "function" and not repeated
        kind = "repeated" if repeated else "tool_use"
        location: Location = ("messages", index, "tool_calls", number)
        blocks.append(_new(Block, (location, (MESSAGES, index, CALLS, number), kind, carries, carries)))
    return Mapped(blocks, _unmarkable) if server else blocks


def _content_blocks(
    prompt: Prompt,
    rules: BlockRules,
    content: object,
    location: Location,
    place: tuple[int, int],
    kinds: frozenset[str],
    turn: str,
) -> Sequence[Block]:
    section, element = place
    if isinstance(content, str):
        order = (section, element, CONTENT, 0)
        if "text" in kinds and _carries(content):
            return [_new(Block, (location, order, "text", True, True))]
        effective = False
        if "text" in kinds:
            if turn == "later" and prompt.shape == "messages":
                effective = "later" in rules.blank
            elif turn == "user" and "content" in rules.blank and content.isspace():
                effective = True
            else:
                effective = _is_replaced(content, rules, turn)
        kind = "text" if content or prompt.shape == "messages" else "empty"
        return [_new(Block, (location, order, kind, False, effective))]
    if not isinstance(content, (list, tuple)):
        return ()
    if turn == "assistant" and "empty" in rules.blank and any(map(_stands_alone, content)):
        turn = "calling"
    if turn == "assistant" and rules.calls_break_text and any(map(_is_call, content)):
        kinds = _NONE

    def block(number: int) -> Block:
        part = content[number]
        fields = part if isinstance(part, dict) else fields_of(part)
        written = None if fields is None else fields.get("type")
        kind = written if isinstance(written, str) else ""
        if prompt.area == "input":
            kind = _PARTS.get(kind, kind)
        carries = effective = kind in kinds and _markable(prompt, kind, fields or {})
        if not carries and fields is not None:
            effective = _takes_clients(kind, fields, rules, turn, kinds)
            effective = effective and not (kind in _TOOL_KINDS and rules.needs_tools and not prompt.tools)
            if turn == "tool" and prompt.tools and kind in rules.texts_beside_tools:
                effective = True
        if kind == "tool_result" and _loses_its_own(fields or {}, rules):
            carries = effective = False
        there = (section, element, CONTENT, number)
        return _new(Block, ((*location, number), there, kind, carries, effective))

    return Mapped(range(len(content)), block)


_PARTS = {"input_text": "text", "output_text": "text", "input_image": "image_url", "input_file": "file"}
"""The parts of the Responses API, by the names that they have in OpenAI's other shape."""


def _loses_its_own(result: Mapping[str, object], rules: BlockRules) -> bool:
    """Whether litellm loses the marker of a result because of what the result says."""
    if rules.result_ends and _ends_empty(result, rules.result_ends):
        return True
    content = result.get("content")
    if rules.listed_results or isinstance(content, str):
        return False
    kinds = [(fields_of(part) or {}).get("type") for part in elements_of(content)]
    return [kind for kind in kinds if kind in rules.result_ends] != ["text"]


def _ends_empty(result: Mapping[str, object], ends: frozenset[str]) -> bool:
    """Whether a result says nothing at its end, where litellm puts its marker; other parts are left out."""
    content = result.get("content")
    if not isinstance(content, (list, tuple)):
        return not content
    parts = (fields_of(part) or {} for part in reversed(content))
    last = next((part for part in parts if part.get("type") in ends), {})
    return last.get("type") not in ("text", "image") or last.get("text") == ""


def _takes_clients(
    kind: str, block: Mapping[str, object], rules: BlockRules, turn: str, kinds: frozenset[str]
) -> bool:
    """Whether a client's marker takes effect on a block that no policy may mark."""
    if kind != "text":
        source = fields_of(block.get("source")) or {}
        return kind in rules.kept or f"{kind}:{source.get('type')}" in rules.kept
    text = block.get("text")
    if not isinstance(text, str):
        return False
    return ("text" in rules.kept and _carries(text)) or ("text" in kinds and _is_replaced(text, rules, turn))


def _is_call(part: object) -> bool:
    return (fields_of(part) or {}).get("type") == "tool_use"


def _stands_alone(part: object) -> bool:
    """Whether an assistant's turn is more than its texts, so that litellm drops those that are blank."""
    block = fields_of(part) or {}
    kind = block.get("type")
    if kind in ("thinking", "redacted_thinking"):
        return bool(block.get("signature" if kind == "thinking" else "data"))
    return kind == "server_tool_use" or (isinstance(kind, str) and kind.endswith("_tool_result"))


_SPOKEN = frozenset({"user", "assistant", "calling"})


def _is_replaced(text: str, rules: BlockRules, turn: str) -> bool:
    """Whether a blank text carries a marker: litellm sends it, or words in its place."""
    if text == "":
        return turn in _SPOKEN & rules.blank and "empty" in rules.blank
    return text.isspace() and turn in rules.blank


def _markable(prompt: Prompt, kind: str, block: Mapping[str, object]) -> bool:
    if kind == "text":
        text = block.get("text")
        return isinstance(text, str) and _carries(text)
    # A call that code execution made refuses a marker, and so does its result, which is not in the context.
    # No policy marks the code execution that waits for it, either.
    if kind in {"tool_result", "server_tool_use"}:
        call = block.get("tool_use_id" if kind == "tool_result" else "id")
        return not prompt.is_programmatic(call)
    return not made_by_code(block)


def _carries(text: str) -> bool:
    """Blank text is refused or replaced; litellm drops the billing header on most routes."""
    return text != "" and not text.isspace() and not text.startswith("x-anthropic-billing-header:")
