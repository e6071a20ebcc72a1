"""The ping of a request: what it asks for and carries, and which requests have none."""

from __future__ import annotations

import pytest
from litellm import Message
from openai.types.responses import ResponseReasoningItem
from openai.types.shared import Reasoning
from pydantic import BaseModel

from policy_cache import Engine
from policy_cache.integrations.litellm.pinging import ping_of
from policy_cache.usage.accounting import PING, is_ping

CLAUDE, CLOUD, GPT = (
    "anthropic/claude-sonnet-4-5",
    "vertex_ai/claude-sonnet-4-5@20250929",
    "openai/gpt-5.6",
)
TALK = [{"role": "user", "content": "q"}]
FORMAT = {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}}


class Words(BaseModel):
    words: list[str]


class Item:
    """One of an SDK's."""

    type = "item_reference"


@pytest.fixture(scope="module")
def held():
    engine = Engine.default()

    def held(shape, model=CLAUDE, **more):
        asked = {"model": model, "input" if shape == "responses" else "messages": TALK} | more
        return ping_of(asked, engine.route(asked, shape=shape))

    return held


def test_a_chat(held):
    ping = held(
        "chat",
        max_tokens=9,
        max_completion_tokens=9,
        n=2,
        stop=["x"],
        stream=True,
        store=True,
        litellm_call_id="i",
        metadata={"session_id": "s", "tags": ["t"]},
    )
    told = {"session_id": "s", PING: True}
    assert ping.request == {"model": CLAUDE, "messages": TALK, "max_tokens": 0, "metadata": told}
    assert (ping.shape, ping.reply, ping.route) == ("chat", 0, "anthropic")
    assert is_ping(ping.request)


def test_a_message(held):
    """Its `metadata` are the provider's, who takes no others."""
    ping = held(
        "messages",
        system="s",
        max_tokens=9,
        stop_sequences=["x"],
        stream=True,
        top_k=1,
        metadata={"user_id": "u"},
        litellm_metadata={"user_api_key": "k"},
    )
    assert ping.request == {
        "model": CLAUDE,
        "system": "s",
        "messages": TALK,
        "top_k": 1,
        "max_tokens": 0,
        "litellm_metadata": {"user_id": "u", "user_api_key": "k", PING: True},
    }
    assert (ping.shape, ping.reply) == ("messages", 0)
    assert is_ping(ping.request)


@pytest.mark.parametrize(("model", "reply"), [(CLAUDE, 0), (CLOUD, 1), (GPT, 16)])
def test_a_response(held, model, reply):
    ping = held(
        "responses",
        model,
        instructions="s",
        max_output_tokens=99,
        background=True,
        include=["reasoning.encrypted_content"],
        store=True,
        stream=True,
        prompt_cache_key="p",
        metadata={"a": "b"},
    )
    assert ping.request == {
        "model": model,
        "instructions": "s",
        "input": TALK,
        "prompt_cache_key": "p",
        "max_output_tokens": reply,
        "store": False,
        "litellm_metadata": {"a": "b", PING: True},
    }
    assert (ping.shape, ping.reply) == ("responses", reply)
    assert is_ping(ping.request)


def test_what_is_sent_beside_a_body_asks_for_no_reply_either(held):
    ping = held("responses", GPT, extra_body={"store": True, "background": True, "prompt_cache_options": {}})
    assert ping.request["extra_body"] == {"prompt_cache_options": {}}


@pytest.mark.parametrize(
    ("shape", "more"),
    [
        ("chat", {"tool_choice": "required"}),
        ("chat", {"tool_choice": {"type": "function", "function": {"name": "f"}}}),
        ("chat", {"response_format": {"type": "json_object"}}),
        ("chat", {"output_config": FORMAT}),
        ("messages", {"tool_choice": {"type": "any"}}),
        ("messages", {"output_config": FORMAT}),
        ("responses", {"tool_choice": "required"}),
        ("responses", {"text": FORMAT}),
        *((shape, {"model": CLOUD}) for shape in ("chat", "messages", "responses")),
    ],
)
def test_a_token_is_asked_for_where_none_is_refused(held, shape, more):
    assert held(shape, **more).reply == 1


@pytest.mark.parametrize(
    ("shape", "more"),
    [
        ("chat", {"tool_choice": "auto"}),
        ("messages", {"tool_choice": {"type": "auto"}, "output_config": {"effort": "low"}}),
        ("messages", {"thinking": {"type": "disabled"}}),
        ("responses", {"text": {"format": {"type": "text"}}, "reasoning": {"effort": "none"}}),
    ],
)
def test_no_reply_is_asked_for_where_that_is_taken(held, shape, more):
    assert held(shape, **more).reply == 0


