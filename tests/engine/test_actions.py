"""The actions beside `add_cache_control`: removing markers, setting parameters, splitting texts."""

from __future__ import annotations

import copy
import re

import pytest
from litellm.types.utils import Message

from policy_cache import Engine
from policy_cache.request.location import normalized
from tests.engine.requests import (
    BARE,
    BEDROCK,
    BIG,
    FIVE,
    HOUR,
    add,
    chat,
    engine,
    marked,
    native,
    native_tool,
    result,
    said,
    text,
    tool,
    tool_result,
)

REMOVE = "action: {remove_cache_control: {}}"


def removing(targets):
    return f"targets: [{targets}], {REMOVE}"


def user(content):
    return {"role": "user", "content": content}


def everywhere(marker):
    """A request of each shape with a marker in every place that a client may choose."""
    function = {**tool()["function"], "cache_control": marker}
    call = {
        "id": "c",
        "type": "function",
        "function": {"name": "f", "arguments": "{}"},
        "cache_control": marker,
    }
    return [
        chat(
            [
                {"role": "system", "content": [text(BIG, cache_control=marker)]},
                {"role": "user", "content": "q", "cache_control": marker},
                {"role": "assistant", "content": None, "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "c", "content": "r", "cache_control": marker},
                {"role": "tool", "tool_call_id": "d", "content": [text("r", cache_control=marker)]},
            ],
            tools=[tool(cache_control=marker), {"type": "function", "function": function}],
            cache_control=marker,
            extra_body={"cache_control": marker, "x": 1},
        ),
        native(
            [user([tool_result(0, [text("r", cache_control=marker)]), text("q", cache_control=marker)])],
            system=[text(BIG, cache_control=marker)],
            tools=[native_tool(cache_control=marker)],
            cache_control=marker,
            extra_body={"cache_control": marker},
        ),
    ]


def without(value):
    """A request with every marker taken out, by brute force; no schema here has such a property."""
    if isinstance(value, dict):
        return {key: without(item) for key, item in value.items() if key != "cache_control"}
    return [without(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("marker", [BARE, FIVE, HOUR])
@pytest.mark.parametrize("number", [0, 1])
def test_removes_everywhere(number, marker):
    request = everywhere(marker)[number]
    before = copy.deepcopy(request)
    plan = engine(REMOVE).plan(request)
    assert plan.request == without(request)
    assert request == before
    assert len(plan.edits) == len(marked(before)) == (9, 6)[number]
    assert [placement.detail for placement in plan.placements] == [f"{(9, 6)[number]} removed"]


def test_removes_no_property_of_that_name():
    properties = {"cache_control": {"type": "string"}}
    schema = {"type": "object", "properties": properties}
    request = native(tools=[native_tool(input_schema=schema, cache_control=BARE)])
    plan = engine(REMOVE).plan(request)
    assert plan.request == native(tools=[native_tool(input_schema=schema)])
    assert plan.request["tools"][0]["input_schema"] is schema
    chatty = chat(tools=[{"type": "function", "function": {"name": "f", "parameters": schema}}])
    assert engine(REMOVE).rewrite(chatty) is chatty


def test_removes_on_every_route():
    request = chat([user([text("q", cache_control=BARE)])], model="gpt-4o")
    assert engine(REMOVE).rewrite(request) == chat([user([text("q")])], model="gpt-4o")


MARKED = native(
    [
        user([text("q", cache_control=BARE)]),
        user([text("r", cache_control=BARE), tool_result(0, [text("s", cache_control=BARE)])]),
    ],
    tools=[native_tool(cache_control=HOUR), native_tool("g", cache_control=HOUR)],
    system=[text(BIG, cache_control=HOUR)],
    cache_control=BARE,
)
GONE = {
    "tools": ["$['tools'][1]"],
    "'$.tools'": ["$['tools'][0]", "$['tools'][1]"],
    "'$.tools[0]'": ["$['tools'][0]"],
    "'$.tools[*]'": ["$['tools'][0]", "$['tools'][1]"],
    "'$.tools[0].cache_control'": ["$['tools'][0]"],
    "{at: '$.tools[*]', take: first}": ["$['tools'][0]"],
    "system": ["$['system'][0]"],
    "'$.system[0]'": ["$['system'][0]"],
    "'$.messages[0]'": ["$['messages'][0]['content'][0]"],
    "'$.messages[1].content[0]'": ["$['messages'][1]['content'][0]"],
    "'$.messages[1].content[1]'": ["$['messages'][1]['content'][1]['content'][0]"],
    "'$.messages'": [
        "$['messages'][0]['content'][0]",
        "$['messages'][1]['content'][0]",
        "$['messages'][1]['content'][1]['content'][0]",
    ],
    "request": ["$"],
    "system, '$.messages[0]'": ["$['system'][0]", "$['messages'][0]['content'][0]"],
}


@pytest.mark.parametrize("targets", GONE)
def test_removes_at_its_targets(targets):
    plan = engine(removing(targets)).plan(MARKED)
    gone = {one for one, _ in marked(MARKED)} - {one for one, _ in marked(plan.request)}
    assert gone == set(GONE[targets])
    assert {normalized(edit.location) for edit in plan.edits} == gone
    assert {reason for *_, reason in said(plan)} == {"applied"}


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([REMOVE], [(None, None, None, "no_target")]),
        ([removing("tools")], [("$['tools'][0]", None, None, "no_target")]),
        ([removing("messages.last_tool_result")], [(None, None, None, "no_target")]),
    ],
)
def test_nothing_to_remove(rules, expected):
    request = native(tools=[native_tool()])
    plan = engine(*rules).plan(request)
    assert said(plan) == expected
    assert plan.request is request


def test_a_marker_is_removed_once():
    plan = engine(removing("'$.tools[0]'"), removing("'$.tools[0]'")).plan(MARKED)
    assert said(plan) == [
        ("$['tools'][0]", "$['tools'][0]", None, "applied"),
        ("$['tools'][0]", None, None, "duplicate"),
    ]


@pytest.mark.parametrize(
    "order", [(REMOVE, add("tools, messages.last", "1h")), (add("tools, messages.last", "1h"), REMOVE)]
)
def test_removing_and_adding_replaces_a_ttl(order):
    request = native([user([text("q", cache_control=BARE)])], tools=[native_tool(cache_control=BARE)])
    plan = engine(*order).plan(request)
    assert marked(plan.request) == [("$['messages'][0]['content'][0]", "1h"), ("$['tools'][0]", "1h")]
    assert plan.request == native(
        [user([text("q", cache_control=HOUR)])], tools=[native_tool(cache_control=HOUR)]
    )


def test_removing_and_adding_the_same_is_no_change():
    request = native(tools=[native_tool(cache_control=HOUR)])
    assert engine(REMOVE, add("tools", "1h")).rewrite(request) is request


def test_removing_frees_the_budget():
    request = native(
        [user([text(str(number), cache_control=BARE) for number in range(4)])], tools=[native_tool()]
    )
    assert engine(add("tools")).rewrite(request) is request
    rewritten = engine(removing("'$.messages[0].content[0]'"), add("tools")).rewrite(request)
    assert [where for where, _ in marked(rewritten)] == [
        "$['messages'][0]['content'][1]",
        "$['messages'][0]['content'][2]",
        "$['messages'][0]['content'][3]",
        "$['tools'][0]",
    ]


# set


def setting(values):
    return f"action: {{set: {{{values}}}}}"


GPT = chat(model="openai/gpt-4o")


@pytest.mark.parametrize(
    ("values", "request_", "given", "added"),
    [
        ("prompt_cache_key: fixed", GPT, {}, {"prompt_cache_key": "fixed"}),
        ("prompt_cache_key: '{model}'", GPT, {}, {"prompt_cache_key": "gpt-4o"}),
        ("prompt_cache_key: '{alias}-x'", GPT, {"alias": "fast"}, {"prompt_cache_key": "fast-x"}),
        (
            "prompt_cache_key: '{alias}-{metadata.tenant}'",
            GPT,
            {"alias": "fast", "metadata": {"tenant": "acme"}},
            {"prompt_cache_key": "fast-acme"},
        ),
        (
            "prompt_cache_key: 't-{metadata.a.b}'",
            GPT,
            {"metadata": {"a": {"b": 3}}},
            {"prompt_cache_key": "t-3"},
        ),
        ("prompt_cache_key: k", chat(model="azure/gpt-4o"), {}, {"prompt_cache_key": "k"}),
        ("prompt_cache_retention: 24h", GPT, {}, {"extra_body": {"prompt_cache_retention": "24h"}}),
        (
            "prompt_cache_retention: 24h",
            chat(model="gpt-4o", extra_body={"x": 1}),
            {},
            {"extra_body": {"x": 1, "prompt_cache_retention": "24h"}},
        ),
        (
            "prompt_cache_key: k, prompt_cache_retention: in_memory",
            GPT,
            {},
            {"prompt_cache_key": "k", "extra_body": {"prompt_cache_retention": "in_memory"}},
        ),
    ],
)
def test_sets(values, request_, given, added):
    before = copy.deepcopy(request_)
    plan = engine(setting(values)).plan(request_, **given)
    assert plan.request == {**before, **added}
    assert request_ == before
    assert {reason for *_, reason in said(plan)} == {"applied"}
    assert all(placement.ttl is None and placement.at == placement.location for placement in plan.placements)
    assert engine(setting(values)).rewrite(plan.request, **given) is plan.request


def key_of(request):
    return engine(setting("prompt_cache_key: '{prefix_hash}'")).rewrite(request).get("prompt_cache_key")


def test_a_key_by_the_prefix_is_the_same_for_the_same_tools_and_system_prompt():
    talk = [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}]
    request = chat(talk, model="openai/gpt-4o", tools=[tool()])
    key = key_of(request)
    assert re.fullmatch("[0-9a-f]{16}", key)
    longer = [*talk, {"role": "assistant", "content": "a"}, {"role": "user", "content": "r"}]
    mark = {"type": "ephemeral"}
    in_a_list = [{"role": "system", "content": [{**text("s"), "cache_control": mark}]}, *talk[1:]]
    same = [
        chat(longer, model="openai/gpt-4o", tools=[tool()]),
        chat(in_a_list, model="openai/gpt-4o", tools=[tool(cache_control=mark)]),
    ]
    assert [key_of(one) for one in same] == [key, key]
    other = [
        chat(talk[1:], model="openai/gpt-4o", tools=[tool()]),
        chat(talk, model="openai/gpt-4o"),
        chat([{"role": "system", "content": "t"}, *talk[1:]], model="openai/gpt-4o", tools=[tool()]),
    ]
    assert len({key, *map(key_of, other)}) == 4


