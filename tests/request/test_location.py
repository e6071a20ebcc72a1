"""Locations in print: normalized paths that RFC 9535 reads, and JSON Pointers that RFC 6901 reads."""

from __future__ import annotations

import jsonpath_rfc9535
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from litellm.types.utils import Message

from policy_cache.request.location import fields_of, normalized, pointer

LOCATIONS = st.lists(st.one_of(st.text(max_size=6), st.integers(0, 50)), max_size=5).map(tuple)


def document_at(location):
    """A document that holds a value at a location."""
    value = "here"
    for key in reversed(location):
        value = {key: value} if isinstance(key, str) else [None] * key + [value]
    return value


@pytest.mark.property
@given(LOCATIONS)
@example(("it's", 'say "x"', "back\\slash"))
@example(("\n\r\t\b\f", "\x00\x1f\x7f", "é \U0001f600"))
@example(("", "$", "*", "..", "~", "/", "a.b", "a b"))
def test_a_normalized_path_is_one_of_rfc_9535_and_leads_back(location):
    text = normalized(location)
    nodes = jsonpath_rfc9535.find(text, document_at(location))
    assert [tuple(node.location) for node in nodes] == [location]
    assert [node.path() for node in nodes] == [text]


@pytest.mark.parametrize(
    ("location", "text"),
    [
        ((), "$"),
        (("tools", 22), "$['tools'][22]"),
        (("messages", 0, "content"), "$['messages'][0]['content']"),
        (("it's",), r"$['it\'s']"),
        (('"',), "$['\"']"),
        (("\\",), r"$['\\']"),
        (("\n\r\t\b\f",), r"$['\n\r\t\b\f']"),
        (("\x00\x0b\x1f",), r"$['\u0000\u000b\u001f']"),
        (("é",), "$['é']"),
    ],
)
def test_normalized(location, text):
    assert normalized(location) == text


def follow_pointer(text, document):
    """RFC 6901 §4, written from the RFC."""
    value = document
    for token in text.split("/")[1:]:
        key = token.replace("~1", "/").replace("~0", "~")
        value = value[int(key)] if isinstance(value, list) else value[key]
    return value


@pytest.mark.property
@given(LOCATIONS)
@example(("~1", "/", "~0~", ""))
def test_a_pointer_leads_to_its_value(location):
    assert follow_pointer(pointer(location), document_at(location)) == "here"


@pytest.mark.parametrize(
    ("location", "text"),
    [((), ""), (("tools", 22), "/tools/22"), (("a/b", "m~n"), "/a~1b/m~0n"), (("~1",), "/~01"), (("",), "/")],
)
def test_pointer(location, text):
    assert pointer(location) == text


@pytest.mark.parametrize("value", [None, "text", 3, ["role"], ("role",), object(), Message])
def test_what_has_no_named_members(value):
    assert fields_of(value) is None


def test_named_members():
    given = {"role": "user"}
    assert fields_of(given) is given
    message = Message(role="assistant", content="x", cache_control={"type": "ephemeral"})
    fields = fields_of(message)
    assert (fields["role"], fields["content"]) == ("assistant", "x")
    assert fields["cache_control"] == {"type": "ephemeral"}
