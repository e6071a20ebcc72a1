"""Values for people: cut, on one line, and printable."""

import json

import pytest

from policy_cache.request.location import place
from policy_cache.text.values import elided, indented, one_line
from policy_cache.text.words import word


def test_a_text_is_cut_only_when_that_hides_much():
    assert elided("x" * 64) == "x" * 64
    assert elided("x" * 65) == "x" * 48 + "… (65 characters)"
    assert elided("x" * 123_456) == "x" * 48 + "… (123,456 characters)"
    assert elided("x" * 40, longest=10) == "x" * 10 + "… (40 characters)"


def test_whatever_holds_a_text_is_kept():
    value = {"a": ["x" * 100, ("y", 1, 2.5, True, None)], "k" * 100: {}}
    assert elided(value) == {
        "a": ["x" * 48 + "… (100 characters)", ["y", 1, 2.5, True, None]],
        "k" * 48 + "… (100 characters)": {},
    }


def test_what_is_no_json_is_named_by_its_type():
    assert elided({1: object(), "b": b"bytes", "s": {1}}) == {"1": "object", "b": "bytes", "s": "set"}


def test_the_value_itself_stays():
    value = {"a": ["x" * 100]}
    elided(value)
    assert value == {"a": ["x" * 100]}


HIDDEN = "\x00\x1b[31m\n\r\t\x7f\x9b\x85\u200b\u200f\u2028\u202e\u2066\ud800\ufeff"


@pytest.mark.parametrize("show", [one_line, lambda value: word(str(value)), lambda value: place((value,))])
def test_nothing_that_a_terminal_obeys(show):
    shown = show(f"{HIDDEN}ä€😀")
    assert shown.isprintable()
    assert "ä€😀" in shown


def test_one_line_is_json():
    value = {HIDDEN: [HIDDEN, "ä", None]}
    assert json.loads(one_line(value)) == value
    assert one_line({"type": "ephemeral", "ttl": "1h"}) == '{"type": "ephemeral", "ttl": "1h"}'


def test_indented_is_json_and_whole():
    value = {"a": [HIDDEN, "x" * 100_000]}
    shown = indented(value)
    assert json.loads(shown) == value
    assert shown.replace("\n", "").isprintable()
    assert shown.startswith('{\n  "a": [\n')


def test_places():
    assert place(("tools", 22)) == "$['tools'][22]"
    assert place(()) == "$"
    assert place(("it's", "a\nb")) == r"$['it\'s']['a\nb']"
    assert place(("x" * 100,)) == f"$['{'x' * 48}… (100 characters)']"


def test_words():
    assert word("agent-prefix") == "agent-prefix"
    assert word("x" * 100) == "x" * 48 + "… (100 characters)"
    assert word("\x1b[1m") == r"\x1b[1m"