def test_there_is_no_key_by_a_prefix_that_is_none():
    assert key_of(chat([{"role": "user", "content": "q"}], model="openai/gpt-4o")) is None
    endless = tool()
    endless["function"]["parameters"] = endless
    assert key_of(chat(model="openai/gpt-4o", tools=[endless])) is None


@pytest.mark.parametrize(
    ("values", "request_", "given", "reason", "detail"),
    [
        ("prompt_cache_key: '{metadata.x}'", GPT, {}, "no_target", "metadata.x is absent"),
        ("prompt_cache_key: '{alias}'", GPT, {}, "no_target", "alias is absent"),
        (
            "prompt_cache_key: '{metadata.x}'",
            GPT,
            {"metadata": {"x": {"y": 1}}},
            "no_target",
            "metadata.x is absent",
        ),
        (
            "prompt_cache_key: k",
            chat(model="gpt-4o", prompt_cache_key="mine"),
            {},
            "kept_client_marker",
            "the client set another value",
        ),
        ("prompt_cache_key: k", chat(model="gpt-4o", prompt_cache_key="k"), {}, "kept_client_marker", ""),
        (
            "prompt_cache_retention: 24h",
            chat(model="gpt-4o", extra_body={"prompt_cache_retention": "in_memory"}),
            {},
            "kept_client_marker",
            "the client set another value",
        ),
        (
            "prompt_cache_key: k",
            chat(),
            {},
            "provider_unsupported",
            "prompt_cache_key does not reach anthropic",
        ),
        (
            "prompt_cache_key: k",
            chat(model=BEDROCK),
            {},
            "provider_unsupported",
            "prompt_cache_key does not reach bedrock",
        ),
        (
            "prompt_cache_key: k",
            chat(model="super"),
            {},
            "provider_unsupported",
            "prompt_cache_key does not reach an unknown provider",
        ),
    ],
)
def test_sets_nothing(values, request_, given, reason, detail):
    plan = engine(setting(values)).plan(request_, **given)
    assert [(placement.reason, placement.detail) for placement in plan.placements] == [(reason, detail)]
    assert plan.request is request_


