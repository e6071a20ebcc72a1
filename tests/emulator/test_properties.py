"""Whatever JSON is sent, the answer is a reply or a refusal."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .bodies import MARK, request, text, tool, user

pytestmark = pytest.mark.property

leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
anything = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
SCHEMA = {"type": "object", "properties": {"type": {"type": ["string", "null"]}}}
TEMPLATES = [
    request(
        system=[text("s", cache_control=MARK)],
        tools=[
            tool("t", input_schema=SCHEMA, cache_control=MARK),
            {"type": "web_search_20250305", "name": "web_search"},
        ],
        tool_choice={"type": "auto"},
        thinking={"type": "enabled", "budget_tokens": 1024},
        output_config={"effort": "low"},
        cache_control=MARK,
    ),
    request(
        messages=[
            user([text("a", cache_control=MARK)]),
            user(
                [{"type": "tool_use", "id": "1", "name": "t", "input": {}, "caller": {"type": "direct"}}],
                "assistant",
            ),
            user([{"type": "tool_result", "tool_use_id": "1", "content": [text("r", cache_control=MARK)]}]),
            user(
                [
                    {
                        "type": "document",
                        "source": {"type": "content", "content": [text("d", cache_control=MARK)]},
                    }
                ]
            ),
            user([{"type": "thinking", "thinking": "t", "signature": "s"}], "assistant"),
        ],
        max_tokens=0,
    ),
]


def places(value, at=()):
    yield at
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*at, key))


def replaced(value, at, by):
    if not at:
        return by
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[at[0]] = replaced(value[at[0]], at[1:], by)
    return copy


@st.composite
def damaged(draw):
    """A request with anything in a few of its places."""
    body = draw(st.sampled_from(TEMPLATES))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.sampled_from([*places(body)][1:]))
        body = replaced(body, at, draw(anything))
        if len([*places(body)]) < 2:
            break
    return body


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
@given(body=damaged() | anything)
def test_any_json_is_answered_or_refused(client, path, body):
    response = client.post(path, content=json.dumps(body))
    assert response.status_code in {200, 400}, response.text
    if response.headers["content-type"].startswith("text/event-stream"):
        assert response.text.startswith("event: message_start\n")
    elif response.status_code == 400:
        answer = response.json()
        assert answer["type"] == "error"
        assert answer["error"]["type"] == "invalid_request_error"
        assert answer["error"]["message"]
        assert answer["request_id"]
