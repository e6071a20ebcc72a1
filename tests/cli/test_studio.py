"""`policy-cache studio`: what it starts with, and what it cannot start with."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

import httpx
import pytest

from tests.cli.conftest import PROGRAM, environment
from tests.studio.conftest import AGENT, POLICY


class Serving:
    """A studio in a process of its own, and what its page would send."""

    def __init__(self, folder, *given, stdin=None):
        self.program = subprocess.Popen(
            [PROGRAM, "studio", *given, "--port", "0", "--no-open"],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
            env=environment(),
        )
        self.url = self.program.stdout.readline().strip()
        page = httpx.get(self.url, timeout=60).text
        token = re.search(r'name="token" content="([^"]+)"', page)[1]
        self.headers = {"origin": self.url, "x-studio-token": token}

    def ask(self, question, **body):
        return httpx.post(f"{self.url}/api/{question}", json=body, headers=self.headers, timeout=60).json()

    def end(self, sign=signal.SIGINT):
        self.program.send_signal(sign)
        out, err = self.program.communicate(timeout=60)
        return self.program.returncode, out, err


@pytest.fixture
def serving(folder):
    running = []

    def serving(*given, **more):
        running.append(Serving(folder, *given, **more))
        return running[-1]

    yield serving
    for one in running:
        one.program.kill()
        one.program.communicate()


def test_it_serves_the_page_until_it_is_interrupted(save, folder, serving):
    save("policy.yaml", POLICY)
    save("request.json", AGENT)
    save("trace.jsonl", "no record\n" + json.dumps(json.loads(AGENT)) + "\n")
    studio = serving(
        *("--policy", "policy.yaml", "--request", "request.json", "--trace", "trace.jsonl", "--folder", ".")
    )
    found = studio.ask("start")
    assert (found["policy"], found["file"], found["folder"]) == (POLICY, True, folder.name)
    assert found["requests"][0] == "request.json"
    assert found["requests"][-1] == "trace.jsonl:2: anthropic/claude-sonnet-4-5, 8 messages"
    assert studio.ask("evaluate", policy=POLICY, request=AGENT, pause=60)["shown"]["changed"]
    code, out, err = studio.end()
    assert (code, out) == (0, "")
    assert err.startswith("policy-cache: 1 line left out as no record: trace.jsonl:1: ")
    assert err.count("\n") == 1


def test_files_are_told_without_options(save, serving):
    save("policy.yaml", POLICY)
    save("request", AGENT)
    save("trace.jsonl", json.dumps(json.loads(AGENT)) + "\n")
    found = serving("trace.jsonl", "request", "policy.yaml").ask("start")
    assert (found["policy"], found["file"]) == (POLICY, True)
    assert found["requests"][0] == "request"
    assert found["requests"][-1] == "trace.jsonl:1: anthropic/claude-sonnet-4-5, 8 messages"


def test_a_request_may_be_a_line_of_a_trace(save, serving):
    save("trace.jsonl", "{}\n" + json.dumps(json.loads(AGENT)) + "\n")
    studio = serving("trace.jsonl:2")
    assert studio.ask("start")["requests"][0] == "trace.jsonl:2"
    assert json.loads(studio.ask("request", number=0)["text"]) == json.loads(AGENT)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a.yaml", "b.yml"], "one file is taken for --policy, and two are given: a.yaml and b.yml"),
        (
            ["a.yaml", "--policy", "b.yml"],
            "one file is taken for --policy, and two are given: --policy b.yml and a.yaml",
        ),
        (
            ["q.json", "--request", "r.json"],
            "one file is taken for --request, and two are given: --request r.json and q.json",
        ),
        (
            ["t.jsonl", "--trace", "u.jsonl"],
            "one file is taken for --trace, and two are given: --trace u.jsonl and t.jsonl",
        ),
        (["-"], "what is -? Write `--request -` or `--trace -`"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_one_file_of_each_kind_is_taken(run, arguments, said):
    ran = run("studio", "--no-open", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.endswith(f"\nError: {said}\n")


def test_a_catalog_of_ones_own(save, serving):
    file = save("catalog.yaml", "version: 1\nroutes: [{name: anthropic, breakpoints: 2}]\n")
    found = serving("--catalog", file).ask("evaluate", policy=POLICY, request=AGENT, pause=60)
    assert found["shown"]["prefix"]["limit"] == 2


@pytest.mark.parametrize("option", ["--request", "--trace"])
def test_what_comes_through_a_pipe_is_read_once(save, folder, serving, option):
    save("given", AGENT if option == "--request" else json.dumps(json.loads(AGENT)))
    with (folder / "given").open() as stdin:
        studio = serving(option, "-", stdin=stdin)
    names = studio.ask("start")["requests"]
    number = 0 if option == "--request" else len(names) - 1
    assert names[number].startswith("<stdin>")
    assert json.loads(studio.ask("request", number=number)["text"]) == json.loads(AGENT)


def processes():
    """Of every process that runs: its own number, and its parent's."""
    options = ["ps", "-eo", "pid=,ppid=,stat="]
    listed = subprocess.run(options, capture_output=True, text=True, check=True).stdout
    found = [line.split() for line in listed.splitlines()]
    return {int(pid): int(parent) for pid, parent, state in found if not state.startswith("Z")}


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_an_evaluation_under_way_ends_with_it(serving, sign):
    studio = serving()
    backtracks = POLICY.replace("    targets", '    match: {model: "re:(a+)+b"}\n    targets')
    request = json.dumps({"model": "a" * 60, "messages": [{"role": "user", "content": "x"}]})
    with ThreadPoolExecutor(5) as pool:
        questions = {
            pool.submit(studio.ask, "evaluate", policy=backtracks, request=request, pause=60)
            for _ in range(5)
        }
        # Four have a place; once the fifth is told that there is none, all four are under way.
        (refused,), under_way = wait(questions, return_when=FIRST_COMPLETED)
        assert refused.result()["error"] == "not evaluated: too much is waiting to be evaluated"
        while not (working := [pid for pid, of in processes().items() if of == studio.program.pid]):
            assert not any(question.done() for question in under_way)
        code, out, err = studio.end(sign)
        assert (code, out, err) == (0 if sign == signal.SIGINT else -sign, "", "")
        answers = [question.result()["error"] for question in under_way]
    assert answers == ["not evaluated: the process that evaluates has ended"] * 4
    deadline = time.monotonic() + 30
    while running := processes().keys() & working:
        assert time.monotonic() < deadline, running


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
