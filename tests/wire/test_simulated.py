"""The simulator reads a chat request as the prompt that litellm sends: blocks, sizes and breakpoints."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy_cache import Engine
from policy_cache.cache.reader import PromptReader
from policy_cache.cache.reading import marked, messages_prompt
from policy_cache.integrations.litellm import wire
from policy_cache.request.prompt import Prompt

MODEL = "anthropic/claude-sonnet-4-5"
LONG = "word " * 1_500


def sent(request):
    """What of each block of the body is hashed, its size and its breakpoint."""
    return blocks(messages_prompt(wire(request).sent[-1].body))


def read(engine, request):
    plan = engine.plan(request)
    prompt = PromptReader(plan.route.shape, plan.route.blocks).read(request, model=plan.route.model)
    markers = plan.route.markers_of(Prompt(plan.request, plan.route.shape))
    return blocks(marked(prompt, markers, plan.route)), plan.request


def blocks(prompt):
    shown = [(b.level, b.kind, b.content, b.tokens) for b in prompt.blocks]
    return shown, prompt.breakpoints, prompt.tokens


def recorded(traces):
    for path in sorted((traces / "taubench").glob("*.jsonl")):
        lines = path.read_text(encoding="utf-8").splitlines()
        yield from (json.loads(lines[n]) | {"model": MODEL} for n in (0, len(lines) // 2, -1))
    for path in sorted((traces / "openhands").glob("*.json")):
        log = json.loads(path.read_text(encoding="utf-8"))
        yield {"model": MODEL, "messages": log["messages"], "tools": log["tools"]}


def test_recorded_requests(traces):
    engine = Engine.default()
    for request in recorded(traces):
        found, rewritten = read(engine, request)
        assert found == sent(rewritten)


texts = st.sampled_from(["hi", LONG, LONG + "again", "x" * 40])
parts = st.lists(st.builds(lambda text: {"type": "text", "text": text}, texts), min_size=1, max_size=3)
contents = texts | parts
pictures = st.just(
    [
        {"type": "text", "text": "see"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
    ]
)
schemas = st.sampled_from(
    [
        {"type": "object", "properties": {}},
        {"type": "object", "title": "T", "properties": {"a": {"type": "string"}}, "required": ["a"]},
        {"properties": {"b": {"type": "number"}}, "additionalProperties": False},
    ]
)
tools = st.lists(
    st.builds(
        lambda name, text, schema: {
            "type": "function",
            "function": {"name": name, "description": text, "parameters": schema},
        },
        st.sampled_from("fgh"),
        texts,
        schemas,
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda tool: tool["function"]["name"],
)


@st.composite
def requests(draw):
    messages = [{"role": "system", "content": draw(contents)} for _ in range(draw(st.integers(0, 2)))]
    messages.append({"role": "user", "content": draw(contents | pictures)})
    for turn in range(draw(st.integers(0, 3))):
        number = draw(st.integers(0, 3))
        calls = [
            {"id": f"c{turn}{n}", "type": "function", "function": {"name": "f", "arguments": f'{{"n": {n}}}'}}
            for n in range(number)
        ]
        said = {"role": "assistant", "content": draw(contents)}
        messages.append(said | ({"tool_calls": calls} if calls else {}))
        messages += [
            {"role": "tool", "tool_call_id": call["id"], "content": draw(contents)} for call in calls
        ] or [{"role": "user", "content": draw(contents)}]
    return {"model": MODEL, "messages": messages, "tools": draw(tools)}


@pytest.mark.property
@settings(max_examples=60, deadline=None)
@given(requests())
def test_any_request(request_):
    found, rewritten = read(Engine.default(), request_)
    assert found == sent(rewritten)
