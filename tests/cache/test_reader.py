"""What a reader read before changes nothing of what it reads next."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy_cache.cache.named import Reader
from policy_cache.cache.reader import Readers
from policy_cache.cache.reading import assembled, cached, in_order
from policy_cache.providers.catalog import packaged_catalog
from policy_cache.providers.resolve import resolve
from policy_cache.request.blocks import walk
from policy_cache.request.prompt import AREAS, Prompt, detect_shape
from tests.prompts import content, items, native_messages, requests, text_block, texts

CALLED_BY_CODE = {
    "type": "tool_use",
    "id": "t",
    "name": "f",
    "input": {},
    "caller": {"type": "code_execution", "tool_id": "c"},
}
ASKS_BY_CODE = {"role": "assistant", "content": [CALLED_BY_CODE]}
ASKS = {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]}
TOOL = {"name": "f", "input_schema": {}}
FUNCTION = {"type": "function", "function": {"name": "f", "parameters": {}}}
ONE = {"id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}}
TWICE = {"role": "assistant", "content": "a", "tool_calls": [ONE, ONE]}
RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "r"}]}
CALL = {"type": "function_call", "call_id": "t", "name": "f", "arguments": "{}"}
SAYS = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "yes"}]}
DEFERRED = {"type": "function", "function": {"name": "f", "parameters": {}}, "defer_loading": True}
SEARCH = {"type": "web_search_20250305", "name": "web_search"}


@cache
def routes(shape):
    """A route for each table of blocks that requests of a shape meet."""
    catalog = packaged_catalog()
    [any_, *_] = catalog.routes
    route = resolve(catalog, model="m", provider=any_.providers[0], api_base=None, shape=shape)
    tables = {entry.blocks[shape] for entry in catalog.routes if shape in entry.blocks}
    rules = [catalog.blocks[table].rules for table in sorted(tables)]
    return [replace(route, blocks=replace(each, system_parameter=shape == "messages")) for each in rules]


@st.composite
def changed(draw, request):
    """A request of which one element is another, moved, gone or new."""
    area = "input" if "input" in request else "messages"
    elements = request[area]
    others = st.one_of(
        st.builds(lambda text: {"role": "user", "content": text}, texts()),
        st.builds(lambda parts: {"role": "user", "content": parts}, content([text_block(2)])),
        st.builds(lambda text: {"role": "assistant", "content": text}, texts()),
        st.builds(lambda text: {"role": "system", "content": text}, texts()),
        *([items(2).map(lambda drawn: drawn[0])] if area == "input" else []),
        *([native_messages(2).map(lambda drawn: drawn[-1])] if area == "messages" else []),
        st.just({"role": "assistant", "content": [CALLED_BY_CODE]}) if area == "messages" else st.just(CALL),
    )
    what = draw(st.sampled_from(["new", "another", "gone", "moved", "tools", "tool", "system", "text"]))
    if what == "tools":
        return {name: value for name, value in request.items() if name != "tools"}
    if what == "tool":
        tool = draw(st.sampled_from([DEFERRED, SEARCH]))
        return {**request, "tools": [*(request.get("tools") or ()), tool]}
    if what == "system":
        return {**request, "system": draw(texts()), "instructions": draw(texts())}
    if what == "text" and area == "input":
        return {**request, "input": draw(texts())}
    if not isinstance(elements, list):
        return {**request, area: [{"role": "user", "content": elements}]}
    place = draw(st.integers(0, max(0, len(elements) - 1)))
    kept = [*elements[:place], *elements[place + 1 :]]
    match what:
        case "another":
            return {**request, area: [*elements[:place], draw(others), *elements[place + 1 :]]}
        case "gone" if kept:
            return {**request, area: kept}
        case "moved":
            return {**request, area: [*kept, *elements[place : place + 1]]}
    return {**request, area: [*elements[:place], draw(others), *elements[place:]]}


@st.composite
def conversations(draw):
    """A request, and others that each differ in one element from the one before."""
    sent = [draw(requests(3))]
    for _ in range(draw(st.integers(1, 4))):
        sent.append(draw(changed(sent[-1])))
    return sent


def walked(request, route):
    """The prompt as the one walk has it."""
    prompt = Prompt(request, route.shape)
    blocks = in_order(cached(prompt, block) for block in walk(prompt, route.blocks))
    return assembled(prompt, blocks, model="", scope="")


def bare(prompt):
    """Where markers may stand, which what is warm does not ask for, left out."""
    return replace(prompt, blocks=tuple(replace(block, cacheable=True) for block in prompt.blocks))


def chat(*messages, **more):
    return {"model": "m", "messages": [*messages], **more}


def inputs(*given, **more):
    return {"model": "m", "input": [*given], **more}


EXAMPLES = [
    [{"model": "m", "input": "a"}, inputs({"role": "user", "content": "a"})],
    [inputs(SAYS, CALL), inputs(SAYS, {"role": "user", "content": "a"}, CALL)],
    [inputs(SAYS, CALL), inputs(SAYS, CALL, tools=[{"type": "function", "name": "f"}])],
    [chat(ASKS, RESULT, system=""), chat(ASKS_BY_CODE, RESULT, system="")],
    [chat(ASKS, RESULT, system="", tools=[TOOL]), chat(ASKS, RESULT, system="")],
    [chat(TWICE, tools=[FUNCTION]), chat(TWICE)],
    [chat({"role": "user", "content": "a"}, tools=[DEFERRED]), chat({"role": "user", "content": "a"})],
    [chat({"role": "system", "content": "a"}), chat({"role": "system", "content": "a"}, system="b")],
    [
        chat({"role": "user", "content": "a"}, {"role": "system", "content": "b"}),
        chat({"role": "system", "content": "b"}, {"role": "user", "content": "a"}),
    ],
]


@pytest.mark.property
@settings(deadline=None)
@given(conversations())
def test_what_is_drawn_is_read_as_it_is(sent):
    check(sent)


@pytest.mark.parametrize("sent", EXAMPLES)
def test_what_was_read_before_changes_nothing(sent):
    check(sent)


def check(sent):
    readers, reader = Readers({}), Reader()
    for request in sent:
        shape = detect_shape(request)
        assert AREAS[shape] in request
        for route in routes(shape):
            fresh = walked(request, route)
            warm = reader.plain(Prompt(request, shape), route)
            assert bare(warm) == bare(fresh)
            assert warm.prefix == fresh.prefix
            assert replace(readers.read(request, route), model="") == fresh


def test_of_a_type_that_is_a_text_no_more_is_kept_than_a_name():
    part = {"type": "x" * 1_000_000, "text": "a"}
    prompt = Prompt(chat({"role": "user", "content": [part]}), "chat")
    [block] = Reader().plain(prompt, routes("chat")[0]).blocks
    assert len(block.kind) == 64
