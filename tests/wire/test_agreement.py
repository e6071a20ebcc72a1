"""Engine, simulator, emulator and wire have the same breakpoints, by place, on every route."""

from __future__ import annotations

from functools import cache
from itertools import product

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from policy_cache import Engine
from policy_cache.providers.catalog import packaged_catalog
from tests.wire import agreement
from tests.wire.agreement import send, unmarked
from tests.wire.generated import requests
from tests.wire.routes import ROUTES, Case
from tests.wire.spots import DIALECTS, chat_spots, messages_spots, responses_spots, runs, user
from tests.wire.tags import tags

MORE_ROUTES = [
    Case(
        "Bedrock Claude, Converse, messages",
        "bedrock-claude-converse",
        {"model": "bedrock/converse/us.anthropic.claude-sonnet-4-5-20250929-v1:0"},
        "messages",
    ),
    Case(
        "Bedrock Claude, InvokeModel, messages",
        "bedrock-claude-invoke",
        {"model": "bedrock/invoke/us.anthropic.claude-sonnet-4-5-20250929-v1:0"},
        "messages",
    ),
    Case(
        "Claude Platform on AWS, messages",
        "aws-claude-platform",
        {"model": "bedrock/claude_platform/claude-sonnet-4-5"},
        "messages",
    ),
    Case(
        "Bedrock Claude, Converse, responses",
        "bedrock-claude-converse",
        {"model": "bedrock/converse/us.anthropic.claude-sonnet-4-5-20250929-v1:0"},
        "responses",
    ),
    Case(
        "Bedrock Claude, InvokeModel, responses",
        "bedrock-claude-invoke",
        {"model": "bedrock/invoke/us.anthropic.claude-sonnet-4-5-20250929-v1:0"},
        "responses",
    ),
    Case(
        "Claude Platform on AWS, responses",
        "aws-claude-platform",
        {"model": "bedrock/claude_platform/claude-sonnet-4-5"},
        "responses",
    ),
    Case(
        "Bedrock, models that cache nothing",
        "bedrock-uncached",
        {"model": "bedrock/anthropic.claude-3-haiku-20240307-v1:0"},
    ),
    Case(
        "Bedrock Nova, InvokeModel", "bedrock-nova-invoke", {"model": "bedrock/invoke/amazon.nova-pro-v1:0"}
    ),
    Case(
        "Databricks, other models",
        "databricks-other",
        {"model": "databricks/databricks-meta-llama-3-3-70b-instruct"},
    ),
    Case("litellm proxy", "litellm-proxy-other", {"model": "litellm_proxy/fast"}),
    Case("MiniMax, other models", "minimax-automatic", {"model": "minimax/MiniMax-M3"}),
    Case("Gemini from 4 on", "gemini-4", {"model": "gemini/gemini-4-pro"}),
    Case("Vertex AI, other models", "vertex-other", {"model": "vertex_ai/mistral-large@2411"}),
]
CASES = [*ROUTES, *MORE_ROUTES]

