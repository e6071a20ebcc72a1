"""`policy-cache test`: what it runs, how it ends, and what it writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import xmlschema

from policy_cache.cli.commands import test as command
from policy_cache.testing.report import summary
from tests.conftest import REPOSITORY
from tests.testing.files import BAD, GOOD, KEY, POLICY, case, suite

JUNIT = Path(__file__).parent / "junit.xsd"
WIRE = case("the wire", "{model: openai/gpt-5.2, messages: [{role: user, content: hi}]}", "{wire: []}")


@pytest.fixture
def files(save):
    """A policy with its tests: one good, one bad."""
    save("p.yaml", POLICY)
    return save("p.test.yaml", suite(GOOD, BAD))


def test_the_policies_of_the_repository_pass_and_every_rule_acts(run, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    ran = run("test", "policies", "--require-tests", "--fail-under", 100)
    assert (ran.code, ran.err) == (0, "")
    assert "Coverage: 100% of the rules.\n" in ran.out


def test_passing(run, save, files):
    save(files, suite(GOOD, KEY))
    assert run("test", files) == (0, "2 passed in 1 file.\n", "")


def test_failing_and_exit_zero(run, files):
    assert run("test", files).code == 1
    assert run("test", files, "--exit-zero").code == 0


def test_the_three_ways_to_name_tests(run, files):
    by_file = run("test", files)
    assert by_file.out.endswith("1 failed, 1 passed in 1 file.\n")
    assert run("test", "p.yaml") == by_file
    assert run("test", ".") == by_file
    assert run("test") == by_file
    assert run("test", files, "p.yaml", ".") == by_file


def test_concise(run, files):
    assert run("test", files, "--output-format", "concise") == (
        1,
        "p.test.yaml:9:14: error[PC512]: `marks nothing`: the request changes\n",
        "1 failed, 1 passed in 1 file.\n",
    )


def test_json(run, files):
    ran = run("test", files, "--output-format", "json", "--coverage")
    data = json.loads(ran.out)
    assert (ran.code, ran.err) == (1, "")
    assert data["summary"] == {"passed": 1, "failed": 1, "skipped": 0, "error": 0}
    good, bad = data["tests"]
    assert (good["name"], good["line"], good["outcome"], good["diagnostics"]) == (
        "marks system",
        4,
        "passed",
        [],
    )
    assert good["found"]["breakpoints"] == [{"at": "$['system'][0]", "ttl": "1h", "rule": "prefix"}]
    assert bad["diagnostics"][0]["code"] == "PC512"
    assert data["coverage"] == {
        "percent": 33.33,
        "policies": [
            {
                "policy": "p.yaml",
                "rules": [
                    {"rule": "prefix", "matched": 2, "acted": 2},
                    {"rule": "tail", "matched": 0, "acted": 0},
                    {"rule": "key", "matched": 0, "acted": 0},
                ],
            }
        ],
    }


def test_coverage(run, save, files):
    save(files, suite(GOOD, case("no tenant", "{model: openai/gpt-5.2, messages: []}", "{unchanged: true}")))
    ran = run("test", files, "--coverage")
    assert ran == (
        0,
        (
            "2 passed in 1 file.\n"
            "\n"
            "p.yaml: 1 of 3 rules acted in a test\n"
            "  prefix  matched   1  acted   1\n"
            "  tail    matched   0  acted   0  exercised by no test\n"
            "  key     matched   1  acted   0  never acted\n"
            "\n"
            "Coverage: 33% of the rules.\n"
        ),
        "",
    )
    few = run("test", files, "--fail-under", "34")
    assert (few.code, few.err) == (1, "Fewer than 34% of the rules acted in a test.\n")
    assert run("test", files, "--fail-under", "33").code == 0


def test_choosing(run, files):
    assert run("test", files, "-k", "system and not nothing") == (0, "1 passed in 1 file.\n", "")
    assert run("test", files, "-k", "NOTHING").code == 1
    assert run("test", files, "-k", "(system").refused() == "-k: a parenthesis is never closed"


def test_requiring_tests(run, save):
    save("p.yaml", POLICY)
    assert run("test", "p.yaml") == (0, "No tests found.\n", "")
    ran = run("test", "p.yaml", "--require-tests")
    assert (ran.code, ran.err) == (1, "p.yaml: has no tests\n")
    save("p.test.yaml", "version: 1\ntests: []\n")
    ran = run("test", "--require-tests")
    assert (ran.code, ran.err) == (1, "No tests were run, and --require-tests asks for some.\n")


def test_a_policy_of_a_folder_without_tests(run, save, files):
    save("q.yaml", POLICY)
    save(files, suite(GOOD))
    assert run("test").code == 0
    ran = run("test", "--require-tests")
    assert (ran.code, ran.err) == (1, "q.yaml: has no tests\n")


def test_the_tests_of_a_policy_that_was_renamed_are_not_left_out(run, save, files):
    save("q.yaml", POLICY)
    save(files, suite(GOOD))
    save("gone.test.yaml", suite(GOOD).replace("policy: p.yaml\n", ""))
    ran = run("test")
    assert (ran.code, "PC502" in ran.out) == (2, True)


def test_files_of_other_tools_are_left_alone(run, save, files):
    save(files, suite(GOOD))
    save("chart.test.yaml", "suite: helm\ntests:\n  - it: works\n")
    save("chart.yaml", "kind: chart\n")
    assert run("test") == (0, "1 passed in 1 file.\n", "")
    assert run("test", "chart.test.yaml").code == 2


@pytest.mark.usefixtures("folder")
def test_a_path_that_is_not_there(run):
    ran = run("test", "none.test.yaml")
    assert ran == (
        2,
        "error[PC100]: no such file\n --> none.test.yaml\n\n1 file not usable.\n",
        "",
    )


def test_one_bad_file_does_not_stop_the_others(run, save, files):
    save(files, suite(GOOD))
    save("q.test.yaml", "version: 1\npolicy: p.yaml\ntest: []\n")
    ran = run("test")
    assert ran.code == 2
    assert ran.out.endswith("1 passed in 1 file; 1 file not usable.\n")


def test_the_wire_without_litellm_is_skipped_and_counted(run, save, files, monkeypatch):
    save(files, suite(GOOD, WIRE))
    monkeypatch.setattr(command, "litellm_wire", lambda: None)
    assert run("test", files, "--junit", "j.xml") == (
        0,
        (
            "p.test.yaml:7: skipped 'the wire': `wire` needs litellm: pip install 'policy-cache[litellm]'\n"
            "1 passed, 1 skipped in 1 file.\n"
        ),
        "",
    )
    assert 'skipped="1"' in Path("j.xml").read_text()


def test_the_wire_with_litellm(run, save, files):
    save(files, suite(GOOD, WIRE))
    assert run("test", files) == (0, "2 passed in 1 file.\n", "")


def test_a_context_and_a_request_file(run, save, files):
    save("r.json", {"model": "gpt", "messages": [{"role": "user", "content": "hello"}]})
    context = {"provider": "openai", "metadata": {"tenant": "acme"}}
    save(files, suite(case("a", "{file: r.json}", "{parameters: {prompt_cache_key: acme}}", context)))
    assert run("test", files).code == 0


def test_junit_is_what_ci_systems_read(run, save, files):
    save(files, suite(GOOD, BAD, case("unreadable", "{file: none.json}", "{unchanged: true}")))
    save("q.test.yaml", "version: 1\npolicy: p.yaml\ntests: [\n")
    assert run("test", "--junit", "j.xml", "--output-format", "concise").code == 2
    xmlschema.validate("j.xml", str(JUNIT))
    root = xmlschema.to_dict("j.xml", str(JUNIT))
    assert (root["@tests"], root["@failures"], root["@errors"]) == (4, 1, 2)
    [good, bad, unreadable] = root["testsuite"][0]["testcase"]
    assert good == {"@name": "marks system", "@classname": "p.test.yaml", "@time": 0}
    [failure], [error] = bad["failure"], unreadable["error"]
    assert (failure["@type"], error["@type"]) == ("PC512", "PC506")
    assert failure["$"].startswith("error[PC512]: `marks nothing`: the request changes\n")


def test_junit_with_what_xml_cannot_hold(run, save, files):
    save(files, suite(case('"\\u0007 <&\\""', "{file: none.json}", "{unchanged: true}")))
    assert run("test", files, "--junit", "j.xml").code == 2
    xmlschema.validate("j.xml", str(JUNIT))


def test_junit_where_nothing_can_be_written(run, files):
    ran = run("test", files, "--junit", "none/j.xml")
    assert (ran.code, ran.err) == (2, "policy-cache: none/j.xml: No such file or directory\n")


def test_nothing_is_said_of_no_tests():
    assert summary([], 0, 0).text == "No tests found.\n"
