"""`policy-cache validate`: what it prints, where, and its exit code."""

import errno
import json
import os
from pathlib import Path

import pytest

from policy_cache.cli.commands import validate
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
    told = "policy-cache: no file is named, so the packaged default policy is checked\n"
    assert run("validate") == (0, "Valid: 6 rules in 1 file.\n", told)


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
        (".", None, 2, ".: error[PC101]: no policy in this folder\n"),
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


@pytest.fixture
def tree(folder):
    """A folder with policies, and with files that are none."""
    (folder / "team" / "deep").mkdir(parents=True)
    (folder / "team" / ".hidden").mkdir()
    for name, text in {
        "team/b.yml": GOOD,
        "team/a.yaml": GOOD,
        "team/deep/c.yaml": WARNED,
        "team/.hidden/d.yaml": FIVE,
        "team/a.test.yaml": "version: 1\ntests: []\n",
        "team/config.yaml": "model_list: []\n",
        "team/notes.txt": GOOD,
        "team/broken.yaml": "version: 1\nname: [\nrules: []\n",
    }.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def files_of(ran):
    return sorted({line.split(":")[0] for line in ran.out.splitlines()})


@pytest.mark.usefixtures("tree")
def test_a_folder_is_searched_for_policies(run):
    ran = run("validate", "--output-format", "concise", "team")
    assert files_of(ran) == ["team/broken.yaml", "team/deep/c.yaml"]
    assert ran.err == "Found 1 error and 1 warning in 4 files.\n"
    assert ran.code == 1


@pytest.mark.parametrize("field", ["version", "name", "rules"])
def test_a_policy_in_a_folder_is_one_though_a_field_is_misspelt(run, save, field):
    save("policy.yaml", GOOD.replace(f"{field}:", f"x{field}:", 1))
    assert run("validate", ".").code == 1


@pytest.mark.usefixtures("folder")
def test_a_file_of_another_tool_in_a_folder_is_no_policy(run, save):
    save("good.yaml", GOOD)
    save("Chart.yaml", "version: 1\nname: chart\ndependencies:\n  - name: a\n")
    assert run("validate", ".").out == "Valid: 1 rule in 1 file.\n"


@pytest.mark.usefixtures("tree")
@pytest.mark.parametrize(
    ("glob", "count"), [("team/*.y*ml", 4), ("team/**/*.yaml", 4), ("team/[ab].y*ml", 2), ("**/c.yaml", 1)]
)
def test_a_glob_is_expanded(run, glob, count):
    ran = run("validate", "--output-format", "concise", glob)
    assert f" in {count} file" in ran.err or f" in {count} file" in ran.out


@pytest.mark.usefixtures("folder")
def test_a_glob_without_a_match_is_no_file(run):
    ran = run("validate", "--output-format", "concise", "*.yaml")
    assert (ran.code, ran.out) == (2, "*.yaml: error[PC100]: no such file\n")


@pytest.mark.usefixtures("tree")
def test_a_file_is_checked_once(run):
    assert run("validate", "team/a.yaml", "team/a.yaml").out == "Valid: 1 rule in 1 file.\n"


@pytest.mark.parametrize(
    ("name", "text", "code", "option"),
    [
        ("catalog.yaml", "version: 1\nroutes: []\n", "PC132", "validate --catalog catalog.yaml"),
        ("a.test.yaml", "version: 1\npolicy: a.yaml\ntests: []\n", "PC133", "test a.test.yaml"),
    ],
)
def test_another_file_of_ours_is_told_from_a_policy(run, save, name, text, code, option):
    ran = run("validate", save(name, text))
    assert ran.code == 1
    assert ran.out.startswith(f"error[{code}]")
    assert f"`policy-cache {option}`" in ran.out


def test_github_annotations(run, save):
    ran = run("validate", "--output-format", "github", save("five.yaml", FIVE))
    assert ran.out.splitlines()[1] == (
        "::error file=five.yaml,line=7,col=7,endLine=7,endColumn=12,"
        "title=PC120%3A an unknown field::unknown field `modle` in `match`: did you mean `model`?"
    )
    assert ran.err == "Found 5 errors in 1 file.\n"
    assert ran.code == 1


