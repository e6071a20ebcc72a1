"""Diagnostics as text and as JSON; the cases show the whole blocks."""

import json

import pytest

from policy_cache.diagnostics import Diagnostic, Label, Region
from policy_cache.errors import PolicyError
from policy_cache.policy.load import loads
from policy_cache.report.diagnostics.render import as_json, concise, full
from policy_cache.text.styled import Span, ansi, plain


def shown(line, place, **more):
    return plain(full(Diagnostic("PC000", "error", "m", span=place, file="f", **more), [line])).split("\n")


def test_concise():
    spans = concise(Diagnostic("PC301", "warning", "twice", span=Region(3, 7, 3, 8), file="t.yaml"))
    assert plain(spans) == "t.yaml:3:7: warning[PC301]: twice\n"


def test_ansi_marks_only_styled_text():
    assert ansi([Span("a", "error"), Span("b"), Span("", "help")]) == "\x1b[1;31ma\x1b[0mb"


@pytest.mark.parametrize(
    ("line", "place", "source", "carets"),
    [
        ("a: bc", Region(1, 4, 1, 6), "1 | a: bc", "  |    ^^"),
        ("a:\tbc", Region(1, 4, 1, 6), "1 | a:    bc", "  |       ^^"),
        ("日本: x", Region(1, 5, 1, 6), "1 | 日本: x", "  |       ^"),
        ("日本: x", Region(1, 1, 1, 3), "1 | 日本: x", "  | ^^^^"),
        ("e\u0301: x", Region(1, 5, 1, 6), "1 | e\u0301: x", "  |    ^"),
        ("\x1b: x", Region(1, 4, 1, 5), "1 | \\x1b: x", "  |       ^"),
        ("\u202e: x", Region(1, 4, 1, 5), "1 | \\u202e: x", "  |         ^"),
        ("ab", Region(1, 3, 1, 3), "1 | ab", "  |   ^"),
        ("a: [b", Region(1, 4, 3, 2), "1 | a: [b", "  |    ^^"),
    ],
)
def test_the_caret_stands_under_its_character(line, place, source, carets):
    assert shown(line, place)[3:5] == [source, carets]


@pytest.mark.parametrize("column", [1, 50, 200, 399])
def test_long_lines_are_cut_around_the_caret(column):
    line = "".join(chr(ord("a") + i % 26) for i in range(400))
    _, _, _, source, carets, *_ = shown(line, Region(1, column, 1, column + 1))
    assert len(source) < 110
    assert source[carets.index("^")] == line[column - 1]


def test_a_long_underline_ends_with_the_line():
    _, _, _, source, carets, *_ = shown("x" * 400, Region(1, 1, 1, 401))
    assert len(carets) <= len(source)


def test_nothing_reaches_the_terminal_unescaped():
    diagnostic = Diagnostic(
        "PC000",
        "error",
        "m\x1b",
        span=Region(1, 1, 1, 2),
        labels=(Label(Region(1, 1, 1, 2), "l\x1b"),),
        help="h\x1b",
        note="n\x1b",
        file="f\x1b",
    )
    for text in (plain(full(diagnostic, ["s\x1b"])), plain(concise(diagnostic)), str(diagnostic)):
        assert "\x1b" not in text


def test_a_diagnostic_without_source_is_its_head():
    diagnostic = Diagnostic("PC100", "error", "no such file", file="f", help="look")
    assert plain(full(diagnostic, [])) == "error[PC100]: no such file\n --> f\n  = help: look\n"


def test_json():
    with pytest.raises(PolicyError) as caught:
        loads("version: 1\nname: t\nmode: observed\nrules: []\n", "t.yaml")
    data = as_json(caught.value.diagnostics)
    assert json.loads(json.dumps(data)) == {
        "format_version": 1,
        "diagnostics": [
            {
                "code": "PC123",
                "severity": "error",
                "message": "`observed` is not a value of `mode`",
                "file": "t.yaml",
                "line": 3,
                "column": 7,
                "end_line": 3,
                "end_column": 15,
                "path": ["mode"],
                "labels": [
                    {
                        "text": "did you mean `observe`?",
                        "line": 3,
                        "column": 7,
                        "end_line": 3,
                        "end_column": 15,
                    }
                ],
                "help": "expected one of `enforce`, `observe`",
                "note": None,
                "fix": None,
            }
        ],
    }
