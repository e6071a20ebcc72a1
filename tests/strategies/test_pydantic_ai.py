"""pydantic-ai with its cache settings on, and the policy that says the same."""

from __future__ import annotations

import asyncio
import json

import pytest
from pydantic_ai.direct import model_request
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.messages import (
    CachePoint,
    InstructionPart,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.models.anthropic import AnthropicModel, AnthropicModelSettings
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.tools import ToolDefinition

from tests.strategies.conversations import (
    AGENT,
    BLANK_END,
    CONVERSATIONS,
    SMALL,
    assistant,
    marked,
    ours,
    request,
    system,
    text,
    user,
)
from tests.strategies.marks import marks

# What a peer warns of is its own.
pytestmark = pytest.mark.filterwarnings("ignore")

SETTINGS = AnthropicModelSettings(
    max_tokens=16,
    anthropic_cache_tool_definitions=True,
    anthropic_cache_instructions=True,
    anthropic_cache=True,
)
FOUR_OF_THE_CLIENTS = request(
    system(text("SYSTEM")),
    *(turn for number in range(4) for turn in (user(marked(f"Q{number}")), assistant(f"A{number}"))),
    user("LAST"),
)


def theirs(given, bodies, *, varying=()):
    """The marks in the body of one request; an instruction that is `varying` is made anew each time."""
    texts = [content for content in system_blocks(given) if isinstance(content, str)]
    blocks = [content for content in system_blocks(given) if not isinstance(content, str)]
    parameters = ModelRequestParameters(
        function_tools=[tool_of(tool["function"]) for tool in given.get("tools", ())],
        instruction_parts=[
            InstructionPart(content=block["text"], dynamic=number in varying)
            for content in blocks
            for number, block in enumerate(content)
        ],
    )
    messages = conversation(given, [SystemPromptPart(content) for content in texts])
    model = AnthropicModel("claude-sonnet-4-5", provider=AnthropicProvider(api_key="none"))
    with pytest.raises(ModelHTTPError, match="caught"):
        asyncio.run(
            model_request(model, messages, model_settings=SETTINGS, model_request_parameters=parameters)
        )
    (body,) = bodies
    return marks(body)


def system_blocks(given):
    return [message["content"] for message in given["messages"] if message["role"] == "system"]


def tool_of(function):
    return ToolDefinition(
        name=function["name"],
        description=function["description"],
        parameters_json_schema=function["parameters"],
    )


def conversation(given, parts):
    """The messages after the system prompt, whose parts the first of them begins with."""
    turns = []
    for message in given["messages"]:
        content = message["content"]
        if message["role"] == "assistant":
            turns.append(ModelRequest(parts=parts))
            parts = []
            calls = [
                ToolCallPart(call["function"]["name"], json.loads(call["function"]["arguments"]), call["id"])
                for call in message.get("tool_calls", ())
            ]
            turns.append(ModelResponse(parts=[*([TextPart(content)] if content else []), *calls]))
        elif message["role"] == "user":
            parts.append(UserPromptPart(content if isinstance(content, str) else [*pieces(content)]))
        elif message["role"] == "tool":
            parts.append(ToolReturnPart("read_file", content, message["tool_call_id"]))
    return [*turns, ModelRequest(parts=parts)] if parts else turns


def pieces(blocks):
    for block in blocks:
        yield block["text"]
        if marker := block.get("cache_control"):
            yield CachePoint(ttl=marker.get("ttl", "5m"))


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_the_settings_mark_what_the_policy_marks(name, bodies):
    found = theirs(CONVERSATIONS[name], bodies)
    assert found
    assert ours("pydantic-ai", CONVERSATIONS[name]) == found


def test_a_marker_of_the_client_at_the_end_takes_the_place_of_the_requests(bodies):
    given = request(system(text("SYSTEM")), user(marked("QUESTION")))
    expected = [("system SYSTEM", "5m"), ("user QUESTION", "5m")]
    assert ours("pydantic-ai", given) == theirs(given, bodies) == expected


# Each conversation, the policy's marks, and pydantic-ai's.
FAULTS = {
    "pydantic_ai_marks_a_prompt_below_the_minimum": (
        SMALL,
        [],
        [("request", "5m"), ("tool read_file", "5m"), ("system SYSTEM", "5m")],
    ),
    "pydantic_ai_marks_a_blank_instruction": (
        BLANK_END,
        [("request", "5m"), ("tool run_tests", "5m"), ("system SECOND", "5m")],
        [("request", "5m"), ("tool run_tests", "5m"), ("system BLANK", "5m")],
    ),
    "pydantic_ai_raises_the_price_of_earlier_5m_markers_to_1h": (
        {
            **AGENT,
            "messages": [AGENT["messages"][0], user(marked("QUESTION", "1h")), *AGENT["messages"][2:]],
        },
        [("request", "5m"), ("user QUESTION", "1h")],
        [("request", "5m"), ("tool run_tests", "1h"), ("system SYSTEM", "1h"), ("user QUESTION", "1h")],
    ),
    "pydantic_ai_takes_away_the_clients_oldest_markers": (
        FOUR_OF_THE_CLIENTS,
        [(f"user Q{number}", "5m") for number in range(4)],
        [("request", "5m"), ("system SYSTEM", "5m"), ("user Q2", "5m"), ("user Q3", "5m")],
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_settings_differ(fault, bodies):
    given, policy, pydantic_ai = FAULTS[fault]
    assert ours("pydantic-ai", given) == policy
    assert theirs(given, bodies) == pydantic_ai


def test_pydantic_ai_knows_which_instructions_vary_and_the_policy_does_not(bodies):
    given = request(system(text("STATIC", "VARYING")), user("QUESTION"))
    assert ours("pydantic-ai", given) == [("request", "5m"), ("system VARYING", "5m")]
    assert theirs(given, bodies, varying={1}) == [("request", "5m"), ("system STATIC", "5m")]
