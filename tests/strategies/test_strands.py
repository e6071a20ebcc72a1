"""Strands' cache strategy on Bedrock's Converse, and the policy that says the same."""

from __future__ import annotations

import asyncio
import json

import boto3
import pytest
from strands.models import BedrockModel, CacheConfig

from tests.strategies.conversations import (
    AGENT,
    BLANK,
    BLANK_END,
    CONVERSATIONS,
    SMALL,
    assistant,
    marked,
    on_bedrock,
    ours,
    request,
    sent_under,
    system,
    text,
    user,
)
from tests.strategies.marks import marks

# What a peer warns of is its own.
pytestmark = pytest.mark.filterwarnings("ignore")

ALL = CacheConfig(tools_ttl=True)
RISING = """
version: 1
name: rising
rules:
  - name: rising
    targets: [tools, {at: system, ttl: 1h}, {at: messages.last, ttl: 1h}]
    action: {add_cache_control: {}}
"""


class CaughtError(Exception):
    """Ends a call once its body is known; botocore does not repeat it."""


def theirs(given, config=ALL):
    bodies = []

    def catch(request, **_):
        bodies.append(json.loads(request.body))
        raise CaughtError

    session = boto3.Session("none", "none", region_name="us-east-1")
    name = on_bedrock(given)["model"].removeprefix("bedrock/converse/")
    model = BedrockModel(boto_session=session, model_id=name, cache_config=config)
    model.client.meta.events.register("before-send.bedrock-runtime.*", catch)
    prompt = [
        block for message in given["messages"] if message["role"] == "system" for block in told(message)
    ]
    with pytest.raises(CaughtError):
        asyncio.run(read(model.stream(conversation(given), specs(given), system_prompt_content=prompt)))
    (body,) = bodies
    return marks(body)


async def read(stream):
    async for _ in stream:
        pass


def specs(given):
    functions = [tool["function"] for tool in given.get("tools", ())]
    return [
        {
            "name": function["name"],
            "description": function["description"],
            "inputSchema": {"json": function["parameters"]},
        }
        for function in functions
    ]


def told(message):
    """A message's content in the words of Converse, the client's markers included."""
    content = message["content"]
    blocks = [{"text": content}] if isinstance(content, str) else content or []
    found = []
    for block in blocks:
        found.append({"text": block["text"]})
        if marker := block.get("cache_control"):
            found.append({"cachePoint": {"type": "default", **({"ttl": "1h"} if "ttl" in marker else {})}})
    for call in message.get("tool_calls", ()):
        arguments = json.loads(call["function"]["arguments"])
        use = {"toolUseId": call["id"], "name": call["function"]["name"], "input": arguments}
        found.append({"toolUse": use})
    if message["role"] == "tool":
        done = {"toolUseId": message["tool_call_id"], "status": "success", "content": found}
        return [{"toolResult": done}]
    return found


def conversation(given):
    """The messages after the system prompt; an agent puts all results of a turn into one message."""
    turns = []
    for message in given["messages"]:
        role = "user" if message["role"] == "tool" else message["role"]
        if role == "system":
            continue
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += told(message)
        else:
            turns.append({"role": role, "content": told(message)})
    return turns


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_the_strategy_marks_what_the_policy_marks(name):
    found = theirs(CONVERSATIONS[name])
    assert found
    assert ours("strands", on_bedrock(CONVERSATIONS[name])) == found


# Each conversation, the policy's marks, and Strands'.
FAULTS = {
    "strands_marks_a_prompt_below_the_minimum": (
        SMALL,
        [],
        ["tool read_file", "system SYSTEM", "user QUESTION"],
    ),
    "strands_marks_a_blank_system_block": (
        BLANK_END,
        ["tool run_tests", "system SECOND", "user QUESTION"],
        ["tool run_tests", "system BLANK", "user QUESTION"],
    ),
    "strands_marks_a_blank_block_of_the_user": (
        request(system(text("SYSTEM")), user([*text("QUESTION", "ATTACHED"), BLANK])),
        ["system SYSTEM", "user ATTACHED"],
        ["system SYSTEM", "user BLANK"],
    ),
    "strands_takes_away_the_clients_earlier_marker": (
        request(system(text("SYSTEM")), user(marked("QUESTION")), assistant("ANSWER"), user("NEXT")),
        ["system SYSTEM", "user QUESTION", "user NEXT"],
        ["system SYSTEM", "user NEXT"],
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_strategy_differs(fault):
    given, policy, strands = FAULTS[fault]
    assert ours("strands", on_bedrock(given)) == [(name, "5m") for name in policy]
    assert theirs(given) == [(name, "5m") for name in strands]


def test_strands_leaves_the_tools_unmarked_unless_told():
    planned = ours("strands", on_bedrock(AGENT))
    assert planned[0] == ("tool run_tests", "5m")
    assert theirs(AGENT, CacheConfig()) == planned[1:]


def test_strands_sends_a_5m_marker_before_a_1h_one():
    found = theirs(AGENT, CacheConfig(ttl="1h", tools_ttl="5m"))
    assert found == [("tool run_tests", "5m"), ("system SYSTEM", "5m"), ("user NEXT", "1h")]
    planned = sent_under(RISING, on_bedrock(AGENT))
    assert planned == [("tool run_tests", "5m"), ("system SYSTEM", "5m"), ("user NEXT", "5m")]
