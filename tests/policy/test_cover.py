"""Whether one rule applies wherever another does: what is said to be covered is, on every request."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy_cache.policy.check.cover import covers, glob_covers, rule_covers

GLOBS = st.text("ab*?[]-", max_size=6)


@pytest.mark.property
@given(GLOBS, GLOBS, st.lists(st.text("ab-[]?*", max_size=6), max_size=20))
def test_a_covered_glob_matches_nothing_more(wide, narrow, names):
    if glob_covers(wide, narrow):
        for name in names:
            assert not fnmatchcase(name, narrow) or fnmatchcase(name, wide)


@pytest.mark.parametrize(
    ("wide", "narrow", "covered"),
    [
        ("*claude*", "*claude-3*", True),
        ("*", "re:.*", True),
        ("claude*", "*claude*", False),
        ("gpt-[45]*", "gpt-4o", True),
        ("a?c", "a*c", False),
        ("CLAUDE*", "claude-3", True),
        ("re:a", "re:a", True),
        ("re:a.*", "ab", False),
    ],
)
def test_globs(wide, narrow, covered):
    assert glob_covers(wide, narrow) is covered


@pytest.mark.parametrize(
    ("wide", "narrow", "covered"),
    [
        ({}, {"model": "x"}, True),
        ({"model": "*"}, {}, True),
        ({"alias": "*"}, {}, False),
        ({"model": ["a", "b"]}, {"model": "a"}, True),
        ({"model": "a"}, {"model": ["a", "b"]}, False),
        ({"tools": {"min": 1}}, {"tools": {"min": 2, "max": 3}}, True),
        ({"tools": {"max": 3}}, {"tools": {"min": 2}}, False),
        ({"tools": {"min": 0}}, {}, True),
        ({"stream": True}, {"stream": True, "shape": "chat"}, True),
        ({"stream": True}, {"stream": False}, False),
        ({"stream": False}, {}, False),
        ({"metadata": {"a": "*"}}, {"metadata": {"a": 1, "b": 2}}, True),
        ({"headers": {"X-A": "y"}}, {"headers": {"x-a": "y"}}, True),
        ({"metadata": {"A": "y"}}, {"metadata": {"a": "y"}}, False),
        ({"exists": "$.a"}, {"exists": ["$.a", "$.b"]}, True),
        ({"missing": ["$.a", "$.b"]}, {"missing": "$.a"}, False),
        ({"sample": {"percent": 10, "by": "alias"}}, {"sample": {"percent": 10, "by": "alias"}}, False),
        ({"sample": {"percent": 100, "by": "alias"}}, {}, True),
    ],
)
def test_match_blocks(wide, narrow, covered):
    assert covers(wide, narrow) is covered


@pytest.mark.parametrize(
    ("wide", "narrow", "covered"),
    [
        ({"match": None}, {"match": {"model": "x"}}, True),
        ({"except": {"alias": "a"}}, {}, False),
        ({"except": {"alias": "a"}}, {"except": {"alias": "a"}}, True),
        ({"except": {}}, {"except": {}}, False),
    ],
)
def test_rules(wide, narrow, covered):
    assert rule_covers(wide, narrow) is covered
