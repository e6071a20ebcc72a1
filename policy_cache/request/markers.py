"""The markers that a request already carries, wherever a client may have put one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from policy_cache.request.blocks import MESSAGES, REQUEST, SYSTEM, TOOLS, Order
from policy_cache.request.location import Location, fields_of
from policy_cache.request.prompt import TOOL_ROLES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from policy_cache.request.blocks import BlockRules
    from policy_cache.request.prompt import Prompt

KEY = "cache_control"
"""The marker that clients and litellm know; a route's dialect may have another."""

MARKER_KEYS = (KEY, "prompt_cache_breakpoint")


def unmarked(value: object) -> object:
    """A value without markers, in JSON's types where it is an object's."""
    fields = fields_of(value)
    if fields is not None:
        return {name: unmarked(item) for name, item in fields.items() if name not in MARKER_KEYS}
    return [unmarked(item) for item in value] if isinstance(value, (list, tuple)) else value


class ClientMarker(NamedTuple):
    """A marker that was there before the policy acted.

    Attributes:
        holder: The location of what carries it.
        block: The block on which it takes effect, or None where litellm loses it.
        order: That block's place in the prefix.
        ttl: Its TTL; a bare marker counts as `5m`.
        key: The member that it is.
    """

    holder: Location
    block: Location | None
    order: Order
    ttl: str
    key: str = KEY


def client_markers(
    prompt: Prompt, key: str = KEY, rules: BlockRules | None = None, *, run: bool = False
) -> Sequence[ClientMarker]:
    """Find every marker: on tools, blocks, messages, tool calls, nested results and the request.

    A JSON-schema property that is called `cache_control` is none.

    Args:
        prompt: Where to look.
        key: The marker that takes effect. Where that is not `cache_control`, those are found too, as lost.
        rules: What keeps a marker on the route; without them, all that a Claude route keeps.
        run: Whether only markers on messages act, as a run.
    """
    if key != KEY:
        others = [one._replace(block=None) for one in client_markers(prompt)]
        return [*_Search(prompt, key, rules, run=run).run(), *others]
    return _Search(prompt, KEY, rules, run=run).run() if may_hold_markers(prompt) else ()


def may_hold_markers(prompt: Prompt) -> bool:
    """Whether a closer look is due; runs on every request, and on every tool and call of it."""
    request = prompt.request
    if KEY in request or "extra_body" in request or isinstance(request.get("system"), (list, tuple)):
        return True
    tools: Sequence[Any] = prompt.tools
    try:
        if prompt.shape == "chat":
            marked = [tool for tool in tools if KEY in tool or KEY in tool["function"]]
        else:
            marked = [tool for tool in tools if KEY in tool]
        if prompt.calling:
            marked += [
                call
                for calls in prompt.calling
                for call in calls or ()
                if KEY in call or type(call) is not dict
            ]
        return bool(marked) or any(map(_may_hold_any, prompt.rich))
    except (AttributeError, KeyError, TypeError):
        return True


def _may_hold_any(message: Mapping[str, Any]) -> bool:
    """Whether a message, a content block or a block in a result may have a marker."""
    if KEY in message:
        return True
    content = message.get("content")
    if type(content) is not list:
        # A tuple, or a list of a caller's own kind, is looked at more closely.
        return content is not None and not isinstance(content, str)
    for part in content:
        if type(part) is not dict or KEY in part:
            return True
        if type(nested := part.get("content")) is list:
            for item in nested:
                if type(item) is not dict or KEY in item:
                    return True
    return False


class _Search:
    """One look through a request for one kind of marker."""

    def __init__(self, prompt: Prompt, key: str, rules: BlockRules | None, *, run: bool) -> None:
        self._prompt = prompt
        self._key = key
        self._tools = not run and (rules is None or rules.tools)
        self._calls = not run and (rules is None or rules.tool_calls)
        self._request = not run
        self._message_level = rules is None or rules.message_level
        self._results = not run and (rules is None or bool(rules.tool_messages))
        self._in_results = rules is not None and bool(rules.tool_content)
        self._found: list[ClientMarker] = []

    def run(self) -> list[ClientMarker]:
        prompt = self._prompt
        request = prompt.request
        order = (REQUEST, 0, 0, 0)
        whole = () if self._request else None
        self._add(request, (), whole, order)
        extra = request.get("extra_body")
        if isinstance(extra, dict):
            self._add(extra, ("extra_body",), whole, order)
        for index, tool in enumerate(prompt.tools):
            fields = fields_of(tool) or {}
            holder: Location = ("tools", index)
            block = holder if self._tools else None
            order = (TOOLS, index, 0, 0)
            self._add(fields, holder, block, order)
            self._add(fields_of(fields.get("function")) or {}, (*holder, "function"), block, order)
        system = request.get("system")
        if isinstance(system, (list, tuple)):
            self._add_content(system, ("system",), (SYSTEM, 0), effective=prompt.leading == 0)
        for index in range(len(prompt.messages)):
            self._add_message(index)
        return self._found

    def _add(
        self, carrier: Mapping[str, object], holder: Location, block: Location | None, order: Order
    ) -> None:
        marker = carrier.get(self._key)
        if marker is not None:
            ttl = marker.get("ttl") if isinstance(marker, dict) else None
            said = ttl if isinstance(ttl, str) else "5m"
            self._found.append(ClientMarker(holder, block, order, said, self._key))

    def _add_message(self, index: int) -> None:
        message = self._prompt.messages[index]
        holder: Location = ("messages", index)
        section = SYSTEM if index < self._prompt.leading else MESSAGES
        content = message.get("content")
        result = message.get("role") in TOOL_ROLES
        # litellm keeps a message's own marker for a tool result and for a text, and loses it on a list.
        block: Location | None = None
        if result:
            block = holder if self._results else None
        elif isinstance(content, str) and self._message_level:
            block = (*holder, "content")
        self._add(message, holder, block, (section, index, 0, 0))
        if isinstance(content, (list, tuple)):
            within = holder if result and not self._in_results else None
            kept = within is None or self._results
            self._add_content(content, (*holder, "content"), (section, index), within=within, effective=kept)
        calls = message.get("tool_calls")
        if isinstance(calls, (list, tuple)):
            for number, call in enumerate(calls):
                location = (*holder, "tool_calls", number)
                block = location if self._calls else None
                self._add(fields_of(call) or {}, location, block, (MESSAGES, index, 1, number))

    def _add_content(
        self,
        content: Sequence[object],
        location: Location,
        place: tuple[int, int],
        *,
        within: Location | None = None,
        effective: bool = True,
    ) -> None:
        """Markers on content blocks, and on the blocks inside a result, which take effect on the result."""
        section, element = place
        for number, part in enumerate(content):
            fields = fields_of(part)
            if fields is None:
                continue
            holder = (*location, number)
            order = (section, element, 0, number if within is None else 0)
            self._add(fields, holder, (within or holder) if effective else None, order)
            nested = fields.get("content")
            if isinstance(nested, (list, tuple)):
                for inner, item in enumerate(nested):
                    block = (within or holder) if effective else None
                    self._add(fields_of(item) or {}, (*holder, "content", inner), block, order)
