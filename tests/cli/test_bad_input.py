"""What is no request: exit 2, one line on standard error, nothing on standard output."""

import json
import sys

import pytest

from policy_cache.cli.shared.files import standard_input

COMMANDS = ["diff", "explain", "rewrite"]
MODEL = "anthropic/claude-sonnet-4-5"

EXPECTED = "r.json: expected a request, an object with `model` and `messages` or `input`; found "
UNREADABLE = {
    "missing": (None, "r.json: No such file or directory"),
    "empty": (b"", "r.json:1:1: not JSON: Expecting value"),
    "not JSON": (b'{\n  "model": "m"\n  "messages": []\n}', "r.json:3:3: not JSON: Expecting ',' delimiter"),
    "not UTF-8": (b'{"model": "\xff"}', "r.json: not UTF-8: byte 0xFF at offset 11"),
    "a list": (b"[]", EXPECTED + "a list"),
    "a text": (b'"m"', EXPECTED + "a text"),
    "a number": (b"7", EXPECTED + "a number"),
    "null": (b"null", EXPECTED + "nothing"),
    "10,000 digits": (b'{"n": ' + b"9" * 10_000 + b"}", "r.json: not JSON: a number is out of range"),
    "a huge exponent": (b'{"n": 1e999}', "r.json: not JSON: a number is out of range"),
    "not a number": (b'{"n": NaN}', "r.json: not JSON: a number is out of range"),
    "100,000 deep": (b"[" * 100_000, "r.json: nested too deeply"),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(("content", "said"), UNREADABLE.values(), ids=UNREADABLE)
def test_unreadable(run, save, command, content, said):
    if content is not None:
        save("r.json", content)
    assert run(command, "r.json").refused() == said


@pytest.mark.usefixtures("folder")
def test_a_directory(run):
    assert run("diff", ".").refused() == ".: Is a directory"


def test_standard_input_is_named(run):
    assert run("diff", "-", stdin=b"{").refused().startswith("<stdin>:1:2: not JSON: ")


def test_closed_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(OSError, match="standard input is closed"):
        standard_input()


REQUESTS = {
    "no model": ({"messages": []}, "$['model']: expected the model's name, found nothing"),
    "a model that is none": (
        {"model": 4, "messages": []},
        "$['model']: expected the model's name, found a number",
    ),
    "no messages": ({"model": MODEL}, "$['messages']: expected a list of messages, found nothing"),
    "null for messages": (
        {"model": MODEL, "messages": None},
        "$['messages']: expected a list of messages, found nothing",
    ),
    "a text for messages": (
        {"model": MODEL, "messages": "hello"},
        "$['messages']: expected a list of messages, found a text",
    ),
    "texts among messages": (
        {"model": MODEL, "messages": [{"role": "user", "content": "q"}, "hello"]},
        "$['messages'][1]: expected a message, found a text",
    ),
    "numbers among messages": (
        {"model": MODEL, "messages": [7]},
        "$['messages'][0]: expected a message, found a number",
    ),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(("request_", "said"), REQUESTS.values(), ids=REQUESTS)
def test_no_request(run, save, command, request_, said):
    assert run(command, save("r.json", request_)).refused() == f"r.json: {said}"


@pytest.mark.parametrize("arguments", [["diff"], ["diff", "--unified"], ["explain"], ["rewrite"]])
def test_deeper_than_can_be_printed(run, arguments):
    content = "[" * 900 + "]" * 900
    ran = run(*arguments, "-", stdin=f'{{"model": "m", "messages": [], "x": {content}}}')
    assert ran.code == 0 or ran.refused() == "the request is nested too deeply"


@pytest.mark.parametrize("option", ["--metadata", "--header"])
@pytest.mark.parametrize("pair", ["tenant", "=acme", "", "tenant: acme"])
def test_no_pair(run, save, option, pair):
    ran = run("diff", save("r.json", REQUEST), option, pair)
    assert (ran.code, ran.out) == (2, "")
    assert f"Invalid value for {option}: expected NAME=VALUE, found {pair!r}\n" in ran.err


REQUEST = {"model": MODEL, "messages": [{"role": "user", "content": "q"}]}


def test_options_that_exclude_each_other(run, save):
    ran = run("diff", save("r.json", REQUEST), "--unified", "--json-patch")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.endswith("Error: --unified, --json-patch and --wire exclude each other\n")


@pytest.mark.parametrize(
    "arguments", [["diff"], ["frobnicate"], ["diff", "r.json", "--shape", "odd"], ["validate", "--no"]]
)
def test_usage(run, arguments):
    ran = run(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("Usage: policy-cache ")


@pytest.mark.parametrize("command", COMMANDS)
def test_an_invalid_policy(run, save, command):
    policy = (
        "version: 1\nname: x\nmode: observer\nrules:\n  - name: a\n    match: {modle: x}\n    action: {}\n"
    )
    ran = run(command, save("r.json", REQUEST), "--policy", save("p.yaml", policy))
    assert (ran.code, ran.out) == (2, "")
    first, second, *_ = ran.err.split("\n\n")
    assert first.startswith("error[PC123]: `observer` is not a value of `mode`\n --> p.yaml:3:7\n")
    assert second.startswith("error[PC120]: unknown field `modle` in `match`\n --> p.yaml:6:13\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_missing_policy(run, save, command):
    ran = run(command, save("r.json", REQUEST), "--policy", "missing.yaml")
    assert ran == (2, "", "error[PC100]: no such file\n --> missing.yaml\n")


def test_a_warning_about_the_policy_stops_nothing(run, save):
    policy = (
        "version: 1\nname: w\nrules:\n  - {name: a, targets: [$..content], action: {add_cache_control: {}}}\n"
    )
    ran = run("rewrite", save("r.json", REQUEST), "--policy", save("w.yaml", policy))
    assert (ran.code, json.loads(ran.out), ran.err) == (0, REQUEST, "")
