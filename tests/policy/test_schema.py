"""The shipped schema: current, and made for good messages."""

import itertools
import json

import jsonschema
import pytest

from policy_cache.packaged import packaged
from policy_cache.policy.language import words
from policy_cache.policy.language.model import Action
from policy_cache.policy.language.schema import policy_schema, schema_text


def keywords(schema):
    if isinstance(schema, dict):
        for key, value in schema.items():
            yield key
            if key not in {"examples", "default", "enum"}:
                yield from keywords(value)
    elif isinstance(schema, list):
        for item in schema:
            yield from keywords(item)


def fields(schema):
    for part in (schema, *schema["$defs"].values()):
        yield from part.get("properties", {}).items()


FIELDS = [pytest.param(field, id=name) for name, field in fields(policy_schema())]


def test_the_shipped_schema_is_current():
    shipped = packaged("schema", "policy.schema.json").read_text(encoding="utf-8")
    assert shipped == schema_text(), "run `make schema`"


def test_it_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(policy_schema())
    assert policy_schema()["$schema"] == jsonschema.Draft202012Validator.META_SCHEMA["$id"]


def test_no_alternatives():
    assert {"anyOf", "oneOf", "allOf", "not"}.isdisjoint(keywords(policy_schema()))


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_teaches(field):
    if "$ref" in field:
        field = policy_schema()["$defs"][field["$ref"].rsplit("/", 1)[1]] | field
    assert field["title"]
    assert field["description"].endswith(".")


@pytest.mark.parametrize("field", FIELDS)
def test_examples_are_valid(field):
    schema = {"$defs": policy_schema()["$defs"], **field}
    for example in field.get("examples", []):
        jsonschema.validate(example, schema)


def test_defaults_are_valid():
    for _, field in fields(policy_schema()):
        if "default" in field:
            jsonschema.validate(field["default"], {"$defs": policy_schema()["$defs"], **field})


def test_targets_are_offered():
    assert set(words.TARGETS) < set(policy_schema()["$defs"]["Target"]["examples"])


def test_every_word_has_its_meaning():
    explained = {
        tuple(field["enum"]): field["enumDescriptions"]
        for _, field in fields(policy_schema())
        if "enum" in field
    }
    listed = (
        words.MODES,
        words.CLIENT_MARKERS,
        words.INJECTIONS,
        words.SHAPES,
        words.TTLS,
        words.RETENTIONS,
        words.CACHE_MODES,
    )
    assert explained == {tuple(meanings): list(meanings.values()) for meanings in listed}


@pytest.mark.parametrize("count", range(len(Action.model_fields) + 1))
def test_an_action_is_exactly_one(count):
    schema = policy_schema()
    action = jsonschema.Draft202012Validator({"$defs": schema["$defs"], "$ref": "#/$defs/Action"})
    whole = {
        "add_cache_control": {},
        "remove_cache_control": {},
        "set": {"prompt_cache_key": "x"},
        "split_text": {"at": "x"},
    }
    for names in itertools.combinations(whole, count):
        assert action.is_valid({name: whole[name] for name in names}) == (count == 1)


def test_it_is_json():
    assert json.loads(schema_text()) == policy_schema()


def test_packaged_prefers_the_wheel(tmp_path, monkeypatch):
    package = tmp_path / "policy_cache"
    (tmp_path / "schema").mkdir(parents=True)
    package.mkdir()
    (tmp_path / "schema" / "x.json").write_text("{}")
    monkeypatch.setattr("policy_cache.packaged._PACKAGE", package)
    assert packaged("schema", "x.json") == tmp_path / "schema" / "x.json"
    (package / "schema").mkdir()
    (package / "schema" / "x.json").write_text("{}")
    assert packaged("schema", "x.json") == package / "schema" / "x.json"
