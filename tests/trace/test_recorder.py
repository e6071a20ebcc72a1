"""Recording: what is written and what never is, and that a request is never hurt by it."""

from __future__ import annotations

import copy
import errno
import json
import logging
import os
import stat
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from litellm.types.utils import Message, ModelResponse, Usage

from policy_cache.trace.recorder import TraceRecorder
from tests.conftest import REPOSITORY
from tests.prompts import JUNK, broken_requests, requests

REQUEST = {
    "model": "anthropic/claude-sonnet-4-5",
    "messages": [{"role": "user", "content": "hello"}],
    "max_tokens": 16,
}
SECRET = "sk-never-written"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "trace.jsonl"


def records(path):
    """What a file holds; every line must be whole."""
    text = path.read_text(encoding="utf-8")
    assert text == "" or text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def recorded(path, request, **options):
    """The request as it is written."""
    with TraceRecorder(path, **options) as recorder:
        assert recorder.record(request)
    assert not recorder.faults
    return records(path)[-1]["request"]


def plain(value):
    """A request as JSON would have it: pydantic objects as their dicts."""
    if hasattr(value, "model_dump"):
        return plain(value.model_dump(exclude_none=True))
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def test_a_line(path):
    usage = {"prompt_tokens": 9, "service_tier": "standard", "prompt_tokens_details": {"cached_tokens": 4}}
    with TraceRecorder(path) as recorder:
        assert recorder.record(REQUEST, usage=usage, scope="acme", session="s1", ts=12)
        assert recorder.record(REQUEST)
    first, second = records(path)
    assert first == {
        "v": 1,
        "ts": 12.0,
        "request": REQUEST,
        "usage": {"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 4}},
        "scope": "acme",
        "session": "s1",
    }
    assert list(second) == list(first)
    assert second["ts"] > 1e9
    assert (second["usage"], second["scope"], second["session"]) == (None, None, None)
    assert (recorder.written, recorder.dropped) == (2, 0)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("text", ["plain", "hashed"])
def test_what_the_policy_did_is_written_as_it_is(path, text):
    policy = {
        "revision": "sha256:9fd09ae330f2",
        "route": "anthropic",
        "rules": ["shared prefix"],
        "shares": [{"source": "policy", "rule": "shared prefix", "read": 5}],
    }
    with TraceRecorder(path, text=text) as recorder:
        recorder.record({"model": "m", "messages": []}, policy=policy)
        recorder.record({"model": "m", "messages": []})
    first, second = records(path)
    assert first["policy"] == policy
    assert "policy" not in second


@pytest.mark.parametrize(
    "response",
    [
        {"usage": {"input_tokens": 7, "cache_read_input_tokens": 3}},
        SimpleNamespace(usage={"input_tokens": 7, "cache_read_input_tokens": 3}),
    ],
    ids=["dict", "object"],
)
def test_the_usage_of_a_response(path, response):
    with TraceRecorder(path) as recorder:
        recorder.record(REQUEST, response=response)
    assert records(path)[0]["usage"] == {"input_tokens": 7, "cache_read_input_tokens": 3}


def test_the_parts_of_a_usage_keep_what_tells_them_apart_and_no_other_text(path):
    usage = {
        "input_tokens": 7,
        "iterations": [
            {"type": "message", "input_tokens": 3, "model": "SECRET"},
            {"type": "of_a_later_release", "input_tokens": 4},
        ],
        "cacheDetails": [{"ttl": "1h", "inputTokens": 9}],
        "type": "SECRET, and more",
        "service": ["SECRET", {"name": "SECRET"}],
    }
    with TraceRecorder(path) as recorder:
        recorder.record(REQUEST, usage=usage)
    assert records(path)[0]["usage"] == {
        "input_tokens": 7,
        "iterations": [
            {"type": "message", "input_tokens": 3},
            {"type": "of_a_later_release", "input_tokens": 4},
        ],
        "cacheDetails": [{"ttl": "1h", "inputTokens": 9}],
    }


def test_the_usage_of_litellms_response(path):
    usage = Usage(prompt_tokens=7, completion_tokens=1, total_tokens=8, cache_read_input_tokens=3)
    with TraceRecorder(path) as recorder:
        recorder.record(REQUEST, response=ModelResponse(usage=usage))
    found = records(path)[0]["usage"]
    assert found["prompt_tokens"] == 7
    assert found["cache_read_input_tokens"] == 3
    assert found["prompt_tokens_details"]["cached_tokens"] == 3


@pytest.mark.property
@given(requests(2))
def test_a_plain_request_is_written_as_it_is(tmp_path_factory, request_):
    path = tmp_path_factory.mktemp("plain") / "trace.jsonl"
    assert recorded(path, request_) == plain(request_)


def test_an_object_is_its_dict_form(path):
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    message = Message(role="assistant", content="x", tool_calls=[call])
    expected = {"role": "assistant", "content": "x", "tool_calls": [call]}
    assert recorded(path, {**REQUEST, "messages": (message,)})["messages"] == [expected]


def test_what_json_has_no_form_for_is_named(path):
    request = {**REQUEST, "response_format": Message, "thinking": {"type": object()}}
    written = recorded(path, request)
    assert written["response_format"] == "<ModelMetaclass>"
    assert written["thinking"] == {"type": "<object>"}


@pytest.mark.parametrize("text", ["plain", "hashed"])
def test_secrets_are_never_written(path, text):
    mcp = {
        "type": "mcp",
        "server_label": "s",
        "server_url": f"https://x/?{SECRET}",
        "headers": {"Authorization": SECRET},
    }
    request = {
        **REQUEST,
        "tools": [{**mcp, "authorization": SECRET, "authorization_token": SECRET}],
        "api_key": SECRET,
        "headers": {"x-api-key": SECRET},
        "extra_headers": {"authorization": SECRET},
        "default_headers": {"authorization": SECRET},
        "aws_access_key_id": SECRET,
        "aws_secret_access_key": SECRET,
        "aws_session_token": SECRET,
        "vertex_credentials": SECRET,
        "azure_ad_token": SECRET,
        "client_secret": SECRET,
        "api_base": f"https://user:{SECRET}@proxy.example:8443/{SECRET}?key={SECRET}#{SECRET}",
        "metadata": {"user_api_key": SECRET, "session_id": "s1"},
        "litellm_params": {"api_key": SECRET},
        "extra_body": {"api_key": SECRET, "prompt_cache_key": "k"},
        "user": SECRET,
        SECRET: SECRET,
    }
    written = recorded(path, request, text=text, metadata=("session_id",))
    assert SECRET not in path.read_text(encoding="utf-8")
    assert set(written) == {
        "model",
        "messages",
        "max_tokens",
        "tools",
        "api_base",
        "metadata",
        "extra_body",
    }
    if text == "plain":
        assert written["tools"] == [{"type": "mcp", "server_label": "s"}]
        assert written["api_base"] == "https://proxy.example"
        assert written["metadata"] == {"session_id": "s1"}
        assert written["extra_body"] == {"prompt_cache_key": "k"}


@pytest.mark.parametrize(
    ("base", "written"),
    [("https://[::1]:80/v1", "https://[::1]"), ("https://[", None), ("nothing", None), (7, None)],
)
def test_of_an_api_base_the_host(path, base, written):
    assert recorded(path, {**REQUEST, "base_url": base}).get("api_base") == written


def test_metadata_is_written_where_it_is_named_and_simple(path):
    metadata = {"session_id": "s", "n": 1, "deep": {"x": 1}, "none": None, "other": "x"}
    request = {**REQUEST, "metadata": {}, "litellm_metadata": metadata}
    written = recorded(path, request, metadata=("session_id", "n", "deep", "none", "absent"))
    assert written["metadata"] == {"session_id": "s", "n": 1}
    assert "metadata" not in recorded(path, request)


def test_a_request_is_taken_as_it_was(path):
    request = copy.deepcopy(REQUEST)
    held, release = hold(recorder := TraceRecorder(path))
    recorder.record(REQUEST)
    assert held.wait(60)
    recorder.record(request)
    request["messages"][0]["content"] = "changed"
    request["messages"].append({})
    del request["max_tokens"]
    release.set()
    assert recorder.close()
    assert records(path)[1]["request"] == REQUEST


def hold(recorder):
    """Make the writer wait before its first line."""
    held, release, append = threading.Event(), threading.Event(), recorder._file.append

    def waiting(line):
        held.set()
        assert release.wait(60)
        append(line)

    recorder._file.append = waiting
    return held, release


def test_a_full_queue(path, caplog):
    recorder = TraceRecorder(path, queue=2)
    held, release = hold(recorder)
    assert recorder.record(REQUEST)
    assert held.wait(60)
    assert [recorder.record(REQUEST) for _ in range(4)] == [True, True, False, False]
    assert recorder.flush(0.01) is False
    assert recorder.close(0.01) is False
    release.set()
    assert recorder.close()
    assert (recorder.written, recorder.dropped, recorder.faults) == (3, 2, {"Full": 2})
    assert len(records(path)) == 3
    assert len(caplog.records) == 1


def test_a_closed_recorder_takes_nothing(path):
    recorder = TraceRecorder(path)
    assert recorder.close()
    assert recorder.record(REQUEST) is False
    assert recorder.faults == {"Closed": 1}
    assert recorder.close()
    assert recorder.flush()
    assert not path.exists()


class _Awkward:
    @property
    def usage(self):
        raise LookupError(SECRET)


@pytest.mark.parametrize(
    ("request_", "more", "kind"),
    [
        (None, {}, "AttributeError"),
        ([], {}, "AttributeError"),
        (REQUEST, {"ts": "now"}, "ValueError"),
        (REQUEST, {"response": _Awkward()}, "LookupError"),
        (REQUEST, {"ts": float("nan")}, "ValueError"),
        ({**REQUEST, "temperature": float("inf")}, {}, "ValueError"),
        ({**REQUEST, "thinking": {(1, 2): 3}}, {}, "TypeError"),
    ],
)
def test_what_cannot_be_recorded_is_counted_and_logged_once(path, caplog, request_, more, kind):
    with TraceRecorder(path) as recorder:
        recorder.record(request_, **more)
        recorder.record(request_, **more)
        assert recorder.record(REQUEST)
    assert recorder.faults == {kind: 2}
    assert (recorder.dropped, recorder.written) == (2, 1)
    assert [record.name for record in caplog.records] == ["policy_cache"]
    assert f"was not recorded in {path}: {kind} at " in caplog.text
    assert SECRET not in caplog.text


def test_a_cycle(path):
    cyclic = copy.deepcopy(REQUEST)
    cyclic["messages"].append(cyclic["messages"])
    for text in ("plain", "hashed"):
        with TraceRecorder(path, text=text) as recorder:
            recorder.record(cyclic)
        assert recorder.dropped == 1


@pytest.mark.property
@given(st.one_of(broken_requests(), JUNK), JUNK)
def test_it_never_raises(tmp_path_factory, request_, junk):
    for text in ("plain", "hashed"):
        path = tmp_path_factory.mktemp("broken") / "trace.jsonl"
        with TraceRecorder(path, text=text) as recorder:
            recorder.record(request_, usage=junk, response=junk, scope=junk)
        if isinstance(request_, dict):
            assert len(records(path)) == recorder.written == 1
        assert recorder.written + recorder.dropped == 1


def test_many_threads(path):
    def record(thread):
        for number in range(50):
            recorder.record(REQUEST, session=f"{thread}-{number}")

    with TraceRecorder(path) as recorder:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(record, range(8)))
        assert recorder.flush()
        assert recorder.written == len(records(path)) == 400
    sessions = [record["session"] for record in records(path)]
    assert len(set(sessions)) == 400
    for thread in range(8):
        own = [one for one in sessions if one.startswith(f"{thread}-")]
        assert own == [f"{thread}-{number}" for number in range(50)]