# What litellm refuses to send on a route, marked or not.
_MCP = frozenset({"tool, mcp"})
_CONVERSE = _MCP | {"user document of text", "user document of content"}
# In another shape, a document is left out, or a file.
_DOCUMENTS = frozenset(
    {
        "user document of text",
        "user document of content",
        "user document, pdf",
        "user search_result",
        "user container_upload",
        "in a tool_result, document",
        "in a tool_result, nested document",
        "in a tool_result, search_result",
    }
)
# Nor do the tools that Anthropic has itself reach a model in another shape as they are.
_OWN_TOOLS = frozenset({"tool, computer", "tool, code_execution", "tool, tool_search"})
REFUSED: dict[str, frozenset[str]] = {
    "OpenRouter Claude, messages": _DOCUMENTS | _OWN_TOOLS,
    "litellm proxy, Claude, messages": _DOCUMENTS | _OWN_TOOLS,
    "Snowflake Claude, messages": _DOCUMENTS,
    # litellm sends either of two system prompts.
    "OpenCode Qwen": frozenset({"system parameter"}),
    "GMI Claude, messages": _DOCUMENTS | _OWN_TOOLS,
    "AIHubMix Claude, messages": _DOCUMENTS | _OWN_TOOLS,
    "OpenRouter Gemini, messages": _DOCUMENTS | _OWN_TOOLS,
    "Databricks Claude, an endpoint, messages": _DOCUMENTS | _OWN_TOOLS,
    "SAP Claude, messages": _DOCUMENTS | _OWN_TOOLS,
    "Bedrock Claude, Converse": _CONVERSE,
    "Bedrock Claude before 4.5, Converse": _CONVERSE,
    "Bedrock Claude, inference profile": _CONVERSE,
    "Bedrock Claude, application inference profile": _CONVERSE,
    "Bedrock Nova": _CONVERSE,
    "Bedrock, models that cache nothing": _CONVERSE,
    "Bedrock Nova, InvokeModel": _CONVERSE,
    "Bedrock Claude, messages": frozenset({"tool, web_search", "server_tool_use"}),
    # A marker on a computer's tool, which litellm sends elsewhere, stays behind the tool before it.
    "Bedrock Claude, Converse, messages": frozenset(
        {"tool, web_search", "server_tool_use", "tool, computer"}
    ),
    "Bedrock Claude, InvokeModel, messages": frozenset({"tool, web_search", "server_tool_use"}),
    **dict.fromkeys(
        [
            "Bedrock Claude, InvokeModel",
            "Vertex AI Claude",
            "Databricks Claude",
            "Databricks, other models",
            "Gemini",
            "Gemini from 4 on",
            "Vertex AI Gemini",
            "DeepSeek",
            "Mistral",
            "Moonshot",
            "Ollama",
            "a provider without an entry",
        ],
        _MCP,
    ),
}

# What litellm does with a client's marker there, nobody here follows: it moves to a neighbour, or to the end
# of a message whose parts are left out.
_MOVED = frozenset(
    {
        "thinking in content",
        "tool_use in content",
        "call, of two with one id, second",
    }
)
# On a model that keeps later system messages in place, a blank one is sent, and refused or not as it pleases.
_LATER = frozenset(
    {
        "system later, blank text, message level",
        "system later, blank block",
        "system later, blank block behind another",
    }
)
# In the Responses API's shape: a part inside a tool's output, where the output itself takes a marker or none.
_INSIDE = frozenset(
    f"{kind}{without}, {part}"
    for kind in ("function_call_output", "custom_tool_call_output")
    for without in ("", " without tools")
    for part in ("image", "file")
)
_LATER_ITEMS = frozenset(
    f"{role} later, {spot}" for role in ("system", "developer") for spot in ("blank text", "blank block")
)
_RESHAPED_SPOTS = (
    _OWN_TOOLS
    | _DOCUMENTS
    | {
        "tool, mcp_toolset",
        "request behind assistant, empty text",
        "request behind assistant, blank text",
        "request behind system trailing, empty text",
        "request behind system trailing, blank text",
    }
)
MOVED: dict[str, frozenset[str]] = {
    "Bedrock Mantle Claude": _LATER,
    "Bedrock Claude, Mantle": _LATER,
    **dict.fromkeys(
        ["OpenCode Claude", "OpenCode Qwen"],
        _LATER
        | {
            "`system` block, beside a system message",
            "`system` block, beside a system message ' '",
            "`system` block, beside a system message [{'type': 'text', 'text': ' '}]",
            "request behind system later, blank block",
            "request behind system later, blank text",
        },
    ),
    "GMI Claude, messages": _RESHAPED_SPOTS,
    "AIHubMix Claude, messages": _RESHAPED_SPOTS,
    "SAP Claude, messages": _OWN_TOOLS | {"tool, mcp_toolset"},
    "OpenRouter Claude, messages": _RESHAPED_SPOTS | {"in a document in a tool_result"},
    # A result of nothing but a document has no text left.
    "OpenAI from GPT-5.6 on, messages": frozenset(
        {"in a tool_result, document", "in a document in a tool_result"}
    ),
    # What is no text in a result goes elsewhere, as long as litellm does not know the model by its name.
    "Azure OpenAI, a deployment": frozenset({"tool image_url", "tool document", "tool search_result"}),
    "litellm proxy, Claude, messages": _RESHAPED_SPOTS,
    "Bedrock Claude, Converse": _MOVED,
    "Bedrock Claude before 4.5, Converse": _MOVED,
    "Bedrock Claude, inference profile": _MOVED,
    "Bedrock Claude, application inference profile": _MOVED,
    "Bedrock Nova": _MOVED,
    "Bedrock Claude, Converse, messages": frozenset({"tool, computer"}),
    "Snowflake Claude": frozenset(
        {
            "`system` block, beside a system message",
            "`system` block, beside a system message ' '",
            "`system` block, beside a system message [{'type': 'text', 'text': ' '}]",
            "function block",
            "system later, blank block",
        }
    ),
    "MiniMax": frozenset({"tool image_url"}),
    "Bedrock Mantle Claude, responses": _LATER_ITEMS | _INSIDE,
    "Bedrock Claude, Mantle, responses": _LATER_ITEMS,
    **dict.fromkeys(
        [
            "OpenAI from GPT-5.6 on",
            "OpenAI, the Responses API's bridge",
            "Azure OpenAI from GPT-5.6 on",
        ],
        frozenset(
            {
                "user document of text",
                "user document of content",
                "user document, pdf",
            }
        ),
    ),
}