def test_the_first_rule_to_set_a_parameter_keeps_it():
    plan = engine(setting("prompt_cache_key: one"), setting("prompt_cache_key: two")).plan(GPT)
    assert [reason for *_, reason in said(plan)] == ["applied", "duplicate"]
    assert plan.request["prompt_cache_key"] == "one"


def test_replacing_takes_the_place_of_the_clients_value():
    request = chat(model="gpt-4o", prompt_cache_key="mine")
    plan = engine(setting("prompt_cache_key: ours"), client_markers="replace").plan(request)
    assert plan.request == {**request, "prompt_cache_key": "ours"}
    assert said(plan) == [("$['prompt_cache_key']", "$['prompt_cache_key']", None, "applied")]


def test_observing_sets_nothing():
    plan = engine(setting("prompt_cache_key: k"), mode="observe").plan(GPT)
    assert plan.request is GPT
    assert [reason for *_, reason in said(plan)] == ["observed"]


# split_text

STABLE, TODAY = BIG, "## Today is Monday. You are in Zurich."
WHOLE = STABLE + TODAY


def splitting(targets, at="## Today"):
    return f"targets: [{targets}], action: {{split_text: {{at: '{at}'}}}}"


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (native(system=WHOLE), native(system=[text(STABLE), text(TODAY)])),
        (native(system=[text("a"), text(WHOLE)]), native(system=[text("a"), text(STABLE), text(TODAY)])),
        (
            chat([{"role": "system", "content": WHOLE}, user("q")]),
            chat([{"role": "system", "content": [text(STABLE), text(TODAY)]}, user("q")]),
        ),
        (
            chat([{"role": "system", "content": [text(WHOLE)]}, user("q")]),
            chat([{"role": "system", "content": [text(STABLE), text(TODAY)]}, user("q")]),
        ),
        (
            native(system=[text(WHOLE, cache_control=HOUR)]),
            native(system=[text(STABLE), text(TODAY, cache_control=HOUR)]),
        ),
        (
            native(system=WHOLE + TODAY),
            native(system=[text(STABLE), text(TODAY + TODAY)]),
        ),
    ],
    ids=[
        "string",
        "block",
        "system message",
        "system message block",
        "client's marker stays last",
        "first boundary",
    ],
)
def test_splits(request_, expected):
    before = copy.deepcopy(request_)
    rules = engine(splitting("system"))
    plan = rules.plan(request_)
    assert plan.request == expected
    assert request_ == before
    assert [reason for *_, reason in said(plan)] == ["applied"]
    assert plan.placements[0].detail == f"after {len(STABLE):,} characters"
    assert rules.rewrite(plan.request) is plan.request