def test_a_torn_last_line_stays_alone(path):
    path.write_text('{"v": 1}\n{"v": 1, "req', encoding="utf-8")
    recorded_line = path.read_text(encoding="utf-8").splitlines()
    with TraceRecorder(path) as recorder:
        recorder.record(REQUEST)
        recorder.record(REQUEST)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[:2] == recorded_line
    assert [json.loads(line)["request"] for line in lines[2:]] == [REQUEST, REQUEST]


def test_rotation_is_bounded(path):
    with TraceRecorder(path) as recorder:
        recorder.record(REQUEST, session="00", ts=1.0)
    line = path.stat().st_size
    path.unlink()
    with TraceRecorder(path, rotate_bytes=3 * line, keep=2) as recorder:
        for number in range(20):
            recorder.record(REQUEST, session=f"{number:02}", ts=1.0)
    assert not recorder.faults
    kept = {one.name: [int(r["session"]) for r in records(one)] for one in path.parent.iterdir()}
    assert kept == {
        "trace.jsonl": [18, 19],
        "trace.jsonl.1": [15, 16, 17],
        "trace.jsonl.2": [12, 13, 14],
    }
    assert {stat.S_IMODE(one.stat().st_mode) for one in path.parent.iterdir()} == {0o600}


def test_a_line_over_the_limit_has_a_file_of_its_own(path):
    with TraceRecorder(path, rotate_bytes=10, keep=3) as recorder:
        for number in range(3):
            recorder.record(REQUEST, session=str(number))
    names = sorted(path.parent.iterdir())
    assert [[r["session"] for r in records(one)] for one in names] == [["2"], ["1"], ["0"]]


