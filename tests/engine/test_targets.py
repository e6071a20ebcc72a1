"""Every target: what it names in either shape, and how many of its hits are taken."""

from __future__ import annotations

import pytest
from litellm.types.utils import Message

from tests.engine.requests import (
    ANTHROPIC,
    BEDROCK,
    BIG,
    add,
    call,
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
    tool_use,
)

S, D = {"role": "system", "content": BIG}, {"role": "developer", "content": BIG}


def user(content):
    return {"role": "user", "content": content}


def assistant(content, **more):
    return {"role": "assistant", "content": content, **more}


def calling(*numbers):
    return assistant(None, tool_calls=[call(number) for number in numbers])


def using(*numbers):
    return assistant([text("let me look"), *(tool_use(number) for number in numbers)])


def results(*numbers, then=()):
    return user([*(tool_result(number) for number in numbers), *map(text, then)])


def placed(target, request):
    [(location, at, _, reason)] = said(engine(add(target)).plan(request))
    assert reason in {"applied", "no_target"}
    return location, at


NOTHING = (None, None)
NO_SYSTEM = {"model": ANTHROPIC, "messages": [user(BIG)]}
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "eA=="}}
PARALLEL = chat([user(BIG), calling(0, 1), result(0), result(1)], tools=[tool()])
NATIVE_PARALLEL = native([user("q"), using(0, 1), results(0, 1)], tools=[native_tool()])
STABLE = "{at: system.stable, boundary: '## Today'}"
LOOP = chat([S, user("q"), calling(0), result(0), calling(1, 2), result(1), result(2)], tools=[tool()])
NATIVE_LOOP = native([user("q"), using(0), results(0), using(1, 2), results(1, 2)], tools=[native_tool()])
ANSWERED = native([user("q"), using(0), results(0, then=["and now?"])], tools=[native_tool()])


