"""The parties that say where a request's breakpoints are, each by the tags of the blocks that end there."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from policy_cache.cache.reader import Readers
from policy_cache.cache.reading import marked, messages_prompt
from policy_cache.emulator.errors import ApiError
from policy_cache.emulator.markers import check_markers
from policy_cache.emulator.schema import check_shape
from policy_cache.integrations.litellm import WireError, wire
from policy_cache.providers.catalog import packaged_catalog
from policy_cache.request.location import fields_of
from policy_cache.request.markers import MARKER_KEYS
from policy_cache.request.prompt import Prompt
from tests.wire.proxy import sent_on
from tests.wire.tags import in_order, tags

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from policy_cache.engine.plan import Plan
    from policy_cache.integrations.litellm.wire import Wire
    from policy_cache.providers.resolve import Route
    from policy_cache.request.blocks import BlockRules
    from policy_cache.request.location import Location
    from policy_cache.request.prompt import Shape
    from tests.wire.routes import Case


class Breakpoint(NamedTuple):
    """A breakpoint, told the same way whoever says it.

    Attributes:
        place: The highest tag in the block that it ends; half a step behind the last tag before a block
            that has none, such as a blank text.
        ttl: Its TTL.
    """

    place: float
    ttl: str

    def __repr__(self) -> str:
        return f"{self.place:g}/{self.ttl}"


# Behind these stands litellm again, and a provider's API behind it.
_PROXIES = frozenset({"litellm-proxy-claude", "openai-compatible-claude"})
# The Responses API's own names.
_TYPES = {"input_text": "text", "output_text": "text", "input_image": "image_url", "input_file": "file"}
_NEVER = ("thinking", "redacted_thinking")
_CACHED = ("system_instruction", "tools", "tool_config")


# The parties.


def engine(plan: Plan, body: Body) -> list[Breakpoint]:
    """What the engine says takes effect."""
    effective = [point for point in plan.breakpoints if point.slot is not None]
    return _told(
        (
            # A run is of whole messages.
            (place(plan.request, point.block[:2] if plan.route.run else point.block, body.tags), point.ttl)
            for point in effective
            if point.block is not None
        ),
        plan.route,
    )


def simulator(plan: Plan, body: Body) -> list[Breakpoint]:
    """What the simulator replays."""
    sent, route = Prompt(plan.request, plan.route.shape), plan.route
    prompt = marked(Readers({}).of(sent, route), route.markers_of(sent), route)
    length = 2 if plan.route.run else None
    return _told(
        (
            (place(plan.request, prompt.blocks[index].location[:length], body.tags), ttl)
            for index, ttl in prompt.breakpoints.items()
        ),
        plan.route,
    )


def emulator(plan: Plan, body: Body) -> list[Breakpoint]:
    """What the emulator counts, which has accepted the body."""
    sent = body.anthropic
    prompt = messages_prompt(sent)
    return _told(
        (
            (place(sent, prompt.blocks[index].location, body.tags), ttl)
            for index, ttl in prompt.breakpoints.items()
        ),
        plan.route,
    )


def on_the_wire(plan: Plan, body: Body) -> list[Breakpoint]:
    """What is in the body that litellm sends, where the provider reads it."""
    return _told(body.breakpoints(plan.route), plan.route)


def _told(breakpoints: Iterable[tuple[float, str | None]], route: Route) -> list[Breakpoint]:
    """Breakpoints by place, with the TTLs that the route takes.

    Two markers on a block are one breakpoint, whose TTL is the block's own, said last; the markers of a
    run are one, at its end.
    """
    ttls = {at: ttl if ttl in route.ttls else "5m" for at, ttl in breakpoints}
    told = [Breakpoint(at, ttls[at]) for at in sorted(ttls)]
    return told[-1:] if route.run else told


# Places.


def place(request: object, at: Location, sent: frozenset[int]) -> float:
    """The place of a block of a request or of a body, by the tags that are sent."""

    def last(value: object, otherwise: float) -> float:
        return max((tag for tag in tags(value) if tag in sent), default=otherwise)

    value, before = request, -1.0
    for step in at:
        fields = fields_of(value)
        if fields is not None:
            if step not in fields:
                break
            for name in in_order(fields):
                if name == step:
                    break
                before = max(before, last(fields[name], before))
            value = fields[step]
        elif isinstance(value, (list, tuple)):
            items = [item for item in value if not is_cache_point(item)]
            for item in items[:step]:
                before = max(before, last(item, before))
            value = items[step]
        else:
            break  # a text that became a list of one block
    return last(value, before + 0.5)


def is_cache_point(item: object) -> bool:
    return isinstance(item, dict) and set(item) == {"cachePoint"}


class Body:
    """What litellm sends for a request."""

    def __init__(self, sent: Wire) -> None:
        self.sent = sent = _unwrapped(sent)
        self.url = sent.sent[-1].url.partition("?")[0]
        self.json: dict[str, Any] = sent.sent[-1].body
        self.tags = frozenset(tag for call in sent.sent for tag in tags(call.body))

    def place(self, at: Location) -> float:
        """The place of a block of it."""
        return place(self.json, at, self.tags)

    @property
    def kind(self) -> str:
        """The API that it is for."""
        if "/converse" in self.url:
            return "converse"
        if "contents" in self.json:
            return "gemini"
        if "input" in self.json:
            return "responses"
        if self.url.endswith(("/v1/messages", "/invoke", ":rawPredict")):
            return "anthropic"
        return "chat"

    @property
    def anthropic(self) -> dict[str, Any]:
        """A body of the Messages API, as the API itself takes it."""
        body = {"model": "claude-sonnet-4-5", **self.json}
        body["model"] = str(body["model"]).removeprefix("anthropic.")
        if "bedrock" in self.url:  # which takes no marker on the request
            body.pop("cache_control", None)
        return body

    @cached_property
    def refusal(self) -> str | None:
        """Why the provider refuses the body, as far as the emulator knows."""
        if not self.emulated:
            return None
        try:
            check_markers(check_shape(self.anthropic))
        except ApiError as error:
            return str(error.args[0] if error.args else error)
        return None

    def last(self, route: Route) -> float | None:
        """Where a marker of the whole request takes effect: the last block that may carry one, if any."""
        for index, message in reversed([*enumerate(self.json["messages"])]):
            content, at = message.get("content"), ("messages", index, "content")
            if message.get("clear_at") is not None and self.kind == "anthropic":
                continue
            if isinstance(content, str) and (content.strip() or (content and self.kind == "chat")):
                return self.place(at)
            for number in reversed(range(len(content) if isinstance(content, list) else 0)):
                block = (*at, number)
                if self._reads(block, route) if self.kind == "chat" else self._native_block(block):
                    return self.place(block)
        system = self.json.get("system") or ()
        blocks: list[Location] = [("system",)] if isinstance(system, str) else []
        blocks += [("system", n) for n in range(len(system)) if not blocks and system[n].get("text")]
        tools = self.json.get("tools", ())
        blocks += [("tools", n) for n in range(len(tools)) if not tools[n].get("defer_loading")]
        systems = [at for at in blocks if at[0] == "system"]
        return self.place((systems or blocks)[-1]) if blocks else None

    @property
    def native(self) -> bool:
        """Whether it is what Anthropic's API takes."""
        return self.kind == "anthropic" and "snowflake" not in self.url

    @property
    def emulated(self) -> bool:
        """Whether it is judged as Anthropic's API is known to."""
        others = any(host in self.url for host in ("databricks", "githubcopilot", "minimax", "mistralai"))
        return self.native and not others and "qwen" not in self.json.get("model", "")

    @property
    def conversation(self) -> object:
        """What Gemini is sent, its cached part first."""
        whole = dict(self.json)
        whole.pop("cachedContent", None)
        for sent in self.sent.sent[:-1]:
            if sent.method == "POST":
                whole["contents"] = [*sent.body["contents"], *whole["contents"]]
                whole |= {name: sent.body[name] for name in _CACHED if name in sent.body}
        return bare(whole)

    @cached_property
    def unmarked(self) -> object:
        """The body without its markers; a run's is the conversation."""
        return self.conversation if self.kind == "gemini" else bare(self.json)

    def breakpoints(self, route: Route) -> Iterator[tuple[float, str]]:
        """The places and TTLs of the markers that the provider reads."""
        if self.kind == "gemini":
            for marker in self.sent.markers:
                if marker.location[:1] == ("contents",):
                    cached = self.sent.sent[marker.call].body
                    # Without a TTL, Gemini keeps it for an hour.
                    yield max(tags(cached), default=0.5), "5m" if marker.ttl == "300s" else "1h"
            return
        for marker in self.sent.markers:
            at = self._block(marker.location, route)
            if at is not None:
                # A block may have both providers' markers.
                own = at_location(self.json, marker.location).get(route.key)
                ttl = own.get("ttl") if isinstance(own, dict) else marker.ttl
                where = self.last(route) if at == () else self.place(at)
                if where is not None:
                    yield where, ttl or "5m"

    def _block(self, at: Location, route: Route) -> Location | None:
        """The block on which a marker takes effect; None where it is not read, or is refused."""
        carrier = at_location(self.json, at)
        if self.kind == "converse":
            return self._converse_block(at, route)
        if isinstance(carrier, dict) and route.key not in carrier:
            return None
        if at == () and not route.request_marker:
            return None
        if self.native:
            return self._native_block(at)
        if at == ():
            return ()
        if at[0] == "tools":
            return self._tool(at, route)
        if at[0] == "system":
            return at if route.blocks.system_parameter and carrier.get("text") else None
        return at if len(at) == 4 and self._reads(at, route) else None

    def _converse_block(self, at: Location, route: Route) -> Location | None:
        if not at or at[0] == "additionalModelRequestFields":
            return None
        # Nova refuses one on a tool, and right after a call, a result or an image.
        if route.name == "bedrock-nova" and "text" not in at_location(self.json, at):
            return None
        return at

    def _tool(self, at: Location, route: Route) -> Location | None:
        tool = at_location(self.json, at[:2])
        deferred = tool.get("defer_loading") or (tool.get("function") or {}).get("defer_loading")
        read = route.blocks.tools and len(at) == 2 and tool.get("type") != "mcp"
        return at[:2] if read and not deferred else None

    def _reads(self, at: Location, route: Route) -> bool:
        """Whether a provider reads a content block in OpenAI's shape, or of the Responses API."""
        message, block = at_location(self.json, at[:2]), at_location(self.json, at)
        rules, kind = sent_as(route), block.get("type", "")
        role = message.get("role") or message.get("type")
        results = rules.tool_content | (rules.user & {"tool_result"} and {"text"})
        kinds = {
            "system": rules.system,
            "developer": rules.system,
            "user": rules.user,
            "assistant": rules.assistant,
            "tool": results,
            "function": rules.tool_content,
            "function_call_output": results,
            "custom_tool_call_output": results,
        }.get(str(role), frozenset())
        if self.kind == "anthropic":
            kinds = rules.assistant if role == "assistant" else {"text", "image", "tool_result"}
        kind = _TYPES.get(kind, kind)
        kinds = kinds | {"image_url"} if "image" in kinds else kinds  # as Anthropic's shape has it
        empty = kind == "text" and not block.get("text")
        return at[2] in ("content", "output") and kind in kinds and not empty

    def _native_block(self, at: Location) -> Location | None:
        if at == ():
            # Bedrock refuses one on the request.
            return None if "bedrock" in self.url else ()
        depth = 4 if at[0] == "messages" else 2
        if len(at) < depth:
            return None
        outer = at[:depth]
        # A marker inside a block counts as the block's own. Where it is not on the last one in it, the
        # provider refuses the request, whoever counts what.
        block = at_location(self.json, outer)
        refused = (
            block.get("type") in _NEVER
            or block.get("defer_loading") is True
            or (block.get("type", "text") == "text" and "input_schema" not in block and not block.get("text"))
            or _is_programmatic(block, self.json)
            or (at[0] == "messages" and self.json["messages"][at[1]].get("clear_at") is not None)
        )
        return None if refused else outer


