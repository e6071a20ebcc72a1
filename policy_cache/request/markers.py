"""The markers that a request already carries, wherever a client may have put one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from policy_cache.request.blocks import (
    APART,
    CALLS,
    CONTENT,
    MESSAGES,
    REQUEST,
    SYSTEM,
    THINKING,
    TOOLS,
    message_blocks,
    system_blocks,
    tool_block,
)
from policy_cache.request.location import Location, elements_of, fields_of, value_at
from policy_cache.request.prefix import last_effective
from policy_cache.request.prompt import TOOL_ROLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from policy_cache.request.blocks import Block, BlockRules, Order
    from policy_cache.request.prompt import Prompt

KEY = "cache_control"
"""The marker that clients and litellm know; a route's dialect may have another."""

FOREIGN = "prompt_cache_breakpoint"
"""OpenAI's, which litellm turns into `cache_control` for Claude, and the other way round."""

MARKER_KEYS = (KEY, FOREIGN)

ON_REQUEST: frozenset[Location] = frozenset({(), ("extra_body",)})
"""What holds a marker on the request itself."""

_TRANSLATED_ITEMS = frozenset({"message", "function_call_output"})

_DEEPEST = 9
"""The length of `$.messages[0].content[0].content[0].source.content[0]`."""


def unmarked(value: object) -> object:
    """A value without markers, in JSON's types where it is an object's."""
    fields = fields_of(value)
    if fields is not None:
        return {name: unmarked(item) for name, item in fields.items() if name not in MARKER_KEYS}
    return [unmarked(item) for item in value] if isinstance(value, (list, tuple)) else value


class Holder(NamedTuple):
    """A place with a marker: the request, a tool, a message, a block, or something inside one.

    Attributes:
        location: Where it is.
        fields: Its members.
        order: Its place in the prefix.
    """

    location: Location
    fields: Mapping[str, Any]
    order: Order


class ClientMarker(NamedTuple):
    """A marker that was there before the policy acted.

    Attributes:
        holder: The location of what carries it.
        block: The block on which it takes effect, the last for one on the request; None where it takes none.
        order: That block's place in the prefix.
        ttl: Its TTL; a bare marker counts as `5m`.
        key: The member that it is.
    """

    holder: Location
    block: Location | None
    order: Order
    ttl: str
    key: str = KEY


def holders(prompt: Prompt) -> Iterator[Holder]:
    """Every place with a marker: the request and its `extra_body` first, then in prefix order.

    A JSON-schema property that is called `cache_control` is none. Nobody reads OpenAI's marker on tools and
    calls of OpenAI's shape: OpenAI does not, and litellm leaves it out for others. Of a prompt that was
    rewritten from one without markers, only what is new can have one.
    """
    # Asked of nearly every request, and nearly always of places without one: so as few calls as can be.
    request = prompt.request
    order: Order = (REQUEST, 0, 0, 0)
    if _is_marked(request):
        yield Holder((), request, order)
    extra = request.get("extra_body")
    if isinstance(extra, dict) and _is_marked(extra):
        yield Holder(("extra_body",), extra, order)
    before = prompt.origin
    if before is not None and before.may_hold_markers is not False:
        before = None
    tools, messages = prompt.tools, prompt.messages
    for index in _changed(tools, None if before is None else before.tools):
        tool = tools[index]
        fields: Mapping[str, Any] = tool if type(tool) is dict else fields_of(tool) or {}
        if FOREIGN in fields and "function" in fields and prompt.shape == "chat":
            fields = {name: value for name, value in fields.items() if name != FOREIGN}
        if KEY in fields or FOREIGN in fields:
            yield Holder(("tools", index), fields, (TOOLS, index, 0, 0))
        function = fields.get("function")
        function = function if type(function) is dict else fields_of(function) or {}
        if KEY in function:
            yield Holder(("tools", index, "function"), function, (TOOLS, index, 0, 0))
    yield from _in_content(request.get("system"), ("system",), (SYSTEM, 0))
    for index in _changed(messages, None if before is None else before.messages):
        message = messages[index]
        section = SYSTEM if index < prompt.leading else MESSAGES
        if KEY in message or FOREIGN in message:
            yield Holder(prompt.at(index), message, (section, index, 0, 0))
        if "thinking_blocks" in message and prompt.area == "messages":
            yield from _in_part(message, "thinking_blocks", index, THINKING)
        content = message.get("content")
        if type(content) is not str:
            yield from _in_content(content, prompt.content_at(index), (section, index))
        if "tool_calls" in message and prompt.area == "messages":
            yield from _in_part(message, "tool_calls", index, CALLS)


