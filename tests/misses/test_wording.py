"""How two values differ, told without repeating either."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy_cache.misses.wording import difference_of


def told(old, new):
    """How two texts differ, behind the same 1,000 characters."""
    found = difference_of({"text": "lorem " * 166 + "now " + old}, {"text": "lorem " * 166 + "now " + new})
    assert found.location == ("text",)
    return found.words


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("12:01:33", "12:01:34", "changed at character 1,008: looks like a clock"),
        ("2026-11-25T23:59Z", "2026-11-25T23:58Z", "changed at character 1,016: looks like a clock"),
        ("9:59 pm", "10:00 pm", "changed at character 1,001: looks like a clock"),
        ("1764075600", "1764075601.25", "changed at character 1,010: looks like a clock"),
        ("2026-11-25T23:59", "2026-11-26T00:01", "changed at character 1,010: looks like a date"),
        ("November 25, 2026", "November 26, 2026", "changed at character 1,011: looks like a date"),
        ("Wednesday", "Thursday", "changed at character 1,001: looks like a date"),
        ("11/25/2026.", "11/26/2026.", "changed at character 1,005: looks like a date"),
        (
            "0f8fad5b-d9cb-469f-a165-70867728950e",
            "7c9e6679-7425-40de-944b-e07fc1f90ae7",
            "changed at character 1,001: looks like a UUID",
        ),
        ("step 9 of 50", "step 10 of 50", "changed at character 1,006: looks like a number"),
        ("1,204 left", "1,198 left", "changed at character 1,003: looks like a number"),
        ("toolu_01AbCdEfGh", "toolu_01AbXyZwVu", "changed at character 1,011: looks like a random id"),
        ("8f3a9c21", "8f3b9c21", "changed at character 1,004: looks like a random id"),
        ("one", "two", "changed at character 1,001"),
        ("here", "here and there", "goes on at character 1,005, where it ended before"),
        ("here and there", "here", "ends at character 1,005, where it went on before"),
        ("a  b", "a b", "changed at character 1,003: white space only"),
        # The clock is the same in both, and what follows it differs.
        ("12:01 here", "12:01 there", "changed at character 1,007"),
    ],
)
def test_what_a_difference_looks_like(old, new, said):
    assert told(old, new) == said


class TestMembers:
    def test_the_order_of_keys_inside_a_block(self):
        found = difference_of({"input": {"a": 1, "b": 2}}, {"input": {"b": 2, "a": 1}})
        assert found == (("input",), "changed in the order of its JSON keys")

    def test_the_order_of_a_block_s_own_keys_is_no_difference(self):
        assert difference_of({"type": "text", "text": "a"}, {"text": "a", "type": "text"}) is None

    def test_the_order_of_keys_in_a_text_of_json(self):
        found = difference_of({"text": '{"a": 1, "b": 2}'}, {"text": '{"b": 2, "a": 1}'})
        assert found == (("text",), "changed in the order of its JSON keys")

    def test_a_marker_is_no_difference(self):
        marker = {"cache_control": {"type": "ephemeral"}}
        assert difference_of({"text": "a", **marker}, {"text": "a"}) is None
        assert difference_of("a", {"type": "text", "text": "a", **marker}) is None

    def test_arguments_are_what_they_parse_to(self):
        old, new = ({"function": {"arguments": text}} for text in ('{"a":1}', '{"a": 1}'))
        assert difference_of(old, new) is None

    def test_a_name_that_no_protocol_gives_is_not_told(self):
        found = difference_of({"input": {"SECRET": "at 12:01"}}, {"input": {"SECRET": "at 12:02"}})
        assert found == (("input",), "changed: looks like a clock")

    @pytest.mark.parametrize(
        ("old", "new", "found"),
        [
            ({"input": {}}, {"input": {"SECRET": 1}}, (("input",), "got a new member")),
            ({"input": {"SECRET": 1}}, {"input": {}}, (("input",), "lost a member")),
            ({}, {"description": "a"}, (("description",), "was added")),
            ({"description": "a"}, {}, (("description",), "is gone")),
            ({"content": [1]}, {"content": [1, 2]}, (("content",), "got more elements")),
            ({"content": [1, 2]}, {"content": [1]}, (("content",), "lost elements")),
            ({"content": [1, 2]}, {"content": [1, 3]}, (("content", 1), "changed: looks like a number")),
            ({"content": True}, {"content": 1}, (("content",), "changed")),
        ],
    )
    def test_members_and_elements(self, old, new, found):
        assert difference_of(old, new) == found


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["text", "input", "QQ"]), inner),
)


@pytest.mark.property
@given(old=VALUES, new=VALUES)
def test_every_difference_is_told_and_none_is_made_up(old, new):
    assert difference_of(old, old) is None
    found = difference_of(old, new)
    if found is None:
        # A member that is nothing is no member, and a text is its block.
        assert "null" in json.dumps([old, new]) or old == new or "text" in json.dumps([old, new])
    else:
        assert "QQ" not in f"{found}"


@pytest.mark.property
@given(same=st.text(), old=st.text(), new=st.text())
def test_the_character_is_the_first_that_differs(same, old, new):
    found = difference_of(f"{same}<{old}", f"{same}<{new}")
    if old == new:
        assert found is None
    elif " at character " in found.words:
        at = int(
            found.words.partition(" at character ")[2]
            .split(":")[0]
            .split(" ")[0]
            .rstrip(",")
            .replace(",", "")
        )
        one, other = f"{same}<{old}", f"{same}<{new}"
        assert one[: at - 1] == other[: at - 1]
        assert one[at - 1 : at] != other[at - 1 : at]


def test_no_marker_of_any_dialect_is_a_difference():
    point = {"prompt_cache_breakpoint": {"mode": "explicit"}, "type": "text", "text": "a"}
    assert difference_of(point, {"type": "text", "text": "a"}) is None
    assert difference_of(point, {"type": "text", "text": "b"}).location == ("text",)
