"""Large and odd requests: each part is looked at once, and nothing of the client's is lost."""

from __future__ import annotations

import warnings
from types import MappingProxyType

import pytest
from litellm.types.utils import Message

from policy_cache import Engine
from policy_cache.request import prefix

BIG = "word " * 3_000


def user(content):
    return {"role": "user", "content": content}


def chat(messages, **more):
    return {"model": "anthropic/claude-sonnet-4-5", "messages": messages, **more}


def engine(*targets, **top):
    rule = "".join(f"\n      - {target}" for target in targets)
    options = "".join(f"{name}: {value}\n" for name, value in top.items())
    return Engine.from_text(
        f"version: 1\nname: p\n{options}rules:\n  - name: r\n    targets:{rule}\n"
        "    action: {add_cache_control: {}}\n"
    )


def counted(monkeypatch, name):
    calls = []
    real = getattr(prefix, name)
    monkeypatch.setattr(prefix, name, lambda *arguments: calls.append(arguments[2]) or real(*arguments))
    return calls


@pytest.mark.parametrize(
    ("target", "messages"),
    [
        ("$.messages[*]", [user(BIG), *[user("") for _ in range(300)]]),
        ("$.messages[*]", [user(BIG), *[{"role": "system", "content": "x"} for _ in range(300)], user("")]),
        ("$.messages[*].content[*]", [user([{"type": "text", "text": ""} for _ in range(300)])]),
    ],
)
def test_each_message_is_read_once(monkeypatch, target, messages):
    calls = counted(monkeypatch, "message_blocks")
    engine(target).plan(chat(messages))
    assert len(calls) == len(set(calls)) <= len(messages)


def test_each_tool_is_read_at_most_twice(monkeypatch):
    calls = counted(monkeypatch, "tool_block")
    tools = [{"type": "function", "function": {"name": f"t{i}"}, "defer_loading": True} for i in range(300)]
    engine("$.tools[*]").plan(chat([user("x")], tools=tools))
    assert len(calls) <= 2 * len(tools)


def test_what_follows_a_run_of_system_messages_is_found_once():
    messages = [user(BIG), *[{"role": "system", "content": "x"} for _ in range(20_000)], user("")]
    assert engine("messages.last").plan(chat(messages)).placements[0].at == ("messages", 0, "content")


def test_a_removal_at_many_targets_takes_every_marker():
    blocks = [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}} for _ in range(3_000)]
    remove = Engine.from_text(
        "version: 1\nname: p\nrules:\n  - name: r\n    targets: ['$.messages[*].content[*]']\n"
        "    action: {remove_cache_control: {}}\n"
    )
    after = remove.rewrite(chat([user(blocks)]))
    assert not any("cache_control" in block for block in after["messages"][0]["content"])


def test_markers_in_a_tuple_are_the_clients():
    block = {"type": "text", "text": BIG, "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    plan = engine("system").plan(chat([{"role": "system", "content": (block,)}, user("hi")]))
    assert [placement.reason for placement in plan.placements] == ["kept_client_marker"]


def test_a_text_of_a_callers_own_kind_is_a_text():
    class Markup(str):
        __slots__ = ()

    plan = engine("system").plan(chat([{"role": "system", "content": Markup(BIG)}, user("hi")]))
    assert plan.request["messages"][0]["content"][0]["text"] == BIG


def test_no_warning_quotes_the_prompt():
    message = Message(role="assistant", content="x")
    message.content = [{"type": "text", "text": "secret"}]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert engine("messages.last").plan(chat([user(BIG), message])).changed


def test_an_address_that_is_none_is_no_provider():
    plan = engine("system").plan({"model": "own/model", "api_base": "http://[::1", "messages": [user("x")]})
    assert plan.route.provider == "own"


@pytest.mark.parametrize("conduct", ["keep", "stand_down", "replace"])
def test_removal_and_marking_together_settle_at_once(conduct):
    both = Engine.from_text(
        f"version: 1\nname: p\nclient_markers: {conduct}\nrules:\n"
        "  - {name: a, targets: [tools], action: {remove_cache_control: {}}}\n"
        "  - {name: b, targets: [tools, system], action: {add_cache_control: {}}}\n"
    )
    tools = [{"type": "function", "function": {"name": "t", "description": BIG}}]
    once = both.rewrite(chat([{"role": "system", "content": BIG}, user("x")], tools=tools))
    assert "cache_control" in once["tools"][0]
    assert both.rewrite(once) is once


def test_a_text_weighs_the_same_as_a_block():
    small = Engine.from_text(
        "version: 1\nname: p\nrules:\n"
        "  - {name: a, targets: [messages.last], action: {add_cache_control: {}}}\n"
        "  - {name: b, match: {tokens: {min: 1000}}, targets: ['$.messages[0]'],"
        " action: {add_cache_control: {}}}\n"
    )
    for size in range(3_380, 3_500):
        once = small.rewrite(chat([user("x" * size), {"role": "assistant", "content": "y"}, user("z" * 20)]))
        assert small.rewrite(once) is once


SET = (
    "version: 1\nname: p\nrules:\n"
    "  - {name: a, action: {set: {prompt_cache_key: ours, prompt_cache_retention: 24h}}}\n"
)


def test_a_clients_value_in_extra_body_is_kept():
    request = {"model": "gpt-4o", "messages": [user("x")], "extra_body": {"prompt_cache_key": "theirs"}}
    plan = Engine.from_text(SET).plan(request)
    assert [placement.reason for placement in plan.placements] == ["kept_client_marker", "applied"]
    assert plan.request["extra_body"] == {"prompt_cache_key": "theirs", "prompt_cache_retention": "24h"}


def test_an_extra_body_that_is_no_object_is_left_alone():
    request = {"model": "gpt-4o", "messages": [user("x")], "extra_body": MappingProxyType({"x": 1})}
    assert Engine.from_text(SET).rewrite(request) is request


def test_on_bedrock_only_a_function_carries_the_marker_of_the_tools():
    function = {"type": "function", "function": {"name": "t", "description": BIG}}
    request = chat([user(BIG)], tools=[function, {"type": "bash_20250124", "name": "bash"}])
    request["model"] = "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0"
    assert [p.at for p in engine("tools").plan(request).placements] == [("tools", 0)]
