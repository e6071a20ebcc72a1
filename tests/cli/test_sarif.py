"""`validate --output-format sarif`: valid against the OASIS schema, whatever is found."""

from __future__ import annotations

import json

import pytest
from jsonschema import Draft4Validator

from policy_cache.policy.check.explanation import explanations
from tests.conftest import REPOSITORY

SCHEMA = json.loads((REPOSITORY / "tests" / "schemas" / "sarif-2.1.0.json").read_text(encoding="utf-8"))
VALIDATOR = Draft4Validator(SCHEMA)
BAD = REPOSITORY / "tests" / "cases" / "invalid"
POLICY = "version: 1\nname: t\nrules:\n  - {nam: a, targets: [system], action: {add_cache_control: {}}}\n"


def log(run, *names):
    ran = run("validate", "--output-format", "sarif", *names)
    found = json.loads(ran.out)
    VALIDATOR.validate(found)
    assert ran.err == ""
    return found["runs"][0], ran.code


def test_one_mistake(run, save):
    found, code = log(run, save("a b.yaml", POLICY))
    assert code == 1
    (rule,) = found["tool"]["driver"]["rules"]
    assert rule["id"] == "PC120"
    assert rule["help"]["text"].startswith(explanations()["PC120"].text)
    assert "```yaml\nmatch: {modle:" in rule["help"]["markdown"]
    artifact = {"uri": "a%20b.yaml"}
    region = {"startLine": 4, "startColumn": 6, "endLine": 4, "endColumn": 9}
    place = {"physicalLocation": {"artifactLocation": artifact, "region": region}}
    change = {"deletedRegion": region, "insertedContent": {"text": "name"}}
    assert found["columnKind"] == "unicodeCodePoints"
    assert found["results"] == [
        {
            "ruleId": "PC120",
            "ruleIndex": 0,
            "level": "error",
            "message": {"text": "unknown field `nam` in rule 1"},
            "locations": [place],
            "relatedLocations": [{**place, "message": {"text": "did you mean `name`?"}}],
            "fixes": [{"artifactChanges": [{"artifactLocation": artifact, "replacements": [change]}]}],
        }
    ]


def test_the_whole_corpus(run, monkeypatch):
    monkeypatch.chdir(BAD)
    found, _ = log(run, *sorted(path.name for path in BAD.glob("*.yaml")))
    assert len(found["results"]) > 200
    for result in found["results"]:
        assert found["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]


def test_nothing_found(run, save):
    found, code = log(run, save("a.yaml", POLICY.replace("nam:", "name:")))
    assert (found["results"], code) == ([], 0)


@pytest.mark.parametrize(("inside", "uri"), [(True, "a.yaml"), (False, None)])
def test_a_path_below_the_folder_is_relative(run, folder, tmp_path_factory, inside, uri):
    file = (folder if inside else tmp_path_factory.mktemp("elsewhere")) / "a.yaml"
    file.write_text(POLICY, encoding="utf-8")
    found, _ = log(run, file)
    location = found["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
    assert location["uri"] == (uri or file.as_uri())


@pytest.mark.usefixtures("folder")
def test_a_missing_file_has_no_region(run):
    found, code = log(run, "missing.yaml")
    assert code == 2
    assert found["results"][0]["locations"] == [
        {"physicalLocation": {"artifactLocation": {"uri": "missing.yaml"}}}
    ]
