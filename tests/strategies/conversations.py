"""Conversations that each peer is given in its own words, and ours as litellm sends it."""

from __future__ import annotations

import json

from policy_cache import Engine
from policy_cache.integrations.litellm import wire
from tests.conftest import REPOSITORY
from tests.strategies.marks import marks

STRATEGIES = REPOSITORY / "policies" / "strategies"
MODEL = "anthropic/claude-sonnet-4-5"
# Every prefix is beyond the model's minimum, the one that ends with the first block too.
LONG = "word " * 3_000
BLANK = {"type": "text", "text": " "}


def text(*names):
    """One text, or a list of text blocks: each begins with its name."""
    if len(names) == 1:
        return f"{names[0]} {LONG}"
    return [{"type": "text", "text": f"{name} {LONG}"} for name in names]


def tools(*names, words=LONG):
    parameters = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
    return [
        {
            "type": "function",
            "function": {"name": name, "description": f"{name} {words}", "parameters": parameters},
        }
        for name in names
    ]


def marked(content, ttl=None):
    """A text's blocks, the last of which the client has marked."""
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    control = {"type": "ephemeral", **({"ttl": ttl} if ttl else {})}
    return [*blocks[:-1], {**blocks[-1], "cache_control": control}]


def system(content):
    return {"role": "system", "content": content}


def user(content):
    return {"role": "user", "content": content}


def assistant(content, *calls):
    message = {"role": "assistant", "content": content}
    if calls:
        function = {"name": "read_file", "arguments": json.dumps({"path": "a.py"})}
        message["tool_calls"] = [{"id": call, "type": "function", "function": function} for call in calls]
    return message


def result(call, content="RESULT"):
    return {"role": "tool", "tool_call_id": call, "content": content}


def request(*messages, **more):
    return {"model": MODEL, "max_tokens": 16, "messages": list(messages), **more}


AGENT = request(
    system(text("SYSTEM")),
    user("QUESTION"),
    assistant(None, "call_1"),
    result("call_1"),
    assistant("ANSWER"),
    user("NEXT"),
    tools=tools("read_file", "write_file", "run_tests"),
)
CONVERSATIONS = {
    "one_question": request(system(text("SYSTEM")), user("QUESTION")),
    "chat": request(system(text("SYSTEM")), user("QUESTION"), assistant("ANSWER"), user("NEXT")),
    "no_system_prompt": request(user(text("QUESTION")), assistant("ANSWER"), user("NEXT")),
    "system_of_two_blocks": request(system(text("FIRST", "SECOND")), user("QUESTION")),
    "user_of_two_blocks": request(system(text("SYSTEM")), user(text("QUESTION", "ATTACHED"))),
    "agent": AGENT,
    "one_tool": {**AGENT, "tools": tools("read_file")},
    "tools_without_system_prompt": {**AGENT, "messages": AGENT["messages"][1:]},
    "ends_with_a_result": {**AGENT, "messages": AGENT["messages"][:4]},
    "ends_with_two_results": {
        **AGENT,
        "messages": [
            *AGENT["messages"][:2],
            assistant("I look.", "call_1", "call_2"),
            result("call_1"),
            result("call_2", "ANOTHER"),
        ],
    },
    "ends_with_a_prefilled_answer": request(system(text("SYSTEM")), user("QUESTION"), assistant("ANSWER")),
    "twelve_turns": request(
        system(text("SYSTEM")),
        *(turn for number in range(12) for turn in (user(f"Q{number}"), assistant(f"A{number}"))),
        user("LAST"),
        tools=tools("read_file", "write_file"),
    ),
}


SMALL = request(system("SYSTEM"), user("QUESTION"), tools=tools("read_file", words="A word."))
"""A prompt that is too small to be cached."""
BLANK_END = {**AGENT, "messages": [system([*text("FIRST", "SECOND"), BLANK]), user("QUESTION")]}
"""A system prompt whose last block is blank."""


def ours(strategy, given):
    """The marks that litellm sends under a strategy's file."""
    return sent_under((STRATEGIES / f"{strategy}.yaml").read_text(encoding="utf-8"), given)


def sent_under(policy, given):
    """The marks that litellm sends under a policy."""
    return marks(wire(Engine.from_text(policy).plan(given).request).sent[-1].body)


def on_bedrock(given):
    return {**given, "model": "bedrock/converse/us.anthropic.claude-sonnet-4-5-20250929-v1:0"}
