"""LangChain's AnthropicPromptCachingMiddleware in an agent, and the policy that says the same."""

from __future__ import annotations

import anthropic
import pytest
from langchain.agents import create_agent
from langchain_anthropic import ChatAnthropic
from langchain_anthropic.middleware import AnthropicPromptCachingMiddleware
from langchain_core.messages import SystemMessage, convert_to_messages
from langchain_core.tools import StructuredTool

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
    tools,
    user,
)
from tests.strategies.marks import marks

# What a peer warns of is its own.
pytestmark = pytest.mark.filterwarnings("ignore")

DEFERRED = {**AGENT["tools"][2], "defer_loading": True}
SEARCH = {"type": "web_search_20250305", "name": "web_search"}


def tool_of(tool):
    """A function as LangChain's own tool; a server's tool is a dict there too."""
    if "function" not in tool:
        return tool
    function = tool["function"]
    extras = {"defer_loading": True} if tool.get("defer_loading") else None
    return StructuredTool(
        name=function["name"],
        description=function["description"],
        args_schema=function["parameters"],
        func=lambda **_: "",
        extras=extras,
    )


def theirs(given, bodies):
    messages = convert_to_messages(given["messages"])
    prompt = messages.pop(0) if isinstance(messages[0], SystemMessage) else None
    model = ChatAnthropic(model="claude-sonnet-4-5", api_key="none", max_tokens=16)
    agent = create_agent(
        model,
        [tool_of(tool) for tool in given.get("tools", ())],
        system_prompt=prompt,
        middleware=[AnthropicPromptCachingMiddleware()],
    )
    with pytest.raises(anthropic.BadRequestError, match="caught"):
        agent.invoke({"messages": messages})
    (body,) = bodies
    return marks(body)


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_the_middleware_marks_what_the_policy_marks(name, bodies):
    found = theirs(CONVERSATIONS[name], bodies)
    assert found
    assert ours("langchain", CONVERSATIONS[name]) == found


# Each conversation, the policy's marks, and the middleware's.
FAULTS = {
    "langchain_marks_a_prompt_below_the_minimum": (
        SMALL,
        [],
        [("request", "5m"), ("tool read_file", "5m"), ("system SYSTEM", "5m")],
    ),
    "langchain_marks_a_blank_system_block": (
        BLANK_END,
        [("request", "5m"), ("tool run_tests", "5m"), ("system SECOND", "5m")],
        [("request", "5m"), ("tool run_tests", "5m"), ("system BLANK", "5m")],
    ),
    "langchain_marks_a_deferred_tool": (
        {**AGENT, "tools": [*AGENT["tools"][:2], DEFERRED]},
        [("request", "5m"), ("tool write_file", "5m"), ("system SYSTEM", "5m")],
        [("request", "5m"), ("tool run_tests", "5m"), ("system SYSTEM", "5m")],
    ),
    "langchain_marks_no_tool_when_the_last_is_the_providers": (
        {**AGENT, "tools": [*AGENT["tools"], SEARCH]},
        [("request", "5m"), ("tool web_search", "5m"), ("system SYSTEM", "5m")],
        [("request", "5m"), ("system SYSTEM", "5m")],
    ),
    "langchain_sends_more_than_four_markers": (
        request(
            system(text("SYSTEM")),
            user(marked("Q0")),
            assistant("A0"),
            user(marked("Q1")),
            assistant("A1"),
            user(marked("Q2")),
            assistant("A2"),
            user("LAST"),
            tools=tools("read_file"),
        ),
        [("tool read_file", "5m"), ("user Q0", "5m"), ("user Q1", "5m"), ("user Q2", "5m")],
        [
            ("request", "5m"),
            ("tool read_file", "5m"),
            ("system SYSTEM", "5m"),
            ("user Q0", "5m"),
            ("user Q1", "5m"),
            ("user Q2", "5m"),
        ],
    ),
    "langchain_sends_a_5m_marker_before_the_clients_1h_one": (
        request(
            system(text("SYSTEM")),
            user(marked("QUESTION", "1h")),
            assistant("ANSWER"),
            user("NEXT"),
        ),
        [("request", "5m"), ("user QUESTION", "1h")],
        [("request", "5m"), ("system SYSTEM", "5m"), ("user QUESTION", "1h")],
    ),
    "langchain_marks_the_request_although_the_client_marked_its_end": (
        request(system(text("SYSTEM")), user(marked("QUESTION", "5m"))),
        [("system SYSTEM", "5m"), ("user QUESTION", "5m")],
        [("request", "5m"), ("system SYSTEM", "5m"), ("user QUESTION", "5m")],
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_middleware_differs(fault, bodies):
    given, policy, langchain = FAULTS[fault]
    assert ours("langchain", given) == policy
    assert theirs(given, bodies) == langchain