def _changed(elements: Sequence[object], before: Sequence[object] | None) -> Iterable[int]:
    """Where there is another element than before."""
    if before is None or len(before) != len(elements):
        return range(len(elements))
    pairs = zip(elements, before, strict=True)
    return [index for index, (element, known) in enumerate(pairs) if element is not known]


def _is_marked(fields: Mapping[str, object]) -> bool:
    return KEY in fields or FOREIGN in fields


def _in_part(message: Mapping[str, object], name: str, index: int, part: int) -> Iterator[Holder]:
    """The elements of a part of a message beside its content."""
    for number, element in enumerate(elements_of(message[name])):
        fields = element if type(element) is dict else fields_of(element) or {}
        if KEY in fields or (FOREIGN in fields and part != CALLS):
            yield Holder(("messages", index, name, number), fields, (MESSAGES, index, part, number))


def _in_content(content: object, location: Location, place: tuple[int, int]) -> Iterator[Holder]:
    """The blocks of a content, and those inside a tool result or a document, to any depth."""
    for number, part in enumerate(elements_of(content)):
        fields = fields_of(part)
        if fields is None:
            continue
        order = (*place, CONTENT, number)
        if _is_marked(fields):
            yield Holder((*location, number), fields, order)
        if "content" in fields or "source" in fields:
            yield from _inside((*location, number), fields, order)


def _inside(location: Location, fields: Mapping[str, Any], order: Order) -> Iterator[Holder]:
    around = [(location, fields)]
    while around:
        location, fields = around.pop()
        for path, item in nested(fields):
            inner = (*location, *path)
            if _is_marked(item):
                yield Holder(inner, item, order)
            # A document in a result is the deepest that there is; a request may refer to itself.
            if len(inner) < _DEEPEST:
                around.append((inner, item))


def nested(block: Mapping[str, object]) -> Iterator[tuple[Location, Mapping[str, object]]]:
    """The blocks right inside a tool result or a document, each with its path from there."""
    source = fields_of(block.get("source"))
    contents: list[tuple[Location, object]] = [(("content",), block.get("content"))]
    if source is not None:
        contents.append((("source", "content"), source.get("content")))
    for path, content in contents:
        for number, part in enumerate(elements_of(content)):
            fields = fields_of(part)
            if fields is not None:
                yield (*path, number), fields


def client_markers(
    prompt: Prompt, key: str, rules: BlockRules, *, request: bool = False, run: bool = False
) -> list[ClientMarker]:
    """Every marker of a request, each with the block on which it takes effect on a route.

    Args:
        prompt: The request.
        key: The marker that the route takes; litellm turns another into it on some blocks.
        rules: Which blocks take one.
        request: Whether a marker on the request itself takes effect.
        run: Whether only markers on messages act, as a run.
    """
    if prompt.origin is None and not may_hold_markers(prompt):
        return []
    effect = _Effect(prompt, key, rules, request=request, run=run)
    markers: list[ClientMarker] = []
    for holder in holders(prompt):
        for name in MARKER_KEYS:
            marker = holder.fields.get(name)
            if marker is not None:
                block = effect.of(holder, name)
                order = holder.order if block is None else block[1]
                location = None if block is None else block[0]
                markers.append(ClientMarker(holder.location, location, order, ttl_of(marker), name))
    return markers


def ttl_of(marker: object) -> str:
    """The TTL of a marker; a bare one counts as `5m`."""
    ttl = marker.get("ttl") if isinstance(marker, dict) else None
    return ttl if isinstance(ttl, str) else "5m"


