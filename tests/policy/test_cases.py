"""Every file in tests/cases is a case: `validate` prints exactly the twin of a bad one; good ones are silent.

`UPDATE_CASES=1 pytest tests/policy/test_cases.py` writes the twins anew, to be read before they are kept.
"""

from __future__ import annotations

import os
import re

import pytest
import yaml

from policy_cache.errors import PolicyError
from policy_cache.packaged import packaged_data
from policy_cache.policy.check.examine import examine_content, reviewed
from policy_cache.policy.check.reach.routes import Routes
from policy_cache.policy.check.table import TABLE
from policy_cache.policy.load import loads
from policy_cache.policy.text import compose
from policy_cache.policy.write.mend import mend
from tests.conftest import REPOSITORY

CASES = REPOSITORY / "tests" / "cases"
BAD = sorted((CASES / "invalid").glob("*.yaml"))
GOOD = sorted((CASES / "valid").glob("*.yaml"))
ROUTES = Routes(packaged_data())
# Of a path that leads to no text, of the net below the checks, and of catalogs.
ELSEWHERE = {"PC100", "PC101", "PC102", "PC129", "PC130", "PC131"}


def named(path):
    return path.stem


def diagnose(content, name="case.yaml"):
    try:
        return reviewed(examine_content(content, name), ROUTES)
    except PolicyError as error:
        return error.diagnostics


@pytest.mark.parametrize("path", BAD, ids=named)
def test_prints_exactly(path, run, monkeypatch):
    monkeypatch.chdir(path.parent)
    ran = run("validate", "--output-format", "full", path.name)
    expected = path.with_suffix(".out")
    if os.environ.get("UPDATE_CASES"):
        expected.write_bytes(ran.out.encode())
    assert ran.out.encode() == expected.read_bytes()
    assert (ran.err, ran.code) == ("", int(bool(re.search(r"^error\[", ran.out, re.MULTILINE))))


@pytest.mark.parametrize("path", BAD, ids=named)
def test_says_where(path):
    diagnostics = diagnose(path.read_bytes())
    assert diagnostics
    for diagnostic in diagnostics:
        assert diagnostic.span is not None
        assert diagnostic.message
        assert diagnostic.severity == TABLE[diagnostic.code].severity


@pytest.mark.parametrize("path", BAD, ids=named)
def test_the_same_without_libyaml(path, monkeypatch):
    def lines():
        return [(d.code, d.span and d.span.line) for d in diagnose(path.read_bytes())]

    expected = lines()
    monkeypatch.setattr(compose, "_LOADER", yaml.SafeLoader)
    assert lines() == expected


@pytest.mark.parametrize("path", BAD, ids=named)
def test_what_is_fixed_is_silent(path):
    content = path.read_bytes()
    mended = mend(content, diagnose)
    assert (mended.content == content) is (mended.fixes == 0)
    assert not [diagnostic for diagnostic in diagnose(mended.content) if diagnostic.fix]
    assert mend(mended.content, diagnose) == (mended.content, 0)


@pytest.mark.parametrize("path", GOOD, ids=named)
def test_is_silent(path):
    assert loads(path.read_bytes(), path.name).warnings == ()


def test_every_code_has_a_case():
    printed = {
        code
        for path in BAD
        for code in re.findall(r"\[(PC\d{3})\]", path.with_suffix(".out").read_text("utf-8"))
    }
    assert printed == set(TABLE) - ELSEWHERE


def test_every_output_has_its_policy():
    assert {path.stem for path in (CASES / "invalid").glob("*.out")} == set(map(named, BAD))
    assert len(BAD) >= 120