@pytest.mark.parametrize(
    ("target", "request_", "location", "at"),
    [
        # system
        ("system", chat(), "$['messages'][0]", "$['messages'][0]['content']"),
        ("system", chat([D, user("q")]), "$['messages'][0]", "$['messages'][0]['content']"),
        ("system", chat([S, D, S, user("q")]), "$['messages'][2]", "$['messages'][2]['content']"),
        (
            "system",
            chat([S, {"role": "system", "content": ""}, user("q")]),
            "$['messages'][1]",
            "$['messages'][0]['content']",
        ),
        (
            "system",
            chat([{"role": "system", "content": [text(BIG), text("b"), text("")]}, user("q")]),
            "$['messages'][0]",
            "$['messages'][0]['content'][1]",
        ),
        ("system", chat([S, user("q"), S, user("r")]), "$['messages'][0]", "$['messages'][0]['content']"),
        ("system", native(), "$['system']", "$['system']"),
        ("system", native(system=[text(BIG), text("b")]), "$['system']", "$['system'][1]"),
        ("system", native(system=[text(BIG), text(" ")]), "$['system']", "$['system'][0]"),
        ("system", NO_SYSTEM, None, None),
        ("system", native(system=""), None, None),
        ("system", native(system=[]), None, None),
        # tools
        ("tools", chat(tools=[tool(), tool("g"), tool("h")]), "$['tools'][2]", "$['tools'][2]"),
        ("tools", native(tools=[native_tool(), native_tool("g")]), "$['tools'][1]", "$['tools'][1]"),
        (
            "tools",
            native(
                tools=[
                    native_tool(),
                    native_tool("g", defer_loading=True),
                    native_tool("h", defer_loading=True),
                ]
            ),
            "$['tools'][2]",
            "$['tools'][0]",
        ),
        (
            "tools",
            native(tools=[native_tool(), {"type": "web_search_20250305", "name": "w"}]),
            "$['tools'][1]",
            "$['tools'][1]",
        ),
        ("tools", chat(tools=[]), None, None),
        ("tools", chat(), None, None),
        # messages.last
        ("messages.last", chat(), "$['messages'][1]", "$['messages'][1]['content']"),
        ("messages.last", native(), "$['messages'][0]", "$['messages'][0]['content']"),
        (
            "messages.last",
            native([user([text("a"), text("b")])]),
            "$['messages'][0]",
            "$['messages'][0]['content'][1]",
        ),
        (
            "messages.last",
            native([user([text("a"), IMAGE])]),
            "$['messages'][0]",
            "$['messages'][0]['content'][1]",
        ),
        ("messages.last", PARALLEL, "$['messages'][3]", "$['messages'][3]"),
        ("messages.last", NATIVE_PARALLEL, "$['messages'][2]", "$['messages'][2]['content'][1]"),
        ("messages.last", ANSWERED, "$['messages'][2]", "$['messages'][2]['content'][1]"),
        (
            "messages.last",
            chat([S, user("q"), calling(0, 1)], tools=[tool()]),
            "$['messages'][2]",
            "$['messages'][2]['tool_calls'][1]",
        ),
        ("messages.last", chat([S]), None, None),
        # messages.last_user
        ("messages.last_user", chat(), "$['messages'][1]", "$['messages'][1]['content']"),
        ("messages.last_user", LOOP, "$['messages'][1]", "$['messages'][1]['content']"),
        ("messages.last_user", NATIVE_LOOP, "$['messages'][0]", "$['messages'][0]['content']"),
        ("messages.last_user", ANSWERED, "$['messages'][2]['content'][1]", "$['messages'][2]['content'][1]"),
        (
            "messages.last_user",
            native([user("q"), using(0), user([text("so"), tool_result(0)])], tools=[native_tool()]),
            "$['messages'][2]['content'][0]",
            "$['messages'][2]['content'][0]",
        ),
        (
            "messages.last_user",
            chat([S, user("q"), assistant("a")]),
            "$['messages'][1]",
            "$['messages'][1]['content']",
        ),
        ("messages.last_user", chat([S, assistant(BIG)]), None, None),
        # messages.last_tool_result
        ("messages.last_tool_result", PARALLEL, "$['messages'][3]", "$['messages'][3]"),
        (
            "messages.last_tool_result",
            NATIVE_PARALLEL,
            "$['messages'][2]['content'][1]",
            "$['messages'][2]['content'][1]",
        ),
        (
            "messages.last_tool_result",
            ANSWERED,
            "$['messages'][2]['content'][0]",
            "$['messages'][2]['content'][0]",
        ),
        (
            "messages.last_tool_result",
            chat([S, user("q"), calling(0), result(0, [text("x"), text("y")]), user("r")], tools=[tool()]),
            "$['messages'][3]",
            "$['messages'][3]",
        ),
        ("messages.last_tool_result", chat(), None, None),
        # messages.previous_turn
        ("messages.previous_turn", LOOP, "$['messages'][3]", "$['messages'][3]"),
        ("messages.previous_turn", NATIVE_LOOP, "$['messages'][2]", "$['messages'][2]['content'][0]"),
        ("messages.previous_turn", PARALLEL, "$['messages'][0]", "$['messages'][0]['content']"),
        ("messages.previous_turn", ANSWERED, "$['messages'][0]", "$['messages'][0]['content']"),
        (
            "messages.previous_turn",
            native([user("q"), assistant("a"), user("r")]),
            "$['messages'][0]",
            "$['messages'][0]['content']",
        ),
        (
            "messages.previous_turn",
            native([user("q"), assistant("a"), assistant("b"), user("r"), user("s")]),
            "$['messages'][0]",
            "$['messages'][0]['content']",
        ),
        ("messages.previous_turn", native([user("q")]), None, None),
        ("messages.previous_turn", chat([S, assistant("hello"), user("q")]), None, None),
        # messages.stable
        ("messages.stable", LOOP, "$['messages'][6]", "$['messages'][6]"),
        (
            "messages.stable",
            chat([S, user("q"), assistant("a"), user("r"), {"role": "system", "content": "now"}]),
            "$['messages'][3]",
            "$['messages'][3]['content']",
        ),
        (
            "messages.stable",
            native([user("q"), using(0), results(0, then=["<system-reminder>x", "<system-reminder>y"])]),
            "$['messages'][2]['content'][0]",
            "$['messages'][2]['content'][0]",
        ),
        (
            "messages.stable",
            native([user("q"), assistant("a"), user("\n<system-reminder>now")]),
            "$['messages'][1]",
            "$['messages'][1]['content']",
        ),
        (
            "messages.stable",
            native([user("q"), assistant("a"), user([text("<environment_details>")])]),
            "$['messages'][1]",
            "$['messages'][1]['content']",
        ),
        ("messages.stable", native([user("<system-reminder>now")]), None, None),
        # system.stable
        (
            STABLE,
            native(system=[text(BIG), text("b"), text("\n## Today"), text("c")]),
            *["$['system'][1]"] * 2,
        ),
        (STABLE, native(system=[text(BIG), text("b")]), "$['system']", "$['system'][1]"),
        (STABLE, native(system=f"{BIG} ## Today"), None, None),
        (STABLE, native(system=[text("## Today"), text(BIG)]), None, None),
        (
            STABLE,
            chat([S, {"role": "developer", "content": "## Today"}, user("q")]),
            *["$['messages'][0]['content']"] * 2,
        ),
        (
            STABLE,
            chat([{"role": "system", "content": [text(BIG), text("x ## Today")]}, user("q")]),
            *["$['messages'][0]['content'][0]"] * 2,
        ),
        # request
        ("request", native(), "$", "$"),
        ("request", chat(), "$", "$"),
        # paths
        ("'$.tools'", chat(tools=[tool(), tool("g")]), "$['tools']", "$['tools'][1]"),
        ("'$.system'", native(), "$['system']", "$['system']"),
        ("'$.system'", native(system=[text(BIG), text("b")]), "$['system']", "$['system'][1]"),
        ("'$.system[0]'", native(system=[text(BIG), text("b")]), "$['system'][0]", "$['system'][0]"),
        ("'$.messages'", native([user("q"), assistant("a")]), "$['messages']", "$['messages'][1]['content']"),
        (
            "'$.messages[0]'",
            native([user([text("a"), text("b")])]),
            "$['messages'][0]",
            "$['messages'][0]['content'][1]",
        ),
        (
            "'$.messages[0].content'",
            native([user([text("a"), text("b")])]),
            "$['messages'][0]['content']",
            "$['messages'][0]['content'][1]",
        ),
        (
            "'$.messages[0].content[0]'",
            native([user([text("a"), text("b")])]),
            "$['messages'][0]['content'][0]",
            "$['messages'][0]['content'][0]",
        ),
        ("'$.messages[-1].content'", PARALLEL, "$['messages'][3]['content']", "$['messages'][3]"),
    ],
)
def test_names(target, request_, location, at):
    assert placed(target, request_) == (location, at)