@pytest.mark.parametrize(
    ("request_", "expected", "at"),
    [
        (native(system=WHOLE), native(system=[text(STABLE, cache_control=BARE), text(TODAY)]), "$['system']"),
        (
            native(system=[text(WHOLE)]),
            native(system=[text(STABLE, cache_control=BARE), text(TODAY)]),
            "$['system'][0]",
        ),
        (
            chat([{"role": "system", "content": WHOLE}, user("q")]),
            chat([{"role": "system", "content": [text(STABLE, cache_control=BARE), text(TODAY)]}, user("q")]),
            "$['messages'][0]['content']",
        ),
    ],
)
@pytest.mark.parametrize(
    "rules", [(splitting("system"), add("system")), (add("system"), splitting("system"))]
)
def test_the_marker_goes_on_the_stable_part(rules, request_, expected, at):
    both = engine(*rules)
    plan = both.plan(request_)
    assert plan.request == expected
    assert sorted(where for _, where, _, _ in said(plan)) == [at, at]
    assert both.rewrite(plan.request) is plan.request


def test_a_later_turn_of_a_split_conversation_is_split_alike():
    rules = engine(splitting("system"), add("system, messages.last"))
    first = rules.rewrite(native(system=WHOLE))
    later = rules.rewrite(
        native([*native()["messages"], {"role": "assistant", "content": "a"}, user("r")], system=WHOLE)
    )
    assert later["system"] == first["system"]


@pytest.mark.parametrize(
    ("request_", "rule", "expected"),
    [
        (native(), splitting("system"), ("$['system']", None, None, "no_target")),
        (native(system=TODAY + BIG), splitting("system"), ("$['system']", None, None, "duplicate")),
        (chat([user("q")]), splitting("system"), (None, None, None, "no_target")),
        (native(tools=[native_tool()]), splitting("tools"), ("$['tools'][0]", None, None, "not_markable")),
        (native(), splitting("'$.model'"), ("$['model']", None, None, "not_markable")),
        (native(), splitting("request"), ("$", None, None, "not_markable")),
        (chat(model="gpt-4o"), splitting("system"), (None, None, None, "provider_automatic")),
        (chat(model="super"), splitting("system"), (None, None, None, "provider_unsupported")),
    ],
    ids=["absent", "at the start", "no system", "no text", "outside", "request", "automatic", "unknown"],
)
def test_splits_nothing(request_, rule, expected):
    plan = engine(rule).plan(request_)
    assert said(plan) == [expected]
    assert plan.request is request_