class _Effect:
    """Where a marker of one request takes effect; the blocks are walked only where there is a marker."""

    def __init__(self, prompt: Prompt, key: str, rules: BlockRules, *, request: bool, run: bool) -> None:
        self._prompt = prompt
        self._key = key
        self._rules = rules
        self._request = request
        self._run = run
        self._known: dict[Location, dict[Location, Block]] = {}
        self._ends: dict[int, Block] = {}

    def of(self, holder: Holder, name: str) -> tuple[Location, Order] | None:
        """The block, and its place in the prefix; None where the marker takes no effect."""
        location, rules = holder.location, self._rules
        if location in ON_REQUEST:
            reaches = self._request and name == self._key and (location == () or rules.extra_body)
            last = last_effective(self._prompt, rules) if reaches else None
            return last and (last.location, last.order)
        if self._run and location[0] != self._prompt.area:
            return None
        if name != self._key and holder.fields.get(self._key) is not None:
            return None  # its own goes before a translated one
        block = self._block(holder, name)
        if block is None or not block.effective:
            return None
        if name != self._key and not self._is_translated(holder):
            return None
        if location[-1] == "function" and not rules.function_level:
            return None
        block = self._where_it_ends(block)
        return block.location, block.order

    def _block(self, holder: Holder, name: str) -> Block | None:
        """The block that a place belongs to: the place itself, what is around it, or a message's text."""
        location = holder.location
        blocks = self._blocks(location)
        for length in range(len(location), 1 if location[0] != "system" else 0, -1):
            block = blocks.get(location[:length])
            if block is not None:
                return block if self._counts_inside(location, length) else None
        return None if len(location) > 2 else self._of_message(holder, blocks, name)

    def _counts_inside(self, location: Location, block: int) -> bool:
        """Whether a marker inside a block counts on it; `block` is the length of the block's location."""
        if len(location) == block or location[-1] == "function":
            return True
        rules = self._rules
        if rules.nested and block != 2:
            return True
        # A part of a tool message, or of a result whose other parts lose theirs.
        part = fields_of(value_at(self._prompt.request, location)) or {}
        kinds = rules.result_parts if rules.nested else rules.nested_parts
        return len(location) == block + 2 and part.get("type") in kinds

    def _of_message(self, holder: Holder, blocks: Mapping[Location, Block], name: str) -> Block | None:
        """What a message's own marker is about: its text, or a list's last block where litellm moves it."""
        rules = self._rules
        if holder.fields.get("role") == "developer" and self._prompt.area == "messages":
            return None  # litellm makes a system message of it, without what else it has
        translates = name != self._key and rules.translates_messages
        if isinstance(holder.fields.get("content"), str):
            content_at = self._prompt.content_at(int(holder.location[1]))
            return blocks.get(content_at) if rules.message_level or translates else None
        if translates:
            return next(
                (b for b in reversed(tuple(blocks.values())) if self._type(b) in rules.translated), None
            )
        if not rules.list_level or (self._prompt.area == "input" and holder.fields.get("role") in TOOL_ROLES):
            return None
        content = [block for block in blocks.values() if block.order[2] == CONTENT]
        if self._run:  # the whole message counts, whatever ends it
            content = [block for block in content if block.effective]
        return content[-1] if content else None

    def _type(self, block: Block) -> object:
        """The type that a block has in the request: of a tool message, its part's."""
        return (fields_of(value_at(self._prompt.request, block.location)) or {}).get("type")

    def _is_translated(self, holder: Holder) -> bool:
        """Whether litellm turns a marker of the other dialect into the route's."""
        rules, location, prompt = self._rules, holder.location, self._prompt
        if prompt.tools and not rules.translates_beside_tools:
            return False
        if location[0] == "system":
            return rules.translates_system and holder.fields.get("type") in rules.translated
        if location[0] != prompt.area or self._message(location).get("role") == "assistant":
            return False
        if prompt.area == "input" and self._message(location).get("type", "message") not in _TRANSLATED_ITEMS:
            return False
        if len(location) == 2:
            return rules.translates_messages
        kinds = rules.translated if len(location) == 4 or not rules.translated else rules.nested_parts
        return holder.fields.get("type") in kinds

    def _where_it_ends(self, block: Block) -> Block:
        """The block behind which a marker stands: litellm sorts it behind the last text of merged turns."""
        if not self._rules.sorts_assistant or block.order[2] != CONTENT or block.kind in APART:
            return block
        section, index = block.order[:2]
        if section != MESSAGES or self._prompt.messages[index].get("role") != "assistant":
            return block
        end = self._prompt.merged_end(index)
        if end not in self._ends:
            turns = (self._last_text(turn) for turn in range(end, index - 1, -1))
            self._ends[end] = next(filter(None, turns), block)
        return self._ends[end]

    def _last_text(self, index: int) -> Block | None:
        """The last of what becomes a text of an assistant's turn: without tools, its calls do, too."""
        prompt = self._prompt
        if prompt.messages[index].get("role") != "assistant":
            return None
        blocks = [*self._blocks(prompt.at(index)).values()]
        orphaned = self._rules.needs_tools and not prompt.tools
        if orphaned and any(block.kind == "tool_use" for block in blocks):
            return next(block for block in reversed(blocks) if block.kind not in APART[1:])
        texts = (block for block in reversed(blocks) if block.effective and block.order[2] == CONTENT)
        return next((block for block in texts if block.kind not in APART), None)

    def _message(self, location: Location) -> Mapping[str, object]:
        return self._prompt.messages[int(location[1])]

    def _blocks(self, location: Location) -> Mapping[Location, Block]:
        """The blocks of the tool, the message or the `system` that a location is in."""
        prompt, rules = self._prompt, self._rules
        element = location[:1] if location[0] == prompt.system_name else location[:2]
        known = self._known.get(element)
        if known is None:
            if element == (prompt.system_name,):
                blocks = system_blocks(prompt, rules)
            elif element[0] == "tools":
                blocks = [tool_block(prompt, rules, int(element[1]))]
            else:
                blocks = message_blocks(prompt, rules, int(element[1]))
            known = self._known[element] = {block.location: block for block in blocks}
        return known


