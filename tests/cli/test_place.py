"""A request of a trace, by the place that output names it by."""

from __future__ import annotations

import json

import pytest

from tests.conftest import REPOSITORY
from tests.engine.requests import BIG, chat, tool

REQUEST = chat(tools=[tool()])
SESSION = {
    "id": "s1",
    "hash_id_scope": "s1",
    "block_size": 64,
    "tool_tokens": 2_048,
    "system_tokens": 2_048,
    "requests": [
        {"t": 0, "type": "n", "model": "claude-opus-4-5", "in": 4_800, "out": 9, "hash_ids": [*range(75)]},
        {"t": 9, "type": "n", "model": "claude-opus-4-5", "in": 5_440, "out": 9, "hash_ids": [*range(85)]},
    ],
}


@pytest.fixture
def trace(save):
    other = {
        **REQUEST,
        "messages": [{"role": "system", "content": BIG}, {"role": "user", "content": "again"}],
    }
    recorded = {"ts": 9.0, "request": other, "usage": {"prompt_tokens": 5}}
    return save("trace.jsonl", "\n".join([json.dumps(REQUEST), "", json.dumps(recorded), "{", ""]))


@pytest.mark.parametrize("command", ["diff", "explain", "rewrite"])
def test_a_line_is_what_a_file_of_its_own_would_be(run, save, trace, command):
    save("alone.json", json.dumps(REQUEST))
    alone, line = run(command, "alone.json"), run(command, f"{trace}:1")
    assert (line.code, line.out, line.err) == (alone.code, alone.out, alone.err)
    assert line.out
    assert run(command, f"{trace}:3").out not in ("", line.out)  # of a recorder's line, its request


def test_one_of_a_list_and_one_of_a_session(run, save):
    save("list.json", json.dumps([REQUEST, {**REQUEST, "model": "gpt-4o"}]))
    save("session.json", json.dumps(SESSION))
    assert run("explain", "list.json[2]").out.splitlines()[0].count("openai/gpt-4o") == 1
    assert "claude-opus-4-5" in run("explain", "session.json:1#2").out.splitlines()[0]


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("trace.jsonl:2", "trace.jsonl:2: there is no such request"),
        ("trace.jsonl:9", "trace.jsonl:9: there is no such request"),
        ("trace.jsonl:4", "trace.jsonl:4: not valid JSON: "),
        ("trace.jsonl:1#1", "trace.jsonl:1#1: there is no such request"),
        ("none.jsonl:1", "none.jsonl:1: No such file or directory"),
        (
            "trace.jsonl",
            "trace.jsonl:3:1: not JSON: Extra data; is it a trace? Name one of its requests: trace.jsonl:1",
        ),
        ("session.json:1", "session.json:1: a whole session; name one of its requests: session.json:1#1"),
        ("session.json:1#3", "session.json:1#3: there is no such request"),
    ],
)
@pytest.mark.usefixtures("trace")
def test_what_is_no_place_is_named(run, save, place, said):
    save("session.json", json.dumps(SESSION))
    assert run("explain", place).refused().startswith(said)


def test_a_file_goes_before_a_place(run, save, trace):
    save(f"{trace}:1", json.dumps({**REQUEST, "model": "gpt-4o"}))
    assert "openai/gpt-4o" in run("explain", f"{trace}:1").out.splitlines()[0]


@pytest.mark.parametrize("command", ["simulate", "misses", "switches", "tune", "compare"])
@pytest.mark.parametrize("content", ["examples/trace.jsonl", "broken"])
def test_what_comes_through_a_pipe_is_called_so(run, save, command, content):
    """As a file is, wherever a line of it is named; where it is kept meanwhile is nobody's concern."""
    content = "{\n" if content == "broken" else (REPOSITORY / content).read_text(encoding="utf-8")
    save("trace.jsonl", content)
    policies = ["policies/default.yaml", "policies/interactive.yaml"] if command == "compare" else []
    given = [command, *(REPOSITORY / policy for policy in policies)]
    file, pipe = run(*given, "trace.jsonl"), run(*given, "-", stdin=content)
    named = [text.replace("<stdin>", "trace.jsonl") for text in (pipe.out, pipe.err)]
    assert (pipe.code, *named) == (file.code, file.out, file.err)
    assert "<stdin>" in pipe.out + pipe.err
