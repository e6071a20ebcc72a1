"""`policy-cache rule`: what a code means."""

from __future__ import annotations

import json

import pytest

from policy_cache.policy.check.table import TABLE
from tests.conftest import REPOSITORY

PC301 = """\
PC301  a duplicate rule name

Two rules have the same name.

Reports and tests call a rule by its name, so a name stands for one rule.

Bad:
    - {name: prefix, targets: [tools], action: {add_cache_control: {}}}
    - {name: prefix, targets: [system], action: {add_cache_control: {}}}

Good:
    - {name: tools, targets: [tools], action: {add_cache_control: {}}}
    - {name: system, targets: [system], action: {add_cache_control: {}}}
"""


@pytest.mark.parametrize("code", ["PC301", "pc301"])
def test_one_code(run, code):
    assert run("rule", code) == (0, PC301, "")


def test_every_code_in_a_line(run):
    lines = run("rule").out.splitlines()
    assert lines == [f"{name}  {code.title}" for name, code in TABLE.items()]


def test_as_json(run):
    found = json.loads(run("rule", "--output-format", "json", "PC304").out)
    assert [list(one) for one in found] == [["code", "title", "text", "bad", "good"]]
    assert len(json.loads(run("rule", "--output-format", "json").out)) == len(TABLE)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("PCC301", "there is no code `PCC301`; did you mean `PC301`?"),
        ("301", "there is no code `301`; did you mean `PC301`?"),
        ("E501", "there is no code `E501`; `policy-cache rule` lists them"),
    ],
)
def test_an_unknown_code(run, code, said):
    assert run("rule", code).refused() == said


def test_the_page_is_current(run):
    page = (REPOSITORY / "docs" / "diagnostics.md").read_text(encoding="utf-8")
    assert run("rule", "--output-format", "markdown").out == page, "make docs"