def test_annotations_are_escaped(run, save):
    save("a,b:%.yaml", "version: 1\nname: t\nrules: []\n'100%\x3a': 1\n")
    (line,) = run("validate", "--output-format", "github", "a,b:%.yaml").out.splitlines()
    assert line.startswith("::error file=a%2Cb%3A%25.yaml,line=4,col=1,")
    assert "::unknown field `100%25:` in the policy%0Ahelp: allowed here: `version`" in line


def test_auto_is_github_there_alone(run, save, monkeypatch):
    five = save("five.yaml", FIVE)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert run("validate", five).out.startswith("::error file=five.yaml,")
    assert run("validate", "--output-format", "full", five).out == FULL
    monkeypatch.delenv("GITHUB_ACTIONS")
    assert run("validate", five).out == FULL


FIXABLE = """\
# A team's policy.
version: 1
name: team
rules:
  - name: a   # the first
    match:
      modle:   "*claude*"
      stream: yes
      metadata: {release: 1.10}
    targets: [{at: Tools, take: Last}]
    action: {add_cache_control: {ttl: 1h}}
"""
FIXED = (
    FIXABLE.replace("modle", "model")
    .replace("yes", "true")
    .replace("1.10", '"1.10"')
    .replace("Tools", "tools")
    .replace("Last", "last")
)


def test_fix_writes_what_is_certain_and_nothing_else(run, save, folder):
    name = save("team.yaml", FIXABLE)
    ran = run("validate", "--fix", name)
    assert (folder / name).read_text() == FIXED
    assert ran == (0, "Valid: 1 rule in 1 file.\n", "Fixed 5 problems in 1 file.\n")
    assert run("validate", "--fix", name) == (0, "Valid: 1 rule in 1 file.\n", "")


def test_fix_keeps_byte_order_mark_line_ends_and_mode(run, save, folder):
    name = save("team.yaml", b"\xef\xbb\xbf" + FIXABLE.replace("\n", "\r\n").encode())
    (folder / name).chmod(0o640)
    run("validate", "--fix", name)
    assert (folder / name).read_bytes() == b"\xef\xbb\xbf" + FIXED.replace("\n", "\r\n").encode()
    assert (folder / name).stat().st_mode & 0o777 == 0o640
    assert [path.name for path in folder.iterdir()] == [name]


def test_fix_writes_through_a_link(run, save, folder):
    save("team.yaml", FIXABLE)
    (folder / "link.yaml").symlink_to("team.yaml")
    run("validate", "--fix", "link.yaml")
    assert (folder / "link.yaml").is_symlink()
    assert (folder / "team.yaml").read_text() == FIXED