TARGETS = [
    ["system", "messages.previous_turn", "messages.last"],
    ["tools", "system", "messages.last_user", "messages.last"],
    ["messages.last_tool_result", "messages.previous_turn"],
    ["$.messages[*]"],
    ["$.tools[*]", "$.messages[-2:]"],
    ["$.messages[*].content[-1]", "$.system[-1]"],
    ["$.messages[*].tool_calls[0]", "tools"],
    ["$.messages[*].content[0]", "system"],
    ["request"],
    ["system", "request"],
]
MODES = ["keep", "repair", "replace", "stand_down"]
TTLS = [("5m", "5m"), ("1h", "5m"), ("1h", "1h")]
POLICIES = list(product(range(len(TARGETS)), MODES, TTLS))


def spelled(target, shape):
    """A target as the shape has it."""
    if shape != "responses":
        return target
    path = target.replace("$.messages", "$.input").replace("$.system", "$.instructions")
    return path.replace(".tool_calls[0]", "")


@cache
def engine_of(targets, mode, ttls, shape="chat"):
    first, rest = ttls
    listed = [
        {
            "at": spelled(at, shape),
            "take": "last" if "*" not in at else "all",
            "ttl": rest if number else first,
        }
        for number, at in enumerate(TARGETS[targets])
    ]
    rule = {
        "name": "mark",
        # Gemini is marked only by a rule that names it.
        "match": {"provider": ["*", "gemini"], "model": "*"},
        "targets": listed,
        "action": {"add_cache_control": {}},
    }
    return Engine.from_text(
        yaml.safe_dump({"version": 1, "name": "generated", "client_markers": mode, "rules": [rule]})
    )


NO_POLICY = (
    "version: 1\nname: nothing\nrules:\n"
    "  - {name: never, match: {alias: never}, targets: [system], action: {add_cache_control: {}}}\n"
)
NOTHING = Engine.from_text(NO_POLICY)


def problems(engine, request, case):
    """What the parties do not agree on, and what a rewrite breaks."""
    request = {**request, **case.request}
    plain = send(unmarked(request), case)
    if plain.body is None:
        return []  # litellm refuses it, marked or not
    given = send(request, case)
    plan = engine.plan(request, shape=case.shape)
    sent = send(plan.request, case)
    if sent.body is None:
        return (
            [f"litellm refuses the rewritten request alone: {sent.error}"] if given.body is not None else []
        )
    found = []
    refused = sent.body.refusal
    if given.body is not None and refused is not None and given.body.refusal is None:
        found.append(f"the provider refuses the rewritten request alone: {refused}")
    # What litellm makes of the client's own markers is no doing of the policy's.
    changes = [
        agreement.difference(body.unmarked, sent.body.unmarked) for body in (given.body, plain.body) if body
    ]
    if all(changes):
        found.append(f"markers change the body at {changes[0]}")
    if plan.route.mechanism != "explicit":
        if plan.changed and any(edit.change == "mark" for edit in plan.edits):
            found.append("marked, though the route takes no markers")
        return found
    wire = agreement.on_the_wire(plan, sent.body)
    said = {"engine": agreement.engine(plan, sent.body), "simulator": agreement.simulator(plan, sent.body)}
    if sent.body.emulated and refused is None:
        said["emulator"] = agreement.emulator(plan, sent.body)
    found += [f"{party} has {points}, the wire {wire}" for party, points in said.items() if points != wire]
    return found


