"""Names of files: as short as tells them apart, and as many as a sentence takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy_cache.text.names import some_of, told_apart

PATHS = st.lists(st.text(alphabet="ab/", min_size=1, max_size=8), max_size=6)


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        ([], []),
        (["policies/strategies/hermes.yaml"], ["hermes.yaml"]),
        (["policies/default.yaml", "policies/hermes.yaml"], ["default.yaml", "hermes.yaml"]),
        (["x/mine/a.yaml", "x/yours/a.yaml", "x/b.yaml"], ["mine/a.yaml", "yours/a.yaml", "b.yaml"]),
        (["one/x/a.yaml", "two/x/a.yaml"], ["one/x/a.yaml", "two/x/a.yaml"]),
        (["a.yaml", "x/a.yaml"], ["a.yaml", "x/a.yaml"]),
        (["x/a.yaml", "x/a.yaml"], ["a.yaml", "a.yaml"]),
        (["git:main:policies/a.yaml", "policies/a.yaml"], ["git:main:policies/a.yaml", "policies/a.yaml"]),
        (["default policy", "/etc/a.yaml"], ["default policy", "a.yaml"]),
        (["folder/", "/"], ["folder/", "/"]),
    ],
)
def test_names_are_what_tells_paths_apart(paths, names):
    assert told_apart(paths) == names


def ends(path):
    """Every shorter end of a path that begins with a name, and the path."""
    cuts = [at + 1 for at, letter in enumerate(path) if letter == "/"]
    return {path} | {path[cut:] for cut in cuts if not path[cut:].startswith("/") and path[cut:]}


@given(PATHS)
@pytest.mark.property
def test_names_are_distinct_ends_and_no_longer_than_needed(paths):
    names = told_apart(paths)
    named = dict(zip(paths, names, strict=True))
    assert [named[path] for path in paths] == names
    assert len(set(named.values())) == len(named)
    for path, name in named.items():
        assert name == path or (path.endswith(f"/{name}") and name)
        others = [other for other in named if other != path]
        for end in ends(path):
            if len(end) < len(name):
                assert any(end in ends(other) for other in others)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["a"], "a"),
        (["a", "b"], "a and b"),
        (["a", "b", "c"], "a, b and c"),
        (["a", "b", "c", "d"], "a, b and 2 more"),
        (list("abcdef"), "a, b and 4 more"),
    ],
)
def test_a_sentence_has_three_names_at_most(names, said):
    assert some_of(names) == said
