"""`-k`: words with `and`, `or`, `not` and parentheses."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy_cache.testing.session import SelectError, selection

NAME = "policies/default.test.yaml::An agent begins"
WRONG = {
    "": "-k: expected a word, found the end",
    "a and": "-k: expected a word, found the end",
    "or a": "-k: expected a word, found `or`",
    "(a": "-k: a parenthesis is never closed",
    "a)": "-k: expected `and` or `or` before `)`",
    "a b": "-k: expected `and` or `or` before `b`",
    "not " * 60 + "a": "-k: nested too deeply",
}


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ("agent", True),
        ("AGENT", True),
        ("chat", False),
        ("not chat", True),
        ("agent and begins", True),
        ("agent and chat or default", True),
        ("agent and (chat or policies)", True),
        ("not (agent or chat)", False),
        ("'An agent'", True),
        ('"an  agent"', False),
    ],
)
def test_what_is_chosen(expression, holds):
    assert selection(expression)(NAME) is holds


@pytest.mark.parametrize(("expression", "said"), WRONG.items())
def test_what_is_no_expression(expression, said):
    with pytest.raises(SelectError) as caught:
        selection(expression)
    assert str(caught.value) == said


@pytest.mark.property
@given(st.lists(st.sampled_from(["a", "b", "and", "or", "not", "(", ")", '"'])).map(" ".join))
def test_nothing_else_is_ever_raised(expression):
    with suppress(SelectError):
        selection(expression)("a")
