"""A request read as a prompt: its shape, its tools, its system prompt, its messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from policy_cache.errors import RequestError
from policy_cache.request.location import elements_of, fields_of, kind_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from policy_cache.request.location import Location
    from policy_cache.request.session import Samples

Shape: TypeAlias = Literal["chat", "messages", "responses"]

AREAS: dict[Shape, str] = {"chat": "messages", "messages": "messages", "responses": "input"}
"""The member of a request that holds its messages."""

PROMPT_MEMBERS = ("tools", "system", "instructions", "messages", "input")
"""The members of a request that are its prompt, in any shape."""

# Tuples, since a wrong-typed role may not be hashable.
SYSTEM_ROLES = ("system", "developer")
TOOL_ROLES = ("tool", "function")

_PLAIN = {dict}
_new = object.__new__


class Prompt:
    """A view of one request; it copies nothing and changes nothing.

    Attributes:
        request: The request itself.
        shape: `chat` (OpenAI), `messages` (Anthropic) or `responses` (OpenAI's Responses API).
        area: The member that holds its messages: `messages` or `input`.
        tools: Its tools, or an empty list.
        messages: Its messages, each as a mapping, whatever the caller made them of. An item of `input` is
            a message of whose turn it is in, and the output of a tool is what that says.
        rich: Those messages that are more than a text and calls, or that are marked.
        leading: How many messages open it as the system prompt.
        may_hold_markers: What `markers.may_hold_markers` said of it, once it was asked.
        samples: What `session.samples` took of it, once it was asked.
        origin: The prompt that this one was rewritten from; what both have as one object was there before.
    """

    __slots__ = (
        "_calling",
        "_known_turns",
        "_programmatic",
        "area",
        "leading",
        "may_hold_markers",
        "messages",
        "origin",
        "request",
        "rich",
        "samples",
        "shape",
        "tools",
    )

    def __init__(self, request: Mapping[str, object], shape: Shape) -> None:
        """Read a request.

        Raises:
            RequestError: `messages` is not a list of messages, or `input` no text and no list of items.
        """
        self.request = request
        self.shape = shape
        self.area = AREAS[shape]
        self.may_hold_markers: bool | None = None
        self.samples: tuple[Samples, Samples, Samples] | None = None
        self.origin: Prompt | None = None
        self._known_turns: list[tuple[bool, int, bool]] | None = None
        self._programmatic: frozenset[str] | None = None
        self._calling: frozenset[int] | None = None
        messages: Any
        if shape == "responses":
            messages = _items(request.get("input"))
        else:
            messages = request.get("messages")
            if not isinstance(messages, (list, tuple)):
                raise RequestError(("messages",), found=kind_of(messages), expected="a list of messages")
        # The one loop over every message of every request.
        try:
            rich: Sequence[Any] = [
                message
                for message in messages
                if type(message) is not dict
                or type(message["content"]) is not str
                or "cache_control" in message
                or "prompt_cache_breakpoint" in message
                or "thinking_blocks" in message
            ]
        except (KeyError, TypeError):
            rich = messages
        if rich and set(map(type, rich)) != _PLAIN:
            messages = rich = _read(messages)
        self.messages: Sequence[Mapping[str, object]] = messages
        self.rich: Sequence[Mapping[str, object]] = rich
        tools = request.get("tools")
        self.tools: Sequence[object] = elements_of(tools)
        leading = 0
        if shape != "messages":
            for message in messages:
                if message.get("role") not in SYSTEM_ROLES:
                    break
                leading += 1
            if (
                leading
                and shape == "chat"
                and request.get("system")
                and all(map(_is_silent, messages[:leading]))
            ):
                leading = 0  # litellm drops them, and sends the top-level `system`
        self.leading = leading

    def rewritten(self, request: Mapping[str, object]) -> Prompt:
        """The prompt of the request that was made of this one.

        Raises:
            RequestError: `messages` is not a list of messages, or `input` no text and no list of items.
        """
        if request is self.request:
            return self
        prompt = Prompt(request, self.shape)
        prompt.origin = self
        return prompt

    def elsewhere(self, request: Mapping[str, object]) -> Prompt:
        """The same prompt in a request that differs in where it goes alone, and so in nothing read here."""
        prompt = _new(Prompt)
        for name in Prompt.__slots__:
            setattr(prompt, name, getattr(self, name))
        prompt.request = request
        return prompt

    def meets_assistant(self, index: int) -> bool:
        """Whether a neighbour is an assistant's turn; what does not part turns is passed over."""
        before, _, after = self._turns[index]
        return before or after

    def merged_end(self, index: int) -> int:
        """The last of the assistant's turns that litellm merges with one."""
        return self._turns[index][1]

    @property
    def _turns(self) -> list[tuple[bool, int, bool]]:
        """For each message: whether an assistant's turn is right before it, the last turn that it is merged
        with, and whether one is right after it.
        """
        if self._known_turns is None:
            before: list[bool] = []
            follows = False
            for message in self.messages:
                before.append(follows)
                if _parts_turns(message, self.shape):
                    follows = message.get("role") == "assistant"
            after: list[tuple[int, bool]] = []
            nearest: int | None = None
            for index in range(len(self.messages) - 1, -1, -1):
                after.append((index if nearest is None else nearest, nearest is not None))
                if _parts_turns(self.messages[index], self.shape):
                    turn = index if nearest is None else nearest
                    nearest = turn if self.messages[index].get("role") == "assistant" else None
            self._known_turns = [(b, *a) for b, a in zip(before, reversed(after), strict=True)]
        return self._known_turns

    @property
    def calling(self) -> frozenset[int]:
        """The items of which litellm makes one message with a call that is right behind them or before."""
        if self._calling is None:
            calling: list[int] = []
            called, waiting = False, -1
            for number, message in enumerate(self.messages):
                kind = message.get("type", "message")
                if message.get("role") != "assistant" or (kind == "reasoning" and _is_told(message)):
                    called, waiting = False, -1
                elif kind in ("function_call", "custom_tool_call"):
                    calling.append(waiting)
                    called, waiting = True, -1
                elif kind == "message" and called:
                    calling.append(number)
                elif kind == "message":
                    waiting = number
            self._calling = frozenset(calling)
        return self._calling

    @property
    def programmatic(self) -> frozenset[str]:
        """The ids of tool calls that code execution made, and of those that wait for such ones."""
        if self._programmatic is None:
            calls = [
                fields
                for message in self.rich
                if message.get("role") == "assistant"
                for part in elements_of(message.get("content"))
                if (fields := fields_of(part)) and made_by_code(fields)
            ]
            ids = [name for call in calls for name in (call.get("id"), _caller_of(call).get("tool_id"))]
            self._programmatic = frozenset(name for name in ids if isinstance(name, str))
        return self._programmatic

    def is_programmatic(self, call: object) -> bool:
        """Whether code execution made the tool call of this id, or is the call that waits for such a one."""
        return isinstance(call, str) and call in self.programmatic

    @property
    def system_name(self) -> str:
        """The member that holds a system prompt beside the messages: `system` or `instructions`."""
        return "system" if self.area == "messages" else "instructions"

    @property
    def system(self) -> object:
        """The system prompt beside the messages, or None where messages take its place."""
        if self.area == "input":
            return self.request.get("instructions")
        return None if self.leading else self.request.get("system")

    def at(self, index: int) -> Location:
        """Where a message is; of a text as `input`, that text."""
        area = self.area
        return ("input",) if area == "input" and isinstance(self.request["input"], str) else (area, index)

    def content_at(self, index: int) -> Location:
        """Where that is which a message says."""
        at = self.at(index)
        if len(at) == 1:
            return at
        puts_out = self.area == "input" and "output" in self.messages[index] and not self._has_role(index)
        return (*at, "output" if puts_out else "content")

    def _has_role(self, index: int) -> bool:
        """Whether an item says by itself whose it is, so that it is read as a message."""
        given: Any = self.request["input"]
        return "role" in (fields_of(given[index]) or {})


def made_by_code(block: Mapping[str, object]) -> bool:
    """Whether a block is a tool call that code execution made, which refuses a marker."""
    caller = _caller_of(block)
    return bool(caller) and caller.get("type") != "direct"


def _caller_of(block: Mapping[str, object]) -> Mapping[str, object]:
    return fields_of(block.get("caller")) or {}


def _parts_turns(message: Mapping[str, object], shape: Shape) -> bool:
    """Whether a message stands in litellm's way where it merges an assistant's turns.

    One that says nothing does not, but what says nothing depends on role and shape: in OpenAI's, an empty
    user's turn parts two of an assistant although nothing is sent of it.
    """
    content, role = message.get("content"), message.get("role")
    if role == "assistant":
        blank = not content or (isinstance(content, str) and content.isspace())
        return not blank or bool(message.get("tool_calls")) or "call_id" in message
    if shape != "messages":
        return not (role in SYSTEM_ROLES and _is_silent(message))
    texts = _texts(content)
    if texts:
        return not all(isinstance(text, str) and (not text or text.isspace()) for text in texts)
    return role != "user" or bool(content)


def _is_silent(message: Mapping[str, object]) -> bool:
    content = message.get("content")
    texts = _texts(content)
    return all(text == "" for text in texts) if texts else not content


def _is_told(reasoning: Mapping[str, object]) -> bool:
    """Whether reasoning has words, so that litellm makes a message of it."""
    return any(map(any, (_texts(reasoning.get("summary")), _texts(reasoning.get("content")))))


def _texts(content: object) -> list[object]:
    """The text of each part of a list."""
    return [(fields_of(part) or {}).get("text") for part in elements_of(content)]


def _items(given: object) -> Sequence[Mapping[str, object]]:
    """What `input` holds, as messages."""
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    if not isinstance(given, (list, tuple)):
        raise RequestError(("input",), found=kind_of(given), expected="a text or a list of items")
    return [_as_message(index, item) for index, item in enumerate(given)]


def _as_message(index: int, item: object) -> Mapping[str, object]:
    """An item as a message; the output of a tool is what that says."""
    fields = fields_of(item)
    if fields is None:
        raise RequestError(("input", index), found=kind_of(item), expected="an item")
    if "role" in fields:
        return fields
    role = role_of(fields)
    content = {"content": fields.get("output")} if role == "tool" else {}
    return {**fields, "role": role, **content}


def role_of(message: Mapping[str, object]) -> object:
    """Whose turn a message is in; an item without a role is what the model did, or what a tool put out."""
    role, kind = message.get("role"), message.get("type")
    if role is None and isinstance(kind, str):
        return "tool" if kind.endswith("_output") else "assistant"
    return role


def _read(messages: Sequence[object]) -> list[Mapping[str, object]]:
    read: list[Mapping[str, object]] = []
    for index, message in enumerate(messages):
        fields = fields_of(message)
        if fields is None:
            raise RequestError(("messages", index), found=kind_of(message), expected="a message")
        read.append(fields)
    return read


def detect_shape(request: Mapping[str, object]) -> Shape:
    """Tell a request's shape from where the two differ; `chat` where nothing does.

    An `input` says it at once, and so does a tool; then the roles that only `chat` has; then a top-level
    `system`.
    """
    if "input" in request and "messages" not in request:
        return "responses"
    tools = request.get("tools")
    if isinstance(tools, (list, tuple)) and tools:
        tool = tools[0] if type(tools[0]) is dict else fields_of(tools[0])
        if tool is not None:
            if "function" in tool:
                return "chat"
            if "input_schema" in tool:
                return "messages"
    messages = request.get("messages")
    if isinstance(messages, (list, tuple)) and messages:
        first, last = fields_of(messages[0]) or {}, fields_of(messages[-1]) or {}
        if first.get("role") in SYSTEM_ROLES or last.get("role") in TOOL_ROLES or last.get("tool_calls"):
            return "chat"
        content = last.get("content")
        if isinstance(content, (list, tuple)) and content:
            block = fields_of(content[-1]) or {}
            if block.get("type") in ("tool_result", "tool_use", "image"):
                return "messages"
    return "messages" if request.get("system") is not None else "chat"