def test_a_failed_write_leaves_the_file_and_nothing_else(run, save, folder, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    name = save("team.yaml", FIXABLE)
    ran = run("validate", "--fix", name)
    assert (ran.code, ran.err) == (2, "policy-cache: team.yaml: No space left on device\n")
    assert (folder / name).read_text() == FIXABLE
    assert [path.name for path in folder.iterdir()] == [name]


def test_fix_goes_on_where_one_fix_shows_another(run, save, folder):
    name = save("t.yaml", GOOD.replace("- {name: a,", "- {name: a, mach: {modle: x},"))
    assert run("validate", "--fix", name).err == "Fixed 2 problems in 1 file.\n"
    assert "match: {model: x}" in (folder / name).read_text()


def test_what_is_not_certain_is_left(run, save, folder):
    name = save("five.yaml", FIVE)
    ran = run("validate", "--fix", name)
    assert ran.err == "Fixed 1 problem in 1 file.\n"
    assert ran.out.endswith("Found 4 errors in 1 file.\n")
    assert (folder / name).read_text() == FIVE.replace("modle", "model")


def test_diff_shows_the_fixes_and_writes_nothing(run, save, folder):
    name = save("five.yaml", FIVE)
    ran = run("validate", "--diff", name)
    assert ran.code == 1
    assert ran.out.splitlines()[:2] == ["--- five.yaml", "+++ five.yaml"]
    assert "-      modle: claude-*\n+      model: claude-*\n" in ran.out
    assert ran.err == "Would fix 1 problem in 1 file.\n"
    assert (folder / name).read_text() == FIVE
    assert run("validate", "--diff", save("a.yaml", GOOD)) == (0, "", "Nothing to fix in 1 file.\n")
    assert run("validate", "--diff", "-", stdin=FIVE).out.startswith("--- <stdin>")


@pytest.mark.parametrize("options", [["--fix", "-"], ["--watch", "-"], ["--watch", "--diff", "a.yaml"]])
def test_what_cannot_be_combined(run, options):
    ran = run("validate", *options)
    assert (ran.code, ran.out) == (2, "")
    assert "Error: " in ran.err


def test_watch_checks_again_when_a_file_changes(run, save, folder, monkeypatch):
    name = save("team.yaml", GOOD)
    steps = iter(
        [
            lambda: None,
            lambda: save(name, WARNED),
            lambda: save("more.yaml", GOOD),
            (folder / "more.yaml").unlink,
            lambda: os.utime(name, (1, 1)),
        ]
    )

    def pause():
        step = next(steps, None)
        if step is None:
            raise KeyboardInterrupt
        step()

    monkeypatch.setattr(validate, "pause", pause)
    ran = run("validate", "--watch", "--output-format", "concise", ".")
    warned = "team.yaml:5:16: warning[PC204]: `..` looks at the whole request, every time\n"
    assert ran.out == warned * 4
    assert ran.err.split("\n--- ")[1:] == [
        "team.yaml ---\nValid: 1 rule in 1 file.\n",
        "team.yaml ---\nValid, with 1 warning: 1 rule in 1 file.\n",
        "more.yaml ---\nValid, with 1 warning: 2 rules in 2 files.\n",
        "more.yaml ---\nValid, with 1 warning: 1 rule in 1 file.\n",
        "team.yaml ---\nValid, with 1 warning: 1 rule in 1 file.\n",
    ]
    assert ran.code == 0


def test_watch_looks_again_for_a_file_that_is_missing(run, save, monkeypatch):
    steps = iter([lambda: save("team.yaml", GOOD)])

    def pause():
        for step in steps:
            return step()
        raise KeyboardInterrupt

    monkeypatch.setattr(validate, "pause", pause)
    ran = run("validate", "--watch", "--output-format", "concise", "team.yaml")
    assert ran.out == "team.yaml: error[PC100]: no such file\n"
    assert ran.err.endswith("Valid: 1 rule in 1 file.\n")
    assert ran.code == 0


def test_many_files_are_checked_in_their_order(run, folder):
    good = "version: 1\nname: good\nrules: []\n"
    for number in range(150):
        text = good if number % 10 else good.replace("name", "nam")
        (folder / f"{number:03}.yaml").write_text(text)
    ran = run("validate", folder, "--output-format", "concise")
    named = [line.split(":")[0][-8:] for line in ran.out.splitlines()]
    assert ran.code == 1
    assert list(dict.fromkeys(named)) == [f"{number:03}.yaml" for number in range(0, 150, 10)]
    assert ran.err.endswith("in 150 files.\n")


@pytest.mark.usefixtures("folder")
def test_a_name_that_cannot_be_looked_at_hides_no_other(run, save):
    ran = run("validate", "--output-format", "concise", "a" * 300, save("bad.yaml", "version: 2\n"))
    assert ran.code == 2
    assert "PC102" in ran.out
    assert "bad.yaml:1:10: error[PC124]" in ran.out


def test_closed_standard_input(run, monkeypatch):
    def closed():
        raise OSError(errno.EBADF, "standard input is closed")

    monkeypatch.setattr(validate, "standard_input", closed)
    for options in ((), ("--diff",)):
        assert run("validate", *options, "-").refused() == "<stdin>: standard input is closed"
