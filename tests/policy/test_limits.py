"""Files made to exhaust a reader: each is refused with its own code, whatever reads the events."""

from itertools import pairwise

import pytest
import yaml

from policy_cache.errors import PolicyError
from policy_cache.policy.load import loads
from policy_cache.policy.text import compose


def alias_bomb():
    lines = ["a: &a [x, x, x]"]
    lines += [f"{here}: &{here} [{', '.join(['*' + before] * 9)}]" for before, here in pairwise("abcdefghi")]
    return "\n".join(lines)


def merge_bomb():
    lines = ["a: &a {x: 1}"]
    lines += [
        f"{here}: &{here} {{<<: [{', '.join(['*' + before] * 9)}]}}" for before, here in pairwise("abcdefg")
    ]
    return "\n".join(lines)


BOMBS = {
    "lists": ("[" * 30_000, "PC110"),
    "mappings": ("{a: " * 30_000, "PC110"),
    "block lists": ("- " * 30_000, "PC110"),
    "keys": ("? " * 30_000, "PC115"),
    "deep below rules": ("rules: " + "[" * 30_000, "PC110"),
    "aliases": (alias_bomb(), "PC108"),
    "self-reference": ("&a [*a]", "PC108"),
    "merges": (merge_bomb(), "PC109"),
    "size": ("#" * 300 * 1024, "PC103"),
    "nodes": ("rules: [" + "1," * 30_000 + "]", "PC111"),
    "digits": ("version: " + "9" * 5_000, "PC116"),
    "exponent": ("version: 1e99999", "PC116"),
    "tagged digits": ("version: !!int " + "9" * 5_000, "PC116"),
    "long name": (f"{'k' * 1_000}: 1", "PC120"),
    "regular expression": (
        "version: 1\nname: t\nrules:\n- name: r\n  match: {model: '" + "re:" + "(" * 50_000 + "'}\n",
        "PC303",
    ),
    "path": (
        "version: 1\nname: t\nrules:\n- name: r\n  targets: ['$" + ".a" * 50_000 + "']\n",
        "PC201",
    ),
}


@pytest.mark.parametrize("loader", [compose._LOADER, yaml.SafeLoader], ids=["fast", "pure"])
@pytest.mark.parametrize(("text", "code"), BOMBS.values(), ids=BOMBS)
def test_bombs(text, code, loader, monkeypatch):
    monkeypatch.setattr(compose, "_LOADER", loader)
    with pytest.raises(PolicyError) as caught:
        loads(text)
    assert code in {diagnostic.code for diagnostic in caught.value.diagnostics}


def test_depth_is_counted_in_levels():
    compose.compose("[" * 32 + "]" * 32, "t")
    with pytest.raises(PolicyError, match="PC110"):
        compose.compose("[" * 33 + "]" * 33, "t")