def _unwrapped(sent: Wire) -> Wire:
    """The same with SAP's template as the messages that it is made of."""
    last = sent.sent[-1]
    if "config" not in last.body:
        return sent
    prompt = last.body["config"]["modules"]["prompt_templating"]["prompt"]
    body = {"messages" if name == "template" else name: value for name, value in prompt.items()}
    outer = ("config", "modules", "prompt_templating", "prompt")
    inner = [
        marker._replace(location=marker.location[len(outer) :])
        for marker in sent.markers
        if marker.location[: len(outer)] == outer
    ]
    named = [
        marker._replace(location=("messages", *marker.location[1:]))
        if marker.location[:1] == ("template",)
        else marker
        for marker in inner
    ]
    return replace(sent, sent=(last._replace(body=body),), markers=tuple(named))


def sent_as(route: Route) -> BlockRules:
    """What the provider reads: of a request that becomes a chat request first, what it reads of that."""
    if not route.bridged:
        return route.blocks
    catalog = packaged_catalog()
    tables = next(entry.blocks for entry in catalog.routes if entry.name == route.name)
    return catalog.blocks[tables["chat"]].rules


def _is_programmatic(block: dict[str, Any], body: dict[str, Any]) -> bool:
    """Whether code execution made a call, or the call that a result answers."""
    caller = block.get("caller")
    if block.get("type") == "tool_result":
        for message in body["messages"]:
            for other in message["content"] if isinstance(message["content"], list) else ():
                if other.get("type") == "tool_use" and other.get("id") == block.get("tool_use_id"):
                    caller = other.get("caller")
    return isinstance(caller, dict) and caller.get("type") != "direct"