def test_every_route_and_shape_of_the_catalog_is_here():
    here = {(case.route, case.shape) for case in CASES}
    for route in packaged_catalog().routes:
        for shape in route.blocks or ("chat",):
            assert (route.name, shape) in here


def test_litellm_sends_an_unmarked_request_on_every_route():
    """Where it refuses one, `problems` has nothing to compare."""
    asked = {shape: {"messages": [user()], "max_tokens": 16} for shape in ("chat", "messages")}
    asked["responses"] = {"input": [user()], "max_output_tokens": 16}
    refused = [case.label for case in CASES if send({**asked[case.shape], **case.request}, case).body is None]
    assert refused == []


# A few examples for each route; `make fuzz` looks at thousands.
FEW = settings(max_examples=settings.default.max_examples if settings.default.max_examples > 100 else 8)
SPOTS = {
    "chat": list(chat_spots()),
    "messages": list(messages_spots()),
    "responses": list(responses_spots()),
}

routes = pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)


_IMAGES_APART = (
    "openrouter",
    "openai-breakpoints",
    "openai-bridged",
    "openai-fine-tuned",
    "litellm-proxy",
    "openai-compatible",
    "minimax",
    "databricks",
    "dashscope",
    "qwen-cloud",
    "gateway-",
    "sap-",
)
_MANTLE = ("mantle-claude", "bedrock-mantle", "opencode-claude")
# In Anthropic's shape, litellm makes a request in OpenAI's of it.
_RESHAPED = (
    "openrouter",
    "litellm-proxy",
    "openai-",
    "azure-",
    "mantle-breakpoints",
    "snowflake",
    "gateway-",
    "sap-",
    "databricks-claude-endpoint",
)
_REARRANGED = (
    "bedrock-claude",
    "bedrock-nova",
    "bedrock-uncached",
    "gemini",
    "openai-breakpoints",
    "openai-bridged",
    "openai-fine-tuned",
    "azure-breakpoints",
)


def followed(request, case):
    """A request without what litellm leaves out on a route, or moves in a way that nobody here follows."""
    route = str(case.route)
    if case.shape == "responses":
        return followed_items(request, route)
    if route in ("snowflake-claude", "opencode-claude") and case.shape == "chat":  # one prompt of two is sent
        request = {name: value for name, value in request.items() if name != "system"}
    if route == "snowflake-claude" or (route in _MANTLE and case.shape == "chat"):
        # A later one moves to the first, or for the newest Claude behind the user's turn after it.
        request = {**request, "messages": [*without_later_systems(request["messages"])]}
    for message in request["messages"] if route.startswith(_IMAGES_APART) else ():
        parts = message.get("content") if isinstance(message.get("content"), list) else []
        for result in [message] if message["role"] == "tool" else parts:
            if result.get("type", "tool_result") == "tool_result" and isinstance(result.get("content"), list):
                # An image is sent behind all results, as a user's.
                kept = [part for part in result["content"] if part["type"] not in ("image", "image_url")]
                result["content"] = kept or "x"
    for message in request["messages"] if route.startswith(_REARRANGED) else ():
        if message.get("tool_calls"):  # of two calls with one id, the first is sent
            calls = {}
            for call in message["tool_calls"]:
                calls.setdefault(call["id"], call)
            message["tool_calls"] = list(calls.values())
        if isinstance(message.get("content"), list):  # documents get a text of their own, or become one
            message["content"] = [plain(part) for part in message["content"]]
    if case.shape == "messages" and route.startswith(_RESHAPED):
        request = saying(
            request
        )  # what says nothing is dropped, or gets words, in either shape as it pleases
    return unmarked(request) if route == "gemini" else request  # a client's own run is not followed


