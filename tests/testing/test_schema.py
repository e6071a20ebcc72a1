"""The shipped schema of test files: current, and made for good messages."""

from __future__ import annotations

import re

import jsonschema
import pytest
import yaml

from policy_cache.packaged import packaged
from policy_cache.testing import model as language
from tests.conftest import REPOSITORY
from tests.policy.test_schema import fields, keywords

FIELDS = [pytest.param(field, id=name) for name, field in fields(language.tests_schema())]


def test_the_shipped_schema_is_current(run):
    shipped = packaged("schema", "test.schema.json").read_text(encoding="utf-8")
    assert shipped == language.tests_schema_text(), "run `make schema`"
    assert run("schema", "--tests") == (0, shipped, "")
    assert run("schema", "--tests", "--catalog").code == 2


def test_it_is_a_schema_without_alternatives():
    jsonschema.Draft202012Validator.check_schema(language.tests_schema())
    assert {"anyOf", "oneOf", "allOf", "not"}.isdisjoint(keywords(language.tests_schema()))


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_teaches_by_valid_examples(field):
    schema = {"$defs": language.tests_schema()["$defs"], **field}
    if "$ref" in field:
        field = language.tests_schema()["$defs"][field["$ref"].rsplit("/", 1)[1]] | field
    assert field["title"]
    assert field["description"].endswith(".")
    for example in field.get("examples", []):
        jsonschema.validate(example, schema)


def test_the_tests_that_the_documents_show_are_valid():
    text = (REPOSITORY / "docs" / "testing.md").read_text(encoding="utf-8")
    [shown] = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    jsonschema.validate(yaml.safe_load(shown), language.tests_schema())