def at_location(value: Any, at: Location) -> Any:
    """What stands at a location of a body, Converse's cache points not being counted."""
    for step in at:
        value = (
            [item for item in value if not is_cache_point(item)][step]
            if isinstance(step, int)
            else value[step]
        )
    return value


# Bodies.

_MADE_UP = re.compile(
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|call_[0-9a-f-]{20,}|Document\w+_[0-9a-f]+_\w+"
)


def bare(value: object, name: str = "") -> object:
    """A body without markers, with a text and its one-block list alike, and without made-up names."""
    if isinstance(value, dict):
        fields = {
            key: bare(item, key)
            for key, item in value.items()
            if name == "properties" or key not in MARKER_KEYS
        }
        if not fields.get("additionalModelRequestFields", True):  # Converse keeps it once it held a marker
            del fields["additionalModelRequestFields"]
        # The Responses API takes the system prompt in either of two places.
        if isinstance(fields.get("instructions"), str) and "input" in fields:
            system = {"type": "message", "role": "system", "content": fields.pop("instructions")}
            given = fields["input"] if isinstance(fields["input"], list) else [fields["input"]]
            return {**fields, "input": [system, *given]}
        return fields
    if isinstance(value, list):
        items = [bare(item) for item in value if not is_cache_point(item)]
        if len(items) == 1 and isinstance(items[0], dict) and items[0].keys() <= {"type", "text"}:
            return items[0].get("text", items)
        return items
    return _MADE_UP.sub("", value) if isinstance(value, str) else value


