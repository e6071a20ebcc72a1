"""The other commands, and what all of them share."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import urllib.request

import pytest

from policy_cache import __version__
from policy_cache.cli.main import COMMANDS, cli
from tests.cli.conftest import PROGRAM, environment, start
from tests.conftest import REPOSITORY

AGENT = REPOSITORY / "examples" / "requests" / "agent.json"


def test_the_schema_is_the_shipped_one(run):
    shipped = (REPOSITORY / "schema" / "policy.schema.json").read_text(encoding="utf-8")
    assert run("schema") == (0, shipped, "")


def test_version(run):
    assert run("--version") == (0, f"policy-cache {__version__}\n", "")


def test_help_names_every_command(run):
    ran = run("--help")
    assert ran.code == 0
    for name, summary in COMMANDS.items():
        assert f"  {name} " in ran.out
        assert summary.split(",")[0] in " ".join(ran.out.split())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(run, command):
    ran = run(command, "-h")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"Usage: policy-cache {command} ")
    assert max(map(len, ran.out.splitlines())) <= 100


def test_every_command_is_listed():
    modules = {path.stem for path in (REPOSITORY / "policy_cache" / "cli" / "commands").glob("*.py")}
    assert modules - set(COMMANDS) == {"__init__"}
    assert cli.list_commands(None) == list(COMMANDS)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(run, shell):
    ran = run("completion", shell)
    assert ran.code == 0
    assert "_POLICY_CACHE_COMPLETE" in ran.out
    assert f"{shell}_complete" in ran.out


def test_completion_of_an_unknown_shell(run):
    ran = run("completion", "tcsh")
    assert (ran.code, ran.out) == (2, "")


def test_completing_a_command():
    ran = start(_POLICY_CACHE_COMPLETE="bash_complete", COMP_WORDS="policy-cache di", COMP_CWORD="1")
    assert ran == (0, "plain,diff\n", "")


def test_emulate():
    """It says where it is, answers there, and ends quietly on an interrupt."""
    command = [PROGRAM, "emulate", "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(PYTHONUNBUFFERED="1")
    ) as process:
        try:
            url = process.stdout.readline().decode().strip()
            assert url.startswith("http://127.0.0.1:")
            assert answer(url)["content"][0]["type"] == "text"
        finally:
            process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, b"", b"")


def answer(url):
    body = {
        "model": "claude-sonnet-4-5",
        "max_tokens": 16,
        "messages": [{"role": "user", "content": "hello"}],
    }
    headers = {"x-api-key": "k", "anthropic-version": "2023-06-01", "content-type": "application/json"}
    request = urllib.request.Request(f"{url}/v1/messages", json.dumps(body).encode(), headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=20) as response:
        return json.load(response)


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_no_port(run, port):
    ran = run("emulate", "--port", port)
    assert (ran.code, ran.out) == (2, "")


def on_terminal(*arguments, **more):
    """What a command writes to a terminal."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [PROGRAM, *arguments], stdout=theirs, stdin=theirs, env=environment(**{"TERM": "xterm", **more})
    ) as process:
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 65_536):
                shown += part
        except OSError:  # Linux: the other end is closed
            pass
        process.wait(timeout=60)
    os.close(ours)
    return shown.decode()


def test_colour_on_a_terminal():
    shown = on_terminal("diff", AGENT)
    assert '\x1b[32m  + "cache_control": {"type": "ephemeral"}' in shown
    assert "\x1b[1mdefault.yaml\x1b[0m" in shown


@pytest.mark.parametrize("more", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=str)
def test_no_colour_for_who_wants_none(more):
    assert "\x1b" not in on_terminal("explain", AGENT, **more)


def test_no_colour_in_a_file():
    ran = start("explain", AGENT)
    assert ran.code == 0
    assert "\x1b" not in ran.out


def test_a_broken_pipe_is_quiet():
    """As `policy-cache rewrite agent.json | head -1`, where the reader leaves before anything is written."""
    with subprocess.Popen(
        [PROGRAM, "rewrite", AGENT], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == b""


def test_a_pipe_that_is_read_in_part():
    pipe = f"'{PROGRAM}' schema | head -1"
    done = subprocess.run(["sh", "-c", pipe], capture_output=True, check=True, env=environment())
    assert (done.stdout, done.stderr) == (b"{\n", b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")  # noqa: PTH110
def test_a_full_disk():
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        done = subprocess.run(
            [PROGRAM, "schema"], stdout=full, stderr=subprocess.PIPE, check=False, env=environment()
        )
    assert (done.returncode, done.stderr) == (2, b"policy-cache: No space left on device\n")


def test_closed_standard_streams():
    shell = f"'{PROGRAM}' diff - <&-; '{PROGRAM}' validate >&-"
    done = subprocess.run(["sh", "-c", shell], capture_output=True, check=False, env=environment())
    said = b"policy-cache: <stdin>: standard input is closed\n"
    told = b"policy-cache: no file is named, so the packaged default policy is checked\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", said + told)


def test_another_encoding_than_utf_8():
    ran = start("diff", AGENT, PYTHONIOENCODING="latin-1")
    assert (ran.code, ran.err) == (1, "")
    assert "\\u2026 (2,593 characters)" in ran.out
    content = json.dumps({"model": "m", "messages": [{"role": "user", "content": "ä😀"}]}).encode()
    ran = start("rewrite", "-", stdin=content, PYTHONIOENCODING="latin-1")
    assert json.loads(ran.out)["messages"][0]["content"] == "ä😀"


def test_the_program_itself():
    """What the tests in this process stand for: exit codes and streams of the installed command."""
    assert start("diff", "-", stdin=b"[") == (
        2,
        "",
        "policy-cache: <stdin>:1:2: not JSON: Expecting value\n",
    )
    ran = start("diff", "-", stdin=b'{"model":"gpt-4o","messages":[]}')
    assert (ran.code, ran.err) == (0, "")


def test_an_error_of_our_own_is_one_line(run, monkeypatch):
    from policy_cache.cli.commands import diff

    def fail(_):
        raise LookupError("secret")

    monkeypatch.setattr(diff, "diff", fail)
    ran = run("diff", AGENT)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("policy-cache: internal error: LookupError at test_commands.py:")
    assert ran.err.endswith("; please report it\n")


LOADED = """
import sys
from policy_cache.cli.main import main
try:
    main(["validate"])
except SystemExit as exit_:
    assert not exit_.code, exit_.code
print(*sorted(sys.modules))
"""


def test_validating_loads_little():
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, check=True, text=True)
    verdict, modules = done.stdout.splitlines()
    assert verdict.startswith("Valid: ")
    loaded = set(modules.split())
    assert loaded.isdisjoint({"litellm", "re2", "rich", "pydantic", "starlette", "uvicorn"})
    assert not [name for name in loaded if name.startswith(("policy_cache.engine", "policy_cache.emulator"))]


EVERYTHING = """
import sys
from importlib import import_module
from pathlib import Path
import policy_cache
root = Path(policy_cache.__file__).parent
for path in root.rglob("*.py"):
    parts = path.relative_to(root).with_suffix("").parts
    if parts[0] not in {"integrations", "demo", "__main__"}:
        import_module(".".join(["policy_cache", *parts]).removesuffix(".__init__"))
print("litellm" in sys.modules, "policy_cache.engine.engine" in sys.modules, "rich" in sys.modules)
"""


def test_litellm_stays_in_its_corner():
    command = [sys.executable, "-W", "ignore", "-c", EVERYTHING]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    assert done.stdout == "False True False\n"
