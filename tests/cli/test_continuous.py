"""What others run in their own CI: the hooks for pre-commit, and the workflow for GitHub."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import PROGRAM, environment
from tests.conftest import REPOSITORY

HOOKS = REPOSITORY / ".pre-commit-hooks.yaml"
WORKFLOW = REPOSITORY / "examples" / "github" / "policies.yml"
GOOD = "version: 1\nname: t\nrules:\n  - {name: a, targets: [system], action: {add_cache_control: {}}}\n"
BAD = GOOD.replace("targets", "target")


def test_the_workflow_is_valid():
    checker = Path(sys.executable).with_name("check-jsonschema")
    command = [checker, "--builtin-schema", "vendor.github-workflows", WORKFLOW]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_manifest_is_valid():
    pre_commit = Path(sys.executable).with_name("pre-commit")
    subprocess.run([pre_commit, "validate-manifest", HOOKS], check=True, env=environment())


@pytest.fixture(params=yaml.safe_load(HOOKS.read_text(encoding="utf-8")), ids=lambda hook: hook["id"])
def hook(request):
    return request.param


@pytest.mark.parametrize(
    ("file", "taken"),
    [
        ("policies/team.yaml", True),
        ("deploy/policies/a/team.yml", True),
        ("policies/team.test.yaml", False),
        ("values.yaml", False),
        ("old-policies/a.yaml", False),
    ],
)
def test_a_hook_takes_policies_alone(hook, file, taken):
    assert bool(re.search(hook["files"], file) and not re.search(hook["exclude"], file)) is taken


def test_a_hook_runs_as_pre_commit_runs_it(hook, save, folder):
    command = [PROGRAM, *shlex.split(hook["entry"])[1:]]
    for name, text, code in (("good.yaml", GOOD, 0), ("bad.yaml", BAD, 0 if "--fix" in command else 1)):
        done = subprocess.run(
            [*command, save(name, text)], capture_output=True, check=False, env=environment()
        )
        assert done.returncode == code
    fixed = (folder / "bad.yaml").read_text(encoding="utf-8") == GOOD
    assert fixed is ("--fix" in command)


def test_the_workflow_runs(folder):
    (folder / "policies").mkdir()
    (folder / "policies" / "bad.yaml").write_text(BAD, encoding="utf-8")
    steps = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]["validate"]["steps"]
    check, report = [step["run"] for step in steps if "policy-cache validate" in step.get("run", "")]
    path = f"{PROGRAM.parent}:/usr/bin:/bin"
    done = subprocess.run(
        ["sh", "-c", check],
        capture_output=True,
        check=False,
        env=environment(GITHUB_ACTIONS="true", PATH=path),
    )
    assert done.stdout.startswith(b"::error file=policies/bad.yaml,line=4,")
    assert done.returncode == 1
    subprocess.run(["sh", "-c", report], check=True, env=environment(PATH=path))
    (result,) = json.loads((folder / "policies.sarif").read_text(encoding="utf-8"))["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "policies/bad.yaml"


def test_the_workflow_compares_with_the_policy_that_is_in_force(save, folder):
    """Its step in a clone, as a runner has it; GitHub's own part is left to it."""
    steps = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]["compare"]["steps"]
    [script] = [step["run"] for step in steps if "git:origin" in step.get("run", "")]
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    for arguments in (
        ("init", "--quiet", "--initial-branch", "main"),
        ("add", save("policy.yaml", GOOD)),
        ("commit", "--quiet", "--message", "m"),
        ("update-ref", "refs/remotes/origin/main", "HEAD"),
    ):
        subprocess.run(["git", *identity, *arguments], cwd=folder, check=True)
    save("policy.yaml", GOOD.replace("system", "messages.last"))

    def compare(policy):
        variables = environment(BASE="main", POLICY=policy, TRACE="")
        variables["PATH"] = f"{PROGRAM.parent}:{variables['PATH']}"
        subprocess.run(["bash", "-e", "-c", script], cwd=folder, env=variables, check=True)
        comment = folder / "comment.md"
        return comment.read_text(encoding="utf-8") if comment.exists() else None

    assert compare(save("new.yaml", GOOD)) is None
    assert "5m breakpoint at messages.last" in compare("policy.yaml")
