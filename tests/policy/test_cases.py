"""Every file in cases/ is a case: valid ones load, invalid ones print exactly their twin."""

from pathlib import Path

import pytest
import yaml

from policy_cache.errors import PolicyError
from policy_cache.policy import compose
from policy_cache.policy.load import loads
from policy_cache.report.render import full, plain

CASES = Path(__file__).parent / "cases"
INVALID = sorted((CASES / "invalid").glob("*.yaml"))
VALID = sorted((CASES / "valid").glob("*.yaml"))


def named(path):
    return path.stem


def errors_of(path):
    with pytest.raises(PolicyError) as caught:
        loads(path.read_bytes().decode(), path.name)
    return caught.value


@pytest.mark.parametrize("path", INVALID, ids=named)
def test_invalid(path):
    error = errors_of(path)
    shown = "\n".join(plain(full(diagnostic, error.lines)) for diagnostic in error.diagnostics)
    assert shown == path.with_suffix(".txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", INVALID, ids=named)
def test_invalid_without_libyaml(path, monkeypatch):
    expected = errors_of(path).diagnostics
    monkeypatch.setattr(compose, "_LOADER", yaml.SafeLoader)
    found = errors_of(path).diagnostics
    assert [(d.code, d.span and d.span.line) for d in found] == [
        (d.code, d.span and d.span.line) for d in expected
    ]


@pytest.mark.parametrize("path", VALID, ids=named)
def test_valid(path):
    assert loads(path.read_bytes().decode(), path.name).warnings == ()


def test_every_text_has_its_policy():
    assert {path.stem for path in (CASES / "invalid").glob("*.txt")} == {path.stem for path in INVALID}
