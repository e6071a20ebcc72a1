"""What the documents show is what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from policy_cache.engine.catalog_file import load_catalog
from policy_cache.engine.reasons import REASONS
from policy_cache.policy.load import loads
from policy_cache.policy.model import Match
from policy_cache.policy.names import NAMED_TARGETS
from policy_cache.request.targets import NAMED

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def policies():
    for file in DOCUMENTS:
        for number, text in enumerate(re.findall(r"```yaml\n(.*?)```", file.read_text(), re.DOTALL)):
            if "version: 1" in text and "\nrules:" in text:
                yield pytest.param(text, id=f"{file.name}-{number}")


@pytest.mark.parametrize("text", list(policies()))
def test_every_policy_shown_is_valid(text):
    assert loads(text).warnings == ()


def test_the_catalog_shown_is_valid(tmp_path):
    [text] = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "providers.md").read_text(), re.DOTALL)
    file = tmp_path / "catalog.yaml"
    file.write_text(text)
    assert "acme" in {route.name for route in load_catalog(file).routes}


def test_every_condition_target_and_reason_is_documented():
    text = (ROOT / "docs" / "policies.md").read_text()
    names = [*Match.model_fields, *NAMED_TARGETS, *REASONS]
    assert [name for name in names if f"`{name}`" not in text] == []


def test_the_language_and_the_engine_know_the_same_targets():
    assert set(NAMED) == set(NAMED_TARGETS)


def test_every_file_that_a_document_links_to_exists():
    for file in DOCUMENTS:
        links = re.findall(r"\]\((?!http)([^)#]+)\)", file.read_text())
        assert [link for link in links if not (file.parent / link).exists()] == []