def test_a_tool_result_on_bedrock():
    assert placed("messages.last_tool_result", {**PARALLEL, "model": BEDROCK}) == ("$['messages'][3]",) * 2


def test_messages_made_of_objects():
    request = chat([S, user("q"), Message(role="assistant", content="a"), user("r")])
    assert placed("'$.messages[2]'", request) == ("$['messages'][2]", "$['messages'][2]['content']")
    assert placed("messages.previous_turn", request) == ("$['messages'][1]", "$['messages'][1]['content']")


TURNS = native([user(str(number)) if number % 2 == 0 else assistant(str(number)) for number in range(9)])
USERS = "\"$.messages[?@.role=='user']\""


@pytest.mark.parametrize(
    ("take", "indexes"),
    [
        ("first", [0]),
        ("last", [8]),
        ("all", [8, 6, 4, 2]),
        (1, [8]),
        (2, [8, 6]),
        (3, [8, 6, 4]),
        (99, [8, 6, 4, 2]),
    ],
)
def test_takes(take, indexes):
    plan = engine(add(f"{{at: {USERS}, take: {take}}}")).plan(TURNS)
    assert [one.location for one in plan.placements if one.reason == "applied"] == [
        ("messages", n) for n in indexes
    ]
    wanted = {"all": 5, 99: 5}.get(take, len(indexes))
    assert len(plan.placements) == wanted
    assert marked(plan.request) == [(f"$['messages'][{n}]['content'][0]", "5m") for n in sorted(indexes)]


def test_a_target_without_take_takes_all():
    assert said(engine(add(USERS)).plan(TURNS)) == said(
        engine(add(f"{{at: {USERS}, take: all}}")).plan(TURNS)
    )


def test_targets_are_located_on_the_original_request():
    """A text that one rule turned into a block is no block for the next."""
    plan = engine(add("'$.messages[0]'"), add("'$.messages[0].content[0]'")).plan(native())
    assert said(plan) == [
        ("$['messages'][0]", "$['messages'][0]['content']", "5m", "applied"),
        (None, None, "5m", "no_target"),
    ]


@pytest.mark.parametrize(
    ("request_", "marked_request"),
    [
        (native(), native([user([text("q", cache_control={"type": "ephemeral"})])])),
        (
            native([user([text("a"), text("b")])]),
            native([user([text("a"), text("b", cache_control={"type": "ephemeral"})])]),
        ),
        (
            chat(PARALLEL["messages"], tools=[tool()]),
            chat([*PARALLEL["messages"][:3], result(1, cache_control={"type": "ephemeral"})], tools=[tool()]),
        ),
    ],
)
def test_the_marked_request(request_, marked_request):
    assert engine(add("messages.last")).rewrite(request_) == marked_request


@pytest.mark.parametrize(
    ("ttl", "marker"),
    [("", {"type": "ephemeral"}), ("5m", {"type": "ephemeral"}), ("1h", {"type": "ephemeral", "ttl": "1h"})],
)
def test_the_marker(ttl, marker):
    rewritten = engine(add("tools, request", ttl)).rewrite(native(tools=[native_tool()]))
    assert rewritten["tools"][0]["cache_control"] == marker
    assert rewritten["cache_control"] == marker