@pytest.mark.parametrize(
    ("shape", "more"),
    [
        ("chat", {"reasoning_effort": "low"}),
        *((shape, {"thinking": {"type": "enabled", "budget_tokens": 1}}) for shape in ("chat", "messages")),
        ("messages", {"thinking": {"type": "adaptive"}}),
        ("responses", {"reasoning": {"effort": "low"}}),
    ],
)
def test_what_thinks_is_left_alone(held, shape, more):
    assert held(shape, **more) is None


def test_a_reply_that_is_cut_off_may_begin_with_thinking(held):
    assert held("responses", GPT, reasoning={"effort": "high"}).request["reasoning"] == {"effort": "high"}


@pytest.mark.parametrize("shape", ["chat", "messages"])
def test_openai_answers_nothing_else_in_a_few_tokens(held, shape):
    assert held(shape, GPT) is None


@pytest.mark.parametrize("model", [CLAUDE, GPT])
@pytest.mark.parametrize(
    "more",
    [
        {"previous_response_id": "resp_1"},
        {"conversation": "conv_1"},
        {"prompt": {"id": "pmpt_1"}},
        {"extra_body": {"conversation": {"id": "conv_1"}}},
        {"input": [{"type": "item_reference", "id": "i"}, *TALK]},
        {"input": [Item(), *TALK]},
        {"input": [{"type": "reasoning", "id": "rs_1", "summary": []}, *TALK]},
    ],
)
def test_what_goes_on_with_something_stored_is_left_alone(held, model, more):
    assert held("responses", model, **more) is None


def test_reasoning_that_is_brought_along_is_not_stored(held):
    reasoning = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "e"}
    assert held("responses", GPT, input=[reasoning, *TALK]).request["input"] == [reasoning, *TALK]


@pytest.mark.parametrize("kind", ["web_search", "mcp", "code_interpreter"])
def test_nothing_is_run_by_a_provider_for_a_ping(held, kind):
    tools = [{"type": "function", "name": "f"}, {"type": kind}]
    assert held("responses", GPT, tools=tools) is None
    assert held("responses", GPT, tools=tools[:1]).reply == 16
    # Without a token no tool is called.
    assert held("responses", CLAUDE, tools=tools).reply == 0


@pytest.mark.parametrize(("shape", "name"), [("chat", "response_format"), ("responses", "text_format")])
def test_a_reply_of_a_class_is_left_alone(held, shape, name):
    """litellm makes a part of the prompt of it, which cannot be copied."""
    assert held(shape, **{name: Words}) is None


CALLS = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]


def test_objects_are_copied_as_what_litellm_sends_of_them(held):
    """An agent's history has litellm's own answers in it."""
    said = Message(content=None, role="assistant", tool_calls=CALLS)
    ping = held("chat", messages=[*TALK, said])
    said.tool_calls[0].function.arguments = "later"
    assert ping.request["messages"] == [*TALK, {"role": "assistant", "tool_calls": CALLS}]
    reasoning = ResponseReasoningItem(id="rs_1", type="reasoning", summary=[], encrypted_content="e")
    ping = held("responses", GPT, input=[reasoning, *TALK], reasoning=Reasoning(effort="high"))
    assert ping.request["input"] == [
        {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "e"},
        *TALK,
    ]
    assert ping.request["reasoning"] == {"effort": "high"}


@pytest.mark.parametrize("object_", [dict, Message])
def test_every_text_that_is_held_counts(held, object_):
    def size(**more):
        return held("chat", messages=[object_(role="assistant", content="a")], **more).size

    def size_of(content):
        return held("chat", messages=[object_(role="assistant", content=content)]).size

    assert size_of("a" * 1_001) - size_of("a") == 1_000
    assert size_of("ж" * 1_001) - size_of("ж" * 501) == 1_000  # in two bytes each
    assert size(metadata={"a": "b" * 1_001}) - size(metadata={"a": "b"}) == 1_000
    assert size(extra_body={"a" * 1_001: 1}) - size(extra_body={"a": 1}) == 1_000


def nested(depth):
    found = []
    for _ in range(depth - 1):
        found = [found]
    return found


def test_what_is_nested_too_deep_is_left_alone(held):
    """The request itself is the first level."""
    assert held("chat", extra_body={"a": nested(98)}).request["extra_body"] == {"a": nested(98)}
    assert held("chat", extra_body={"a": nested(99)}) is None
    assert held("chat", extra_body={"a": nested(100_000)}) is None
    assert held("chat", messages=[Message(content=None, x=nested(100))]) is None


def test_what_is_in_itself_is_left_alone(held):
    headers, items = {}, []
    headers["a"] = headers
    items += [items, items]
    assert held("chat", extra_headers=headers) is None
    assert held("chat", extra_body={"a": items}) is None


def test_what_is_no_data_is_for_litellm_alone(held):
    tools = [{"type": "function", "function": {"name": "f", "parameters": Words}}]
    asked = held("chat", logger_fn=print, client=object(), base=Words, tools=tools).request
    assert asked.keys() == {"model", "messages", "max_tokens", "metadata", "tools"}
    assert asked["tools"] == tools
