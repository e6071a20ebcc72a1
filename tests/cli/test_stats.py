"""`policy-cache stats`: what a trace adds up to, and what it makes of lines that are no records."""

from __future__ import annotations

import json

from policy_cache import TraceRecorder


def usage(uncached, read=0, written=0):
    return {
        "input_tokens": uncached,
        "cache_read_input_tokens": read,
        "cache_creation_input_tokens": written,
        "output_tokens": 5,
    }


def trace(path, *more):
    request = {"messages": [{"role": "user", "content": "SECRET"}]}
    claude, unknown = "anthropic/claude-sonnet-4-5", "acme/large"
    with TraceRecorder(path) as recorder:
        recorder.record({**request, "model": claude}, usage=usage(100, written=1_000_000))
        recorder.record({**request, "model": claude}, usage=usage(100, read=1_000_000))
        recorder.record({**request, "model": unknown}, usage=usage(10))
        recorder.record({**request, "model": claude})
    with path.open("ab") as file:
        file.writelines(more)
    return path


TABLE = """\
model                        requests  hits       read    written  uncached  read share    saved
acme/large                          1     0          0          0        10          0%  unknown
anthropic/claude-sonnet-4-5         2     1  1,000,000  1,000,000       200         50%    $1.95
1 request came without usage
"""


def test_the_table(run, folder):
    ran = run("stats", trace(folder / "trace.jsonl"))
    assert (ran.code, ran.out, ran.err) == (0, TABLE, "")


def test_lines_that_are_no_records(run, folder):
    broken = [b'{"v": 1, "ts": 3, "requ\n', b"\n", b"[]\n", b'{"request": 3}\n', b"\xff\n"]
    ran = run("stats", trace(folder / "trace.jsonl", *broken))
    assert (ran.code, ran.out) == (0, TABLE)
    assert ran.err == "policy-cache: 4 lines are no records: 5, 7, 8, 9\n"


def test_as_json(run, folder):
    found = json.loads(run("stats", "--output-format", "json", trace(folder / "trace.jsonl")).out)
    assert found["models"]["anthropic/claude-sonnet-4-5"] == {
        "requests": 2,
        "hits": 1,
        "read": 1_000_000,
        "written": 1_000_000,
        "uncached": 200,
        "saved_usd": 1.95,
    }
    assert found["models"]["acme/large"]["saved_usd"] is None
    assert (found["without_usage"], found["broken_lines"]) == (1, [])


def test_a_trace_from_standard_input_and_one_that_is_not_there(run, folder):
    content = trace(folder / "trace.jsonl").read_bytes()
    assert run("stats", "-", stdin=content).out == TABLE
    assert run("stats", "nowhere.jsonl").refused() == "nowhere.jsonl: No such file or directory"
    assert run("stats", folder).refused().endswith("Is a directory")


def test_an_empty_trace(run, save):
    assert run("stats", save("trace.jsonl", "")).out.splitlines()[0].startswith("model  requests")