def test_a_text_is_split_once():
    plan = engine(splitting("system"), splitting("system", "Zurich")).plan(native(system=WHOLE))
    assert [reason for *_, reason in said(plan)] == ["applied", "duplicate"]
    assert plan.request == native(system=[text(STABLE), text(TODAY)])


def test_standing_down_splits_nothing():
    request = native([user([text("q", cache_control=BARE)])], system=WHOLE)
    assert engine(splitting("system"), add("system"), client_markers="stand_down").rewrite(request) is request


def test_a_split_and_markers_before_and_after_it():
    request = chat(
        [{"role": "system", "content": WHOLE}, user("q"), {"role": "assistant", "content": "a"}, user("r")],
        tools=[tool()],
    )
    rewritten = engine(splitting("system"), add("tools, system", "1h"), add("messages.last")).rewrite(request)
    assert marked(rewritten) == [
        ("$['messages'][0]['content'][0]", "1h"),
        ("$['messages'][3]['content'][0]", "5m"),
        ("$['tools'][0]", "1h"),
    ]
    assert without(rewritten)["messages"][0]["content"] == [text(STABLE), text(TODAY)]


def test_edits_are_in_prefix_order():
    request = native(
        [user("q"), {"role": "assistant", "content": "a"}, user([text("r", cache_control=BARE)])],
        system=WHOLE,
        tools=[native_tool()],
    )
    rules = engine(add("'$.messages[0]'"), removing("messages.last"), splitting("system"), add("tools"))
    plan = rules.plan(request)
    assert [normalized(edit.location) for edit in plan.edits] == [
        "$['tools'][0]",
        "$['system']",
        "$['messages'][0]['content']",
        "$['messages'][2]['content'][0]",
    ]


def test_removes_from_messages_that_are_objects():
    call = {
        "id": "c",
        "type": "function",
        "function": {"name": "f", "arguments": "{}"},
        "cache_control": BARE,
    }
    answer = Message(role="assistant", content="a", cache_control=BARE)
    asked = Message(role="assistant", content="b", tool_calls=[call])
    request = chat([user(BIG), answer, user("q"), asked, result("c")], tools=[tool()])
    plan = engine(REMOVE).plan(request)
    assert [placement.detail for placement in plan.placements] == ["2 removed"]
    assert marked(plan.request) == []
    assert answer.cache_control == BARE


def test_a_result_of_a_tool_message_can_be_unmarked():
    request = chat([user(BIG), result(0, cache_control=BARE)], tools=[tool()])
    assert engine(removing("messages.last_tool_result")).rewrite(request) == chat(
        [user(BIG), result(0)], tools=[tool()]
    )


@pytest.mark.parametrize("conduct", ["client_markers: replace", "client_markers: keep"])
def test_a_removed_marker_does_not_survive_on_the_second_half_of_a_split(conduct):
    engine = Engine.from_text(f"""
version: 1
name: p
{conduct}
rules:
  - {{name: clear, action: {{remove_cache_control: {{}}}}}}
  - {{name: split, targets: [system], action: {{split_text: {{at: "## Today"}}}}}}
  - {{name: mark, targets: [system], action: {{add_cache_control: {{}}}}}}
""")
    text = "stable " * 1_000 + "## Today"
    block = {"type": "text", "text": text, "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    request = {
        "model": "anthropic/claude-sonnet-4-5",
        "messages": [{"role": "system", "content": [block]}, {"role": "user", "content": "hi"}],
    }
    assert engine.rewrite(request)["messages"][0]["content"] == [
        {"type": "text", "text": "stable " * 1_000, "cache_control": {"type": "ephemeral"}},
        {"type": "text", "text": "## Today"},
    ]


def test_two_parameters_share_one_extra_body(tmp_path):
    catalog = tmp_path / "catalog.yaml"
    catalog.write_text("""
version: 1
routes:
  - name: openai-automatic
    parameters: {prompt_cache_key: {send: extra_body}, prompt_cache_retention: {send: extra_body}}
""")
    engine = Engine.from_text(
        """
version: 1
name: p
rules:
  - {name: both, action: {set: {prompt_cache_key: k, prompt_cache_retention: 24h}}}
""",
        catalog=catalog,
    )
    request = {"model": "gpt-5", "messages": [{"role": "user", "content": "hi"}]}
    plan = engine.plan(request)
    assert plan.request["extra_body"] == {"prompt_cache_key": "k", "prompt_cache_retention": "24h"}
    assert [operation["path"] for operation in plan.json_patch()] == [
        "/extra_body",
        "/extra_body/prompt_cache_retention",
    ]


