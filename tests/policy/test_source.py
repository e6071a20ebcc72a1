"""Positions and plain data."""

import pytest

from policy_cache.diagnostics import Region
from policy_cache.policy.text.scalars import resolve
from policy_cache.policy.text.source import parse

TEXT = """\
a: [1, {b: "x"}]
c:
  - d   # a comment
  - |
    block

# another
e: {}
"""


@pytest.mark.parametrize(
    ("path", "span"),
    [
        ((), Region(1, 1, 8, 6)),
        (("a",), Region(1, 4, 1, 17)),
        (("a", 1, "b"), Region(1, 12, 1, 15)),
        (("c",), Region(3, 3, 5, 10)),
        (("c", 0), Region(3, 5, 3, 6)),
        (("c", 1), Region(4, 5, 5, 10)),
        (("e",), Region(8, 4, 8, 6)),
    ],
)
def test_values_have_spans(path, span):
    assert parse(TEXT, "t").values[path] == span


def test_keys_have_spans():
    keys = parse(TEXT, "t").keys
    assert keys["c",] == Region(2, 1, 2, 2)
    assert keys["a", 1, "b"] == Region(1, 9, 1, 10)


def test_data_is_plain():
    assert parse(TEXT, "t").data == {"a": [1, {"b": "x"}], "c": ["d", "block\n"], "e": {}}


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_lines_end_as_in_editors(newline):
    source = parse(TEXT.replace("\n", newline), "t")
    assert source.lines == tuple(TEXT.split("\n"))
    assert source.values["e",] == Region(8, 4, 8, 6)


def test_columns_count_characters():
    source = parse('é😀: ["\u2028", 日本: x]\n', "t")
    assert source.values["é😀", 0] == Region(1, 6, 1, 9)
    assert source.keys["é😀", 1, "日本"] == Region(1, 11, 1, 13)


def test_revision_names_the_bytes():
    source = parse("a: 1\n", "t")
    assert source.revision == "sha256:" + source.digest[:12]
    assert parse("a: 1\n", "other").revision == source.revision
    assert parse(b"a: 1\n", "t").revision == source.revision
    assert parse("a: 1", "t").revision != source.revision


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("a: hello", Region(1, 5, 1, 6)),
        ("a: 'hello'", Region(1, 6, 1, 7)),
        ('a: "hello"', Region(1, 6, 1, 7)),
        ('a: "h\\x65llo"', Region(1, 4, 1, 14)),
        ("a: 'it''s'", Region(1, 4, 1, 11)),
        ("a: !!str hello", Region(1, 4, 1, 15)),
        ("a: |\n  hello", Region(1, 4, 2, 8)),
    ],
)
def test_a_character_of_a_text_has_a_span(text, span):
    assert parse(text, "t").span_in(("a",), 1, 2) == span


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("FALSE", False),
        ("0", 0),
        ("-12", -12),
        ("+3", 3),
        ("1.5", 1.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e3", 1000.0),
        ("yes", "yes"),
        ("On", "On"),
        ("017", "017"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("60:00", "60:00"),
        ("0x1F", "0x1F"),
        ("0o17", "0o17"),
        ("2024-01-01", "2024-01-01"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("nan", "nan"),
        ("5m", "5m"),
        ("-", "-"),
        (".", "."),
        ("1e", "1e"),
        ("tRUE", "tRUE"),
        ("١٢", "١٢"),
    ],
)
def test_bare_words(word, value):
    resolved = resolve(word)
    assert resolved == value
    assert type(resolved) is type(value)


def test_the_last_of_two_keys_counts():
    source = parse("a: {b: 1}\na: 2\n", "t")
    assert source.data == {"a": 2}
    assert [diagnostic.code for diagnostic in source.diagnostics] == ["PC114"]


@pytest.mark.parametrize("text", ["a: *b\n", "a: !x [1]\n", "a: 99999999999999999999\n", "a: &b\n"])
def test_what_cannot_be_told_is_a_hole(text):
    source = parse(text, "t")
    assert not source.is_told(("a",))
    assert not source.is_told(("a", 0))
    assert source.is_told(())