def test_a_file_that_someone_moved_is_opened_anew(path):
    with TraceRecorder(path) as recorder:
        recorder.record(REQUEST, session="before")
        recorder.flush()
        path.rename(path.with_name("moved"))
        recorder.record(REQUEST, session="after")
        recorder.flush()
        path.unlink()
        recorder.record(REQUEST, session="again")
    assert [r["session"] for r in records(path)] == ["again"]
    assert [r["session"] for r in records(path.with_name("moved"))] == ["before"]


def test_two_recorders_share_a_file_and_rotate_it(path):
    with TraceRecorder(path) as recorder:
        recorder.record(REQUEST, session="000", ts=1.0)
    line = path.stat().st_size
    path.unlink()
    options = {"rotate_bytes": 5 * line, "keep": 9}
    with TraceRecorder(path, **options) as one, TraceRecorder(path, **options) as other:
        for number in range(40):
            recorder = one if number % 2 else other
            recorder.record(REQUEST, session=f"{number:03}", ts=1.0)
            recorder.flush()
    found = [record["session"] for file in path.parent.iterdir() for record in records(file)]
    assert sorted(found) == [f"{number:03}" for number in range(40)]


def test_a_full_disk(path, monkeypatch, caplog):
    """A write that fails, one that is cut short, and then room again."""
    write = os.write
    answers = ["fail", "cut", "fail", "fail"]

    def full(handle, data):
        answer = answers.pop(0) if answers else "room"
        if answer == "fail":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(handle, data[:20] if answer == "cut" else data)

    monkeypatch.setattr(os, "write", full)
    with TraceRecorder(path) as recorder:
        assert all(recorder.record(REQUEST, session=str(number)) for number in range(6))
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines[0]) == 20
    assert [json.loads(line)["session"] for line in lines[1:]] == ["4", "5"]
    assert (recorder.written, recorder.dropped, recorder.faults) == (2, 4, {"ENOSPC": 4})
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "No space left on device (logged once)" in caplog.text