@pytest.mark.parametrize(
    ("values", "given"),
    [
        ("prompt_cache_retention: 24h", {"prompt_cache_retention": "in_memory"}),
        ("prompt_cache_key: k", {"prompt_cache_key": "c", "extra_body": {"prompt_cache_key": None}}),
    ],
)
def test_the_clients_value_stays_wherever_it_is(values, given):
    request = chat(model="gpt-4o", **given)
    engine = Engine.from_text(
        f"version: 1\nname: p\nrules:\n  - {{name: r, action: {{set: {{{values}}}}}}}\n"
    )
    assert [one.reason for one in engine.plan(request).placements] == ["kept_client_marker"]
    assert engine.rewrite(request) is request


@pytest.mark.parametrize(
    ("value", "key"),
    [
        ("acme", "acme"),
        (7, "7"),
        (True, "true"),
        ("", None),
        ("\ud800", None),
        ((1, 2), None),
        ({"a": 1}, None),
        (object(), None),
    ],
)
def test_what_a_placeholder_can_be(value, key):
    engine = Engine.from_text(
        "version: 1\nname: p\nrules:\n  - {name: r, action: {set: {prompt_cache_key: '{metadata.x}'}}}\n"
    )
    plan = engine.plan(chat(model="gpt-4o", metadata={"x": value}))
    assert plan.request.get("prompt_cache_key") == key
    assert [one.reason for one in plan.placements] == ["applied" if key else "no_target"]


@pytest.mark.parametrize(
    "given",
    [
        [{"role": "system", "content": WHOLE, "cache_control": BARE}, user("q")],
        [{"role": "system", "content": [text(WHOLE, cache_control=BARE)]}, user("q")],
    ],
)
def test_a_clients_marker_ends_the_second_half_and_the_policys_the_first(given):
    halves = [text(STABLE), text(TODAY, cache_control=BARE)]
    assert engine(splitting("system")).rewrite(chat(given))["messages"][0]["content"] == halves
    both = engine(splitting("system"), add("system"))
    plan = both.plan(chat(given))
    halves = [text(STABLE, cache_control=BARE), text(TODAY, cache_control=BARE)]
    assert plan.request["messages"][0] == {"role": "system", "content": halves}
    assert [(one.at[-1], one.party) for one in plan.breakpoints] == [(0, "policy"), (1, "client")]
    assert both.rewrite(plan.request) is plan.request


def test_a_short_marker_is_not_put_before_a_clients_long_one_on_the_second_half():
    both = engine(splitting("system"), add("system"))
    plan = both.plan(chat([{"role": "system", "content": [text(WHOLE, cache_control=HOUR)]}, user("q")]))
    assert [one.party for one in plan.breakpoints] == ["client"]
    assert both.rewrite(plan.request) is plan.request


def test_a_marker_on_the_request_ends_the_second_half():
    both = engine(splitting("messages.last"), add("request, messages.last"))
    plan = both.plan(native([user(WHOLE)]))
    assert [one.slot for one in plan.breakpoints] == [1, 2]
    assert plan.request["messages"][0]["content"] == [text(STABLE, cache_control=BARE), text(TODAY)]
    assert both.rewrite(plan.request) is plan.request


def test_a_run_ends_in_the_stable_half_again():
    both = Engine.from_text("""
version: 1
name: p
client_markers: replace
rules:
  - name: s
    match: {provider: gemini}
    targets: [messages.last_user]
    action: {split_text: {at: "## Today"}}
  - {name: r, match: {provider: gemini}, targets: [messages.last], action: {add_cache_control: {}}}
""")
    request = chat([user(STABLE * 200 + TODAY), {"role": "assistant", "content": "ok"}])
    once = both.rewrite(request | {"model": "gemini/gemini-2.5-pro"})
    assert [sorted(part) for part in once["messages"][0]["content"]] == [
        ["cache_control", "text", "type"],
        ["text", "type"],
    ]
    assert both.rewrite(once) == once


def test_what_slept_beside_a_removed_marker_does_not_wake():
    both = {"cache_control": BARE, "prompt_cache_breakpoint": {"mode": "explicit"}}
    sent = engine(REMOVE).rewrite(chat([user([text("q", **both)])]))
    assert sent["messages"] == [user([text("q")])]
