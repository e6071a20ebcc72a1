"""The ping of a request: what it asks for and carries, and which requests have none."""

from __future__ import annotations

import pytest
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
