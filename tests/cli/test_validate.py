"""`policy-cache validate`: what it prints, where, and its exit code."""

import json
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

GOOD = "version: 1\nname: good\nrules:\n  - {name: a, targets: [system], action: {add_cache_control: {}}}\n"
WARNED = (
    "version: 1\nname: w\nrules:\n"
    "  - name: a\n    targets: [$..content]\n    action: {add_cache_control: {}}\n"
)
FIVE = """\
version: 1
name: t
mode: observer
rules:
  - name: a
    match:
      modle: claude-*
      stream: 1
    targets:
      - $.tools[-1
    action:
      add_cache_control: {ttl: 1h}
  - name: a
    action:
      remove_cache_control:
"""
FULL = """\
error[PC123]: `observer` is not a value of `mode`
 --> five.yaml:3:7
  |
3 | mode: observer
  |       ^^^^^^^^ did you mean `observe`?
  = help: expected one of `enforce`, `observe`

error[PC120]: unknown field `modle` in `match`
 --> five.yaml:7:7
  |
7 |       modle: claude-*
  |       ^^^^^ did you mean `model`?

error[PC122]: expected true or false for `stream`, found the number `1`
 --> five.yaml:8:15
  |
8 |       stream: 1
  |               ^

error[PC201]: invalid JSONPath: expected `]`, found the end of the path
  --> five.yaml:10:19
   |
10 |       - $.tools[-1
   |                   ^
   = help: close the bracket with `]`

error[PC301]: two rules are named `a`
  --> five.yaml:13:11
   |
 5 |   - name: a
   |           - the first of that name
...
13 |   - name: a
   |           ^

Found 5 errors in 1 file.
"""
CONCISE = """\
five.yaml:3:7: error[PC123]: `observer` is not a value of `mode`
five.yaml:7:7: error[PC120]: unknown field `modle` in `match`
five.yaml:8:15: error[PC122]: expected true or false for `stream`, found the number `1`
five.yaml:10:19: error[PC201]: invalid JSONPath: expected `]`, found the end of the path
five.yaml:13:11: error[PC301]: two rules are named `a`
"""


def test_the_packaged_default(run):
    assert run("validate") == (0, "Valid: 5 rules in 1 file.\n", "")


def test_several_files(run, save):
    files = save("a.yaml", GOOD), save("b.yaml", GOOD)
    assert run("validate", *files) == (0, "Valid: 2 rules in 2 files.\n", "")


def test_every_policy_of_the_repository(run):
    policies = [path for path in (REPOSITORY / "policies").glob("*.yaml") if ".test." not in path.name]
    assert run("validate", *policies).code == 0


def test_standard_input(run):
    assert run("validate", "-", stdin=GOOD) == (0, "Valid: 1 rule in 1 file.\n", "")
    ran = run("validate", "--output-format", "concise", "-", stdin="version: 2\nname: x\nrules: []\n")
    assert ran.out.startswith("<stdin>:1:10: error[PC124]")
    assert ran.code == 1


def test_five_mistakes(run, save):
    assert run("validate", save("five.yaml", FIVE)) == (1, FULL, "")


def test_five_mistakes_in_a_line_each(run, save):
    ran = run("validate", "--output-format", "concise", save("five.yaml", FIVE))
    assert ran == (1, CONCISE, "Found 5 errors in 1 file.\n")


def test_five_mistakes_as_json(run, save):
    ran = run("validate", "--output-format", "json", save("five.yaml", FIVE))
    found = json.loads(ran.out)
    assert (ran.code, ran.err, found["format_version"]) == (1, "", 1)
    places = [(one["code"], one["file"], one["line"], one["column"]) for one in found["diagnostics"]]
    assert places == [
        ("PC123", "five.yaml", 3, 7),
        ("PC120", "five.yaml", 7, 7),
        ("PC122", "five.yaml", 8, 15),
        ("PC201", "five.yaml", 10, 19),
        ("PC301", "five.yaml", 13, 11),
    ]
    assert {one["severity"] for one in found["diagnostics"]} == {"error"}


def test_nothing_found_as_json(run, save):
    ran = run("validate", "--output-format", "json", save("a.yaml", GOOD))
    assert (ran.code, json.loads(ran.out)) == (0, {"format_version": 1, "diagnostics": []})


def test_a_warning_is_no_finding(run, save):
    ran = run("validate", save("w.yaml", WARNED))
    assert ran.code == 0
    assert ran.out.startswith("warning[PC204]")
    assert ran.out.endswith("\n\nValid, with 1 warning: 1 rule in 1 file.\n")


def test_errors_and_warnings_of_several_files_are_counted(run, save):
    ran = run("validate", save("w.yaml", WARNED), save("five.yaml", FIVE), save("a.yaml", GOOD))
    assert ran.code == 1
    assert ran.out.endswith("Found 5 errors and 1 warning in 3 files.\n")


def test_exit_zero(run, save):
    five = save("five.yaml", FIVE)
    assert run("validate", "--exit-zero", five) == (0, FULL, "")
    assert run("validate", "--exit-zero", five, "missing.yaml").code == 2


@pytest.mark.parametrize(
    ("name", "content", "code", "said"),
    [
        ("missing.yaml", None, 2, "missing.yaml: error[PC100]: no such file\n"),
        (".", None, 2, ".: error[PC101]: this is a directory; a policy is one YAML file\n"),
        ("latin.yaml", b"name: \xe9", 1, "latin.yaml:1:7: error[PC104]: byte 0xE9 on line 1 is not UTF-8\n"),
        ("deep.yaml", b"[" * 30_000, 1, "deep.yaml:1:33: error[PC110]: a policy may nest 32 levels\n"),
        ("empty.yaml", b"", 1, "empty.yaml:1:1: error[PC117]: the file is empty\n"),
    ],
)
def test_files_that_are_no_policy(run, save, name, content, code, said):
    if content is not None:
        save(name, content)
    ran = run("validate", "--output-format", "concise", name)
    assert ran == (code, said, "Found 1 error in 1 file.\n")


def test_a_misspelt_file(run, save):
    save("team.yaml", GOOD)
    assert "did you mean `team.yaml`?" in run("validate", "taem.yaml").out


def test_one_unreadable_file_does_not_hide_another(run, save):
    ran = run("validate", "missing.yaml", save("five.yaml", FIVE))
    assert ran.code == 2
    assert "missing.yaml" in ran.out
    assert FULL.removesuffix("Found 5 errors in 1 file.\n") in ran.out


def test_what_a_policy_says_is_not_obeyed_by_the_terminal(run, save):
    ran = run("validate", save("evil.yaml", 'version: 1\nname: x\nrules: []\n"\\e[31mred\\e[0m\\n": 1\n'))
    assert ran.code == 1
    assert "\x1b" not in ran.out


def test_a_case_of_the_policy_tests(save, run):
    """They are printed letter by letter, and so this stands for all of them."""
    cases = Path(__file__).parent.parent / "policy" / "cases" / "invalid"
    save("open-list.yaml", (cases / "open-list.yaml").read_bytes())
    ran = run("validate", "open-list.yaml")
    assert ran.out.startswith((cases / "open-list.txt").read_text(encoding="utf-8"))
