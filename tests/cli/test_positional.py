"""Files without an option: told by their names, or by what is in them, in any order."""

from __future__ import annotations

import json
import os

import click
import pytest

from policy_cache.cli.shared.positional import kind_of
from tests.cli.test_misses import conversation, jsonl

MARKS = """\
version: 1
name: marks
rules:
  - name: system
    targets: [system]
    action: {add_cache_control: {}}
"""
NONE = "version: 1\nname: none\nrules: []\n"
REQUEST = {
    "model": "anthropic/claude-sonnet-4-5",
    "max_tokens": 9,
    "system": "rules " * 3000,
    "messages": [{"role": "user", "content": "hi"}],
}


@pytest.fixture(autouse=True)
def files(save):
    save("marks.yaml", MARKS)
    save("none.YML", NONE)
    save("request.json", REQUEST)
    save("trace.jsonl", jsonl(*conversation()))


@pytest.mark.parametrize("command", ["diff", "rewrite", "explain"])
def test_a_policy_and_a_request_in_any_order(run, command):
    expected = run(command, "--policy", "marks.yaml", "request.json")
    assert "cache_control" in expected.out
    for given in (["marks.yaml", "request.json"], ["request.json", "marks.yaml"]):
        assert run(command, *given) == expected
    other = run(command, "request.json", "none.YML")
    assert other == run(command, "request.json", "--policy", "none.YML")
    assert other != expected


@pytest.mark.parametrize("command", ["misses", "switches", "simulate"])
def test_a_policy_and_a_trace_in_any_order(run, command):
    expected = run(command, "--policy", "none.YML", "trace.jsonl")
    for given in (["none.YML", "trace.jsonl"], ["trace.jsonl", "none.YML"]):
        assert run(command, *given) == expected


def test_policies_are_compared_however_they_are_given(run):
    expected = run("simulate", "--policy", "none.YML", "--policy", "marks.yaml", "trace.jsonl")
    assert run("simulate", "marks.yaml", "trace.jsonl", "--policy", "none.YML") == expected


def test_a_request_from_standard_input(run):
    expected = run("diff", "--policy", "marks.yaml", "request.json")
    assert run("diff", "marks.yaml", "-", stdin=json.dumps(REQUEST)) == expected


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["diff", "request.json", "marks.yaml", "--policy", "none.YML"],
            "one file is taken for --policy, and two are given: --policy none.YML and marks.yaml",
        ),
        (
            ["explain", "none.YML", "request.json", "marks.yaml"],
            "one file is taken for --policy, and two are given: none.YML and marks.yaml",
        ),
        (
            ["rewrite", "q.json", "policy"],
            "one request is taken, and two are given: q.json and policy; write --policy before a policy",
        ),
        (["diff", "marks.yaml"], "Missing argument 'REQUEST'."),
        (["misses", "marks.yaml"], "Missing argument 'TRACE...'."),
        (
            ["misses", "none.YML", "trace.jsonl", "marks.yaml"],
            "one file is taken for --policy, and two are given: none.YML and marks.yaml",
        ),
        (
            ["misses", "--as-sent", "none.YML", "trace.jsonl"],
            "--policy and --as-sent exclude each other",
        ),
        (["tune", "trace.jsonl", "none.YML"], "none.YML is a policy, where a trace was expected"),
        (
            ["compare", "none.YML", "marks.yaml", "marks.yaml"],
            "marks.yaml is a policy, where a trace was expected",
        ),
    ],
)
def test_what_is_no_use_is_named(run, arguments, said):
    ran = run(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"Usage: policy-cache {arguments[0]} ")
    assert ran.err.endswith(f"\nError: {said}\n")


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.yaml", "{", "policy"),
        ("a.yml", "", "policy"),
        ("a.JSON", "", "request"),
        ("a.jsonl", json.dumps(REQUEST), "trace"),
        ("one", json.dumps(REQUEST), "request"),
        ("lines.txt", json.dumps(REQUEST, indent=2), "request"),
        ("bom", "\ufeff" + json.dumps(REQUEST), "request"),
        ("input", json.dumps({"model": "gpt-5.6", "input": "hi"}), "request"),
        ("many.log", jsonl(REQUEST, REQUEST), "trace"),
        ("record", jsonl({"ts": 1, "request": REQUEST}), "trace"),
        ("list", json.dumps([REQUEST]), "trace"),
        ("words", "no JSON", "trace"),
        ("empty", "", "trace"),
        ("deep", "[" * 100_000, "trace"),
    ],
)
def test_what_a_file_is(save, name, content, kind):
    assert kind_of(save(name, content)) == kind


def test_what_is_not_there_is_left_to_whoever_reads_it():
    assert kind_of("nowhere") == "trace"


@pytest.mark.parametrize("file", ["-", "pipe"])
def test_what_can_be_read_once_only_is_not_looked_into(folder, file):
    os.mkfifo(folder / "pipe")
    with pytest.raises(click.UsageError) as error:
        kind_of(file)
    assert error.value.message == f"what is {file}? Write `--request {file}` or `--trace {file}`"
