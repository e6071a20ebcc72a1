"""Names: globs and regular expressions over whole names, without case."""

from __future__ import annotations

import re
from fnmatch import translate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy_cache import Engine
from policy_cache.errors import PolicyError
from policy_cache.request.names import Names


@pytest.mark.parametrize(
    ("globs", "name", "expected"),
    [
        (("claude",), "claude", True),
        (("claude",), "CLAUDE", True),
        (("claude",), "claude-x", False),
        (("*claude*",), "us.anthropic.claude-x", True),
        (("claude-?",), "claude-4", True),
        (("claude-?",), "claude-", False),
        (("claude-[345]",), "claude-4", True),
        (("claude-[!345]",), "claude-4", False),
        (("a.b",), "axb", False),
        (("a", "b"), "b", True),
        (("a", "b"), "ab", False),
        (("*",), "", True),
        (("*",), "a\nb", True),
        (("a*",), "a\n", True),
        (("a",), "a\n", False),
        (("re:claude-(opus|sonnet)",), "Claude-Opus", True),
        (("re:claude",), "claude-x", False),
        (("re:a|bc",), "ac", False),
        (("re:a|bc",), "bc", True),
        (("re:a",), "a\n", False),
        (("x", "re:y+"), "yy", True),
        (("re:a.b",), "A\nB", True),
        (("re:.*",), "\ud800", True),
        (("re:é+",), "ÉÉ", True),
        (("a*",), "a\ud800", True),
        (("a*b*b",), "ab", False),
        (("a*b*b",), "abb", True),
        (("a*a",), "a", False),
        (("*a*b*",), "xayb", True),
        (("*a*b*",), "xbya", False),
        (("*ab*ba*",), "aba", False),
        (("**",), "", True),
        (("A*[B-C]?",), "axxbd", True),
        (("re:(a+)+b",), "a" * 100_000, False),
        (("*a" * 20 + "*b",), "a" * 100_000, False),
        (("*?a" * 20 + "*?b",), "a" * 100_000, False),
        (("[a-a]*[a-a]*[a-a]*[a-a]*b",), "a" * 100_000, False),
    ],
    ids=range(37),
)
def test_matches(globs, name, expected):
    assert Names(globs, expressions=True).match(name) is expected


@pytest.mark.property
@given(
    st.text("aAb*?[]!-", max_size=8),
    st.text("aAbB-\n", max_size=8),
)
def test_a_glob_matches_what_fnmatch_does(glob, name):
    expected = re.compile(translate(glob), re.IGNORECASE).fullmatch(name) is not None
    assert Names((glob,)).match(name) is expected


@pytest.mark.parametrize(
    "models", ["'re:(?i)claude.*'", "[x, 're:(?i)claude.*']", "['re:(?P<n>x)', 're:(?P<n>claude).*']"]
)
def test_an_expression_that_validates_also_compiles(models):
    """Each is one that `re` takes; a policy with it loads and matches, or is refused with a diagnostic."""
    rule = f"{{name: a, match: {{model: {models}}}, action: {{remove_cache_control: {{}}}}}}"
    try:
        engine = Engine.from_text(f"version: 1\nname: p\nrules:\n  - {rule}\n")
    except PolicyError as refused:
        codes = [diagnostic.code for diagnostic in refused.diagnostics]
    except re.error as crashed:
        pytest.fail(f"a policy that validates did not compile: {crashed}")
    else:
        codes = []
        assert engine.plan({"model": "claude-x", "messages": []}).matched == ("a",)
    assert codes in ([], ["PC303"])
