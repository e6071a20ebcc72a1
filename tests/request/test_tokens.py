"""The size of a prompt, counted without reading it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from litellm.types.utils import Message

from policy_cache.errors import RequestError
from policy_cache.request.tokens import chars, tokens

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.text(alphabet="abc ", max_size=9)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(alphabet="xyz", max_size=5), inner, max_size=4)
    ),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("value", "count"),
    [
        ("", 0),
        ("abc", 3),
        ("äbc", 6),
        ("日本", 4),
        (["ab", "c"], 3),
        (("ab", "c"), 3),
        ({"text": "abc"}, 7),
        ({"a": {"b": "c"}}, 3),
        (12345, 4),
        (True, 4),
        (None, 4),
        ({"a": None}, 0),
        ({3: "x"}, 5),
        ({"text": "abc", "cache_control": {"type": "ephemeral", "ttl": "1h"}}, 7),
        ({"text": "abc", "prompt_cache_breakpoint": {"mode": "explicit"}}, 7),
        ({"type": "text", "text": "abc"}, 15),
        ({"type": "image", "source": {"data": "x" * 1_000_000}}, 5_000),
        ({"type": "image_url", "image_url": {"url": "x" * 1_000_000}}, 5_000),
        ({"type": "document", "source": {"data": ""}}, 5_000),
        ({"type": "file", "file": {"file_data": "x"}}, 5_000),
        ({"type": "input_audio", "input_audio": {}}, 5_000),
        ({"type": "input_image", "image_url": "https://example.org/x.png"}, 5_000),
        ({"type": "input_file", "file_data": "x" * 1_000_000}, 5_000),
        ({"type": "x", "encrypted_content": "a" * 100, "url": "b"}, 4 + 1 + 50 + 3 + 1),
        ({"encrypted_content": None}, 0),
        ([{"type": "image"}, {"type": "image"}, "ab"], 10_002),
        ({"properties": {"type": {"enum": ["image"]}}}, 23),
        ({"type": ["string", "null"]}, 14),
    ],
)
def test_counts(value, count):
    assert chars(value) == count


def test_counts_an_object_as_its_fields():
    message = Message(role="assistant", content="x" * 100)
    assert 100 <= chars(message) <= 150


@pytest.mark.parametrize(
    ("value", "estimate"), [("", 0), ("x" * 7, 2), ("x" * 3500, 1000), (["x" * 35] * 10, 100)]
)
def test_estimates_tokens(value, estimate):
    assert tokens(value) == estimate


@pytest.mark.property
@given(JSON)
def test_never_more_than_twice_the_json_and_never_less_than_its_texts(value):
    def texts(value):
        if isinstance(value, dict):
            return sum(len(key) + texts(item) for key, item in value.items() if item is not None)
        if isinstance(value, list):
            return sum(map(texts, value))
        return len(value) if isinstance(value, str) else 0

    assert texts(value) <= chars(value) <= 4 * len(json.dumps(value))


@pytest.mark.property
@given(JSON, st.integers(1, 40))
def test_stopping_early_never_changes_the_answer(value, enough):
    assert (chars(value, enough=enough) >= enough) is (chars(value) >= enough)


def test_stops_as_soon_as_there_is_enough():
    cyclic = []
    cyclic.append(cyclic)
    assert chars([cyclic, "x" * 100], enough=100) == 100


def cycle_of_lists():
    value = []
    value.append(value)
    return value


def cycle_of_dicts():
    value = {}
    value["a"] = {"b": [value]}
    return value


@pytest.mark.parametrize("cycle", [cycle_of_lists, cycle_of_dicts])
def test_a_cycle_is_no_request(cycle):
    with pytest.raises(RequestError) as caught:
        chars(cycle())
    assert caught.value.found == "over 200,000 values, or a cycle"
    assert caught.value.expected == "a request"


def test_more_values_than_a_request_has():
    assert chars([0] * 200_000) == 800_000
    with pytest.raises(RequestError):
        chars([[0]] * 100_001)


def test_depth_is_no_limit():
    value = "x"
    for _ in range(50_000):
        value = [value]
    assert chars(value) == 1