def followed_items(request, route):
    """The same for a request of the Responses API."""
    items = request["input"]
    if isinstance(items, str):
        return request
    if route in _MANTLE:
        items = [*without_later_systems(items)]
    if route.startswith("bedrock-"):  # a document gets a text of its own
        items = [{**item, **texts_of(item, "content", {"input_file"})} for item in items]
    if route == "mantle-claude":  # a part of an output keeps its marker, and its item does not
        items = [{**item, **texts_of(item, "output", {"input_file", "input_image"})} for item in items]
    return {**request, "input": items}


def texts_of(item, name, kinds):
    """What an item says, without parts of some kinds."""
    if not isinstance(item.get(name), list):
        return {}
    return {name: [part for part in item[name] if part["type"] not in kinds] or "x"}


def without_later_systems(messages):
    """The messages without the system's behind the conversation's beginning."""
    begun = False
    for message in messages:
        is_system = message.get("role") in ("system", "developer")
        begun = begun or not is_system
        if not (begun and is_system):
            yield message


def saying(value):
    """A request without texts that say nothing."""
    if isinstance(value, dict):
        named = {name: saying(item) for name, item in value.items()}
        return {n: (v or "x") if n == "content" else v for n, v in named.items()}
    if isinstance(value, list):
        blank = [item for item in value if isinstance(item, dict) and item.get("text", "x").strip() == ""]
        return [saying(item) for item in value if item not in blank]
    return "x" if isinstance(value, str) and not value.strip() else value


def plain(part):
    """A part of a message without the documents in it."""
    if part["type"] in {"document", "file"}:
        return {"type": "text", "text": " ".join(f"[[{tag}]]" for tag in tags(part)) or "text"}
    if isinstance(part.get("content"), list):
        return {**part, "content": [block for block in part["content"] if block["type"] == "text"]}
    return part


@pytest.mark.property
@routes
@FEW
@given(data=st.data())
def test_every_party_has_the_same_breakpoints(case, data):
    request = data.draw(requests(case.shape, REFUSED.get(case.label, frozenset())))
    request = followed(request, case)
    engine = engine_of(*data.draw(st.sampled_from(POLICIES)), case.shape)
    assert problems(engine, request, case) == []


@pytest.mark.property
@pytest.mark.parametrize(
    "case", [case for case in CASES if case.route != "gemini"], ids=lambda case: case.label
)
@FEW
@given(data=st.data())
def test_a_clients_marker_is_judged_by_what_becomes_of_it(case, data):
    moved = MOVED.get(case.label, frozenset())
    spot = data.draw(st.sampled_from([spot for spot in SPOTS[case.shape] if spot.name not in moved]))
    request = spot.marked(data.draw(st.sampled_from(sorted(DIALECTS))))
    assert problems(NOTHING, request, case) == []


@pytest.mark.parametrize("case", [case for case in CASES if case.route == "gemini"], ids=lambda c: c.label)
@pytest.mark.parametrize("request_", runs())
def test_a_run_ends_where_it_is_cached(case, request_):
    assert problems(engine_of(0, "keep", ("5m", "5m")), request_, case) == []


@pytest.mark.property
@routes
@FEW
@given(data=st.data())
def test_a_repaired_request_is_refused_by_nobody(case, data):
    request = data.draw(requests(case.shape, REFUSED.get(case.label, frozenset())))
    request = {**followed(request, case), **case.request}
    plain = send(unmarked(request), case)
    if plain.body is None or plain.body.refusal is not None:
        return  # refused without any marker
    plan = engine_of(1, "repair", ("1h", "5m"), case.shape).plan(request, shape=case.shape)
    sent = send(plan.request, case)
    assert sent.error is None
    if plan.route.mechanism == "explicit" and not plan.route.run:
        assert sent.body.refusal is None
        assert [p.at for p in plan.breakpoints if p.slot is None and p.key == plan.route.key] == []
