"""Every code is explained, and its examples do as they say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from policy_cache.errors import PolicyError
from policy_cache.packaged import packaged_data
from policy_cache.policy.check.examine import examine_content, reviewed
from policy_cache.policy.check.explanation import completed, explanations
from policy_cache.policy.check.reach.routes import Routes
from policy_cache.policy.check.table import TABLE
from policy_cache.providers.file import loads_catalog
from tests.conftest import REPOSITORY

EXPLAINED = [explanation for explanation in explanations().values() if explanation.code != "PC129"]
BIN = str(Path(sys.executable).parent)


def codes(example, code):
    """Every code that an example yields: a policy's, a catalog's, or a command's."""
    if example.startswith("$ "):
        return shown_by(example[2:])
    if code in {"PC130", "PC131"}:
        try:
            loads_catalog(example, "catalog.yaml")
        except PolicyError as error:
            return {diagnostic.code for diagnostic in error.diagnostics}
        return set()
    try:
        examined = examine_content(completed(example), "example.yaml")
    except PolicyError as error:
        return {diagnostic.code for diagnostic in error.diagnostics}
    return {diagnostic.code for diagnostic in reviewed(examined, Routes(packaged_data()))}


def shown_by(command):
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    ran = subprocess.run(
        ["sh", "-c", command],
        env={"PATH": path, "LC_ALL": "C.UTF-8"},
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert b"Traceback" not in ran.stderr
    return set(re.findall(r"PC\d{3}", (ran.stdout + ran.stderr).decode()))


def test_every_code_is_explained():
    assert list(explanations()) == list(TABLE) == sorted(TABLE)
    for explanation in EXPLAINED:
        assert explanation.text.endswith(".")
        assert explanation.bad, explanation.code
        assert explanation.good, explanation.code


CHECKS = dict.fromkeys(
    check for code in TABLE.values() for check in (code.meaning, code.valid, code.reach) if check
)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_check_documents_the_codes_under_which_it_stands(check):
    if check.__name__ == "unreachable":
        return  # its parts do
    documented = re.findall(r"^ *(PC\d{3}): ", check.__doc__, re.MULTILINE)
    assert documented == [code for code, line in TABLE.items() if line.check is check]


def test_the_net_below_the_checks_has_no_example():
    assert explanations()["PC129"].bad == ""


@pytest.mark.parametrize("explanation", EXPLAINED, ids=lambda explanation: explanation.code)
def test_the_bad_example_yields_the_code(explanation, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert explanation.code in codes(explanation.bad, explanation.code)


@pytest.mark.parametrize("explanation", EXPLAINED, ids=lambda explanation: explanation.code)
def test_the_good_example_is_silent(explanation, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert codes(explanation.good, explanation.code) == set()


def test_no_code_is_used_that_is_not_listed():
    files = (REPOSITORY / "policy_cache").rglob("*.py")
    used = {
        code for file in files for code in re.findall(r"\"(PC[1-4]\d\d)\"", file.read_text(encoding="utf-8"))
    }
    assert used == set(TABLE)
