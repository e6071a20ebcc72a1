"""The pytest plugin: every test of a policy is an item, and other projects do not notice it."""

from __future__ import annotations

import pytest

from policy_cache.testing import run
from tests.testing.files import BAD, GOOD, POLICY, case, suite

pytest_plugins = "pytester"

FOREIGN = "suite: helm\ntests:\n  - it: works\n"
UNREADABLE = case("unreadable", "{file: none.json}", "{unchanged: true}")


@pytest.fixture
def project(pytester, monkeypatch):
    """A project with a policy; runs pytest there."""
    monkeypatch.chdir(pytester.path)

    def run(text, *arguments, name="p.test.yaml", apart=False):
        (pytester.path / "p.yaml").write_text(POLICY)
        (pytester.path / name).write_text(text)
        begin = pytester.runpytest_subprocess if apart else pytester.runpytest_inprocess
        done = begin("-p", "no:cacheprovider", "-q", "-W", "error", *arguments)
        return int(done.ret), done.stdout.str()

    return run


def test_each_test_is_an_item(project):
    code, out = project(suite(GOOD, BAD, UNREADABLE), "--collect-only")
    assert code == 0
    assert out.splitlines()[:3] == [
        "p.test.yaml::marks system",
        "p.test.yaml::marks nothing",
        "p.test.yaml::unreadable",
    ]


def test_a_failure_is_shown_as_on_the_command_line(project, run):
    code, out = project(suite(GOOD, BAD, UNREADABLE))
    shown, _, _ = run("test").out.rpartition("\n\n")
    assert code == 1
    for block in shown.split("\n\nerror["):
        assert block.removeprefix("error[") in out
    assert "Traceback" not in out
    assert "2 failed, 1 passed" in out


def test_choosing_and_running_apart(project):
    assert project(suite(GOOD, BAD), "-k", "system")[0] == 0
    code, out = project(suite(GOOD, BAD), "-n1")
    assert (code, "1 failed, 1 passed" in out) == (1, True)


def test_a_file_with_a_mistake(project):
    code, out = project("version: 1\npolicy: p.yaml\nteests: []\n")
    assert code == 2
    assert "error[PC120]: unknown field `teests` in the test file\n --> p.test.yaml:3:1\n" in out
    assert "Traceback" not in out


def test_a_policy_with_a_mistake(project, pytester):
    (pytester.path / "bad.yaml").write_text("version: 1\nname: bad\nruls: []\n")
    code, out = project(suite(GOOD.replace(", rule: prefix", "")).replace("p.yaml", "bad.yaml"))
    assert code == 1
    assert "error[PC120]: unknown field `ruls` in the policy\n --> " in out
    assert "Traceback" not in out


def test_files_of_other_tools_are_left_alone(project):
    assert project(FOREIGN, name="chart.test.yaml")[0] == 5


def test_it_can_be_switched_off(project):
    assert project(suite(BAD), "-p", "no:policy_cache")[0] == 5


def test_it_is_light_where_there_is_nothing_to_test(project, pytester):
    (pytester.path / "test_light.py").write_text(
        "import sys\n\ndef test():\n"
        "    ours = {name for name in sys.modules if name.startswith('policy_cache')}\n"
        "    assert ours == {'policy_cache', 'policy_cache.testing', 'policy_cache.testing.plugin'}\n"
    )
    code, out = project("", name="empty.txt", apart=True)
    assert (code, "1 passed" in out) == (0, True), out


def test_the_wire_without_litellm_is_skipped(project, monkeypatch):
    monkeypatch.setattr(run, "litellm_wire", lambda: None)
    request = "{model: openai/gpt-5.2, messages: [{role: user, content: hi}]}"
    code, out = project(suite(case("the wire", request, "{wire: []}")), "-rs")
    assert (code, "`wire` needs litellm" in out, "1 skipped" in out) == (0, True, True)
