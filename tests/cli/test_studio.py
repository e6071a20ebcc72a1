"""`policy-cache studio`: what it starts with, and what it cannot start with."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys

import httpx
import pytest

from tests.cli.conftest import PROGRAM, environment
from tests.studio.conftest import AGENT, POLICY


def test_it_serves_the_page_until_it_is_interrupted(save, folder):
    save("policy.yaml", POLICY)
    save("request.json", AGENT)
    save("trace.jsonl", json.dumps(json.loads(AGENT)) + "\n")
    given = [
        "--policy",
        "policy.yaml",
        "--request",
        "request.json",
        "--trace",
        "trace.jsonl",
        "--folder",
        ".",
    ]
    program = subprocess.Popen(
        [PROGRAM, "studio", *given, "--port", "0", "--no-open"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=environment(),
    )
    try:
        url = program.stdout.readline().strip()
        page = httpx.get(url, timeout=60).text
        token = re.search(r'name="token" content="([^"]+)"', page)[1]
        headers = {"origin": url, "x-studio-token": token}
        found = httpx.post(f"{url}/api/start", json={}, headers=headers).json()
        assert (found["policy"], found["file"], found["folder"]) == (POLICY, True, folder.name)
        assert found["requests"][0] == "request.json"
        assert found["requests"][-1] == "trace.jsonl:1: anthropic/claude-sonnet-4-5, 8 messages"
        question = {"policy": POLICY, "request": AGENT, "pause": 60}
        shown = httpx.post(f"{url}/api/evaluate", json=question, headers=headers, timeout=60).json()["shown"]
        assert shown["changed"]
    finally:
        program.send_signal(signal.SIGINT)
        out, err = program.communicate(timeout=60)
    assert (program.returncode, out, err) == (0, "", "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--request", "none.json"], "none.json: No such file or directory"),
        (["--request", "bad.json"], "bad.json:1:2: not JSON"),
        (["--trace", "none.jsonl"], "none.jsonl: No such file or directory"),
    ],
)
def test_what_cannot_be_read_is_named(run, save, arguments, said):
    save("bad.json", "{")
    assert run("studio", "--no-open", "--port", 0, *arguments).refused().startswith(said)


@pytest.mark.usefixtures("folder")
def test_a_policy_that_is_not_there(run):
    ran = run("studio", "--no-open", "--policy", "none.yaml")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("error[PC100]: no such file")


def test_a_policy_that_would_be_cut_is_not_opened(run, save):
    ran = run("studio", "--no-open", "--policy", save("policy.yaml", "# a comment\n" * 30_000))
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("error[PC103]")


def test_a_policy_with_mistakes_is_what_it_is_for(run, save, monkeypatch):
    opened = []
    monkeypatch.setattr("policy_cache.emulator.server.run", lambda **given: opened.append(given["port"]))
    assert run("studio", "--no-open", "--policy", save("policy.yaml", "version: 3")).code == 0
    assert opened == [8403]


@pytest.mark.parametrize("missing", ["starlette", "uvicorn"])
def test_a_missing_extra_is_named(run, monkeypatch, missing):
    for name in [
        name for name in sys.modules if name.startswith(("policy_cache.studio", "policy_cache.emulator"))
    ]:
        monkeypatch.delitem(sys.modules, name)
    for name in [name for name in sys.modules if name.partition(".")[0] == missing]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    said = run("studio", "--no-open").refused()
    assert said == "studio needs starlette and uvicorn: pip install 'policy-cache[emulator]'"
