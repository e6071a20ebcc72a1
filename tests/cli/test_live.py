"""`policy-cache live`: one look without a terminal, drawn in place on one, and what it refuses."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import time

import pytest
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

from policy_cache.emulator.server import serve
from tests.cli.conftest import PROGRAM, environment
from tests.cli.test_stats import COPIES, attributed, copied, trace


class Terminal:
    """The program on a terminal of its own."""

    def __init__(self, *arguments, **more):
        own, its = pty.openpty()
        self.program = subprocess.Popen(
            [PROGRAM, "live", *map(str, arguments)],
            stdin=its,
            stdout=its,
            stderr=its,
            env=environment(**{"TERM": "xterm", "COLUMNS": "100", "LINES": "40", **more}),
        )
        os.close(its)
        self._own = own
        self.shown = ""

    def until(self, words):
        """Read on until it shows this."""
        start, end = len(self.shown), time.monotonic() + 60
        while words not in self.shown[start:]:
            assert select.select([self._own], [], [], max(0, end - time.monotonic()))[0], self.shown[start:]
            try:
                self.shown += os.read(self._own, 65_536).decode()
            except OSError:  # it has ended
                raise AssertionError(self.shown[start:]) from None

    def end(self):
        """Interrupt it, and read the rest."""
        self.program.send_signal(signal.SIGINT)
        while True:
            try:
                part = os.read(self._own, 65_536)
            except OSError:
                break
            if not part:
                break
            self.shown += part.decode()
        return self.program.wait(60)

    def close(self):
        self.program.kill()
        self.program.wait()
        os.close(self._own)


@pytest.fixture
def terminal():
    running = []
    # A program that is started by one in the background would ignore it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def terminal(*arguments, **more):
        running.append(Terminal(*arguments, **more))
        return running[-1]

    yield terminal
    signal.signal(signal.SIGINT, before)
    for one in running:
        one.close()


@pytest.mark.parametrize("once", [[], ["--once"]])
def test_without_a_terminal_it_prints_what_is_known_and_ends(run, folder, once):
    ran = run("live", attributed(folder / "trace.jsonl"), *once)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[1].endswith(
        ": 4 requests, 78% of the prompts read from the cache, saved $1.00"
    )
    assert "policy in force: revision r2, revision r1\n" in ran.out
    assert "\x1b" not in ran.out


def test_what_is_no_record_and_what_has_no_usage(run, folder):
    ran = run("live", trace(folder / "trace.jsonl", b"no record\n", b'{"half'))
    assert ran.out.splitlines()[1] == "the last line has no end yet, and is not counted"
    assert ran.out.endswith("\n1 line is no record\n1 request came without usage\n")


def test_a_copy_of_a_line_is_left_out(run, folder):
    path = copied(folder)
    with (folder / path).open("ab") as file:
        file.write(b"\n")
    ran = run("live", path)
    assert ": 3 requests, " in ran.out.splitlines()[1]
    assert ran.out.endswith(f"\n{COPIES}\n1 request came without usage\n")
    found = json.loads(run("live", "--output-format", "json", path).out)
    assert (found["duplicate_lines"], found["broken_lines"]) == (2, 0)
    # Three requests are recorded with usage, and all four are looked at.
    assert (found["whole"]["requests"], found["misses"]["requests"] + found["misses"]["left_out"]) == (3, 4)


def test_for_a_program(run, folder):
    path = attributed(folder / "trace.jsonl")
    found = json.loads(run("live", "--output-format", "json", path).out)
    summed = json.loads(run("stats", "--output-format", "json", path).out)
    for rows, names in (("rows", "models"), ("rules", "rules")):
        read = {row["name"]: (row["whole"]["read"], row["whole"]["saved_usd"]) for row in found[rows]}
        assert read == {
            name: (one["read"], pytest.approx(one["saved_usd"])) for name, one in summed[names].items()
        }


def test_on_a_terminal_it_is_drawn_in_place_until_it_is_interrupted(folder, terminal):
    path = attributed(folder / "trace.jsonl")
    shown = terminal(path, "--every", "0.2")
    shown.until("4 requests")
    attributed(path)
    shown.until("8 requests")
    path.rename(folder / "trace.jsonl.1")
    attributed(path)
    shown.until("12 requests")
    assert shown.end() == 0
    assert "Traceback" not in shown.shown
    # The other screen is left, and what was drawn last is printed.
    assert "since the start" in shown.shown.rpartition("\x1b[?1049l")[2]


def test_a_terminal_that_cannot_redraw_gets_one_look(folder, terminal):
    shown = terminal(attributed(folder / "trace.jsonl"), TERM="dumb")
    shown.until("4 requests")
    assert shown.program.wait(60) == 0
    assert "\x1b" not in shown.shown


def test_what_cannot_be_followed(run, folder):
    assert run("live", "nowhere.jsonl").refused() == "nowhere.jsonl: No such file or directory"
    assert run("live", folder).refused() == f"{folder}: expected a file"
    assert run("live", "a\0b").refused().startswith("a\\x00b: ")
    url = "http://127.0.0.1:1/metrics"
    assert run("live", url).refused() == f"{url}: Connection refused"
    with serve(Starlette(routes=[Route("/", lambda _: HTMLResponse("<p>policy_cache_x</p>"))])) as url:
        assert run("live", url).refused() == (
            f"{url}: expected the metrics of policy-cache, found none (text/html)"
        )
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("every", ["0.1", "0", "-1", "nan", "often"])
def test_how_often_it_may_look(run, folder, every):
    ran = run("live", attributed(folder / "trace.jsonl"), "--every", every)
    assert (ran.code, ran.out) == (2, "")
    assert "--every" in ran.err