def may_hold_markers(prompt: Prompt) -> bool:
    """Whether there may be any marker; looks once at every tool, message, call and block of a request."""
    if prompt.may_hold_markers is None:
        prompt.may_hold_markers = _may_hold_markers(prompt)
    return prompt.may_hold_markers


def _may_hold_markers(prompt: Prompt) -> bool:
    request = prompt.request
    if (
        KEY in request
        or FOREIGN in request
        or "extra_body" in request
        or isinstance(request.get("system"), (list, tuple))
    ):
        return True
    tools: Sequence[Any] = prompt.tools
    try:
        if prompt.shape == "chat":
            marked = [tool for tool in tools if KEY in tool or KEY in tool["function"]]
        else:
            marked = [tool for tool in tools if KEY in tool or FOREIGN in tool]
        messages: Sequence[Any] = prompt.messages
        marked += [
            call
            for message in messages
            if "tool_calls" in message
            for call in message["tool_calls"] or ()
            if KEY in call or type(call) is not dict
        ]
        return bool(marked or any(map(_may_hold_any, prompt.rich)))
    except (AttributeError, KeyError, TypeError):
        return True


_NESTING = frozenset({"content", "source"})
_SEARCHED = _NESTING | {KEY, FOREIGN}


def _may_hold_any(message: Mapping[str, Any]) -> bool:
    """Whether a message, its thinking, a content block or a block in a result may have a marker."""
    if KEY in message or FOREIGN in message:
        return True
    for block in message.get("thinking_blocks") or ():
        if type(block) is not dict or KEY in block or FOREIGN in block:
            return True
    content = message.get("content")
    if type(content) is not list:
        # A tuple, or a list of a caller's own kind, is looked at more closely.
        return content is not None and not isinstance(content, str)
    for part in content:
        if type(part) is not dict:
            return True
        if _SEARCHED.isdisjoint(part):
            continue
        if KEY in part or FOREIGN in part:
            return True
        if type(nested := part.get("content")) is list:
            for item in nested:
                # What stands deeper is looked at more closely.
                if type(item) is not dict or KEY in item or FOREIGN in item or _NESTING & item.keys():
                    return True
        if type(source := part.get("source")) is dict and "content" in source:
            return True
    return False