def test_a_folder_that_comes_later(tmp_path):
    path = tmp_path / "later" / "trace.jsonl"
    with TraceRecorder(path, text="hashed") as recorder:
        assert recorder.record(REQUEST)
        recorder.flush()
        assert recorder.faults == Counter(ENOENT=1)
        path.parent.mkdir()
        assert recorder.record(REQUEST)
    assert (len(records(path)), recorder.dropped) == (1, 1)


def test_a_folder_in_the_way(tmp_path):
    with TraceRecorder(tmp_path) as recorder:
        assert recorder.record(REQUEST)
    assert recorder.faults == Counter(EISDIR=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"text": "none"}, "text: expected plain or hashed, found 'none'"),
        ({"key": b"k" * 32}, "key: only hashed texts have one"),
        ({"text": "hashed", "key": b"short"}, "expected a key of 16 to 64 bytes, found 5"),
        ({"rotate_bytes": 0}, "rotate_bytes: expected at least 1, found 0"),
        ({"keep": 0}, "keep: expected at least 1, found 0"),
        ({"queue": 0}, "queue: expected at least 1, found 0"),
    ],
)
def test_options_without_meaning(path, options, message):
    with pytest.raises(ValueError, match=message):
        TraceRecorder(path, **options)


def run(script, path):
    return subprocess.Popen(
        [sys.executable, "-c", script, path], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    )


OPENING = """
import os, sys
from policy_cache.trace.recorder import TraceRecorder
recorder = TraceRecorder(sys.argv[1])
request = {"model": "m", "messages": [{"role": "user", "content": "x" * 20_000}]}
"""


def test_a_killed_process_loses_and_tears_no_line_that_was_written(path):
    """Linux may cut a write of several pages short for a kill: only the last line can be a part of one."""
    script = """
while True:
    recorder.record(request)
    if recorder.written > 100:
        print(recorder.written, flush=True)
"""
    with run(OPENING + script, path) as process:
        seen = int(process.stdout.readline())
        process.kill()
    *whole, part = path.read_text(encoding="utf-8").split("\n")
    assert len([json.loads(line) for line in whole]) >= seen
    assert recorded_last(path) == REQUEST
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[:-1] == [*whole, *filter(None, [part])]


def recorded_last(path):
    with TraceRecorder(path) as recorder:
        recorder.record(REQUEST)
    return json.loads(path.read_text(encoding="utf-8").splitlines()[-1])["request"]


def test_a_process_that_ends_writes_what_waits(path):
    with run(OPENING + "for _ in range(50): recorder.record(request)", path) as process:
        assert process.wait(60) == 0
    assert len(records(path)) == 50


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_has_a_writer_of_its_own(path):
    script = """
import warnings
warnings.simplefilter("ignore", DeprecationWarning)
recorder._lock.acquire()  # as another thread may hold it
recorder._lock.release()
recorder.record(request, session="parent")
recorder._lock.acquire()
child = os.fork()
if child == 0:
    for _ in range(20):
        recorder.record(request, session="child")
    os._exit(not recorder.close())
recorder._lock.release()
recorder.record(request, session="parent")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    with run(OPENING + script, path) as process:
        assert process.wait(60) == 0
    assert Counter(record["session"] for record in records(path)) == {"parent": 2, "child": 20}
