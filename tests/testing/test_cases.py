"""Every file in cases/ is a case: `policy-cache test` prints exactly its twin."""

from __future__ import annotations

from pathlib import Path

import pytest

from policy_cache.errors import PolicyError
from policy_cache.testing.checks import CODES
from policy_cache.testing.load import load_suite
from policy_cache.testing.run import Runner, litellm_wire

CASES = Path(__file__).parent / "cases"
FILES = sorted(CASES.glob("*/*.test.yaml"))


def named(path):
    return path.name.removesuffix(".test.yaml")


def twin(path):
    return path.with_name(f"{named(path)}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", FILES, ids=named)
def test_a_case(path, run, monkeypatch):
    monkeypatch.chdir(path.parent)
    ran = run("test", path.name)
    assert ran.out == twin(path)
    assert (ran.err, ran.code) == ("", 2 if path.parent.name == "mistakes" or named(path) == "refused" else 1)


def diagnostics(path):
    runner = Runner(litellm_wire)
    try:
        suite = load_suite(path)
        outcomes = [runner.run(suite, number) for number in range(len(suite.cases))]
    except PolicyError as error:
        return error.diagnostics
    return [problem for outcome in outcomes for problem in outcome.problems]


@pytest.mark.parametrize("path", FILES, ids=named)
def test_everything_has_a_place_in_the_file(path):
    for diagnostic in diagnostics(path):
        if diagnostic.file == str(path):
            assert diagnostic.span


def test_every_code_has_a_case():
    said = "".join(twin(path) for path in FILES)
    assert [code for code in CODES if f"[{code}]" not in said] == []


def test_every_text_has_its_file():
    assert {path.with_suffix("").name for path in CASES.glob("*/*.txt")} == {named(path) for path in FILES}