def difference(before: object, after: object, at: str = "$") -> str | None:
    """The first place where two bodies differ, with what stands there; None where they are alike."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted(before.keys() | after.keys()):
            found = difference(before.get(name), after.get(name), f"{at}.{name}")
            if found is not None:
                return found
        return None
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        found = (
            difference(*pair, f"{at}[{index}]") for index, pair in enumerate(zip(before, after, strict=True))
        )
        return next(filter(None, found), None)
    return None if before == after else f"{at}: {before!r:.200} -> {after!r:.200}"


class Sending(NamedTuple):
    """A try to send: the body, or why litellm refuses the request."""

    body: Body | None
    error: str | None


def send(request: dict[str, Any], case: Case) -> Sending:
    """What reaches the provider of a request with its model, remembered for the last few requests."""
    return _send(json.dumps(request), case.shape, proxied=case.route in _PROXIES)


@lru_cache(maxsize=16)
def _send(request: str, shape: Shape, *, proxied: bool) -> Sending:
    try:
        body = Body(wire(json.loads(request), shape=shape))
        if proxied:
            body = Body(sent_on(body.json))
        return Sending(body, None)
    except WireError as error:
        return Sending(None, str(error.__context__ or error))


def unmarked(value: Any, name: str = "") -> Any:
    """A request without a client's markers; `name` is the member that a value in it stands at."""
    if isinstance(value, dict):
        return {
            key: unmarked(item, key)
            for key, item in value.items()
            if name == "properties" or key not in MARKER_KEYS
        }
    return [unmarked(item) for item in value] if isinstance(value, list) else value
