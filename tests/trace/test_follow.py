"""Following a file of lines: each line once, in its order, whatever becomes of the file."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy_cache import TraceRecorder
from policy_cache.trace import follow
from policy_cache.trace.follow import Arriving, Follower
from policy_cache.trace.record import TraceError


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "trace.jsonl"
    file.write_bytes(b"")
    return file


@pytest.fixture
def follower(path):
    found = Follower(path)
    yield found
    found.close()


def append(path, content):
    with path.open("ab") as file:
        file.write(content)


def lines(follower):
    return list(iter(follower.line, None))


def rotate(path, keep=4):
    for number in range(keep, 0, -1):
        older = path.with_name(f"{path.name}.{number - 1}") if number > 1 else path
        if older.exists():
            older.replace(path.with_name(f"{path.name}.{number}"))


def test_it_begins_at_the_start_and_goes_on_with_what_is_appended(path):
    append(path, b"1\n2\n")
    follower = Follower(path)
    assert lines(follower) == [b"1", b"2"]
    assert lines(follower) == []
    append(path, b"3\n\n4\n")
    assert lines(follower) == [b"3", b"", b"4"]
    follower.close()


def test_half_a_line_is_kept_until_it_is_whole(path, follower):
    append(path, b"1\n2")
    assert lines(follower) == [b"1"]
    assert follower.unfinished
    append(path, b"2")
    assert lines(follower) == []
    append(path, b"2\n")
    assert lines(follower) == [b"222"]
    assert not follower.unfinished


def test_a_file_that_was_renamed_is_read_to_its_end_first(path, follower):
    append(path, b"1\n")
    assert lines(follower) == [b"1"]
    append(path, b"2\n3")
    rotate(path)
    assert (lines(follower), follower.gone) == ([b"2"], True)  # there is no new file yet
    append(path, b"4\n")
    assert (lines(follower), follower.gone) == ([b"3", b"4"], False)


def test_files_that_were_begun_and_renamed_meanwhile_are_read_too(path, follower):
    append(path, b"1\n")
    assert lines(follower) == [b"1"]
    for number in (2, 3, 4):
        rotate(path)
        append(path, b"%d\n" % number)
    append(path, b"5\n")
    assert lines(follower) == [b"2", b"3", b"4", b"5"]


def test_a_file_that_was_replaced_is_read_from_its_start(path, follower):
    append(path, b"1\n")
    assert lines(follower) == [b"1"]
    other = path.with_name("other")
    other.write_bytes(b"2\n")
    other.replace(path)
    assert lines(follower) == [b"2"]


def test_a_file_that_was_truncated_is_read_from_its_start(path, follower):
    append(path, b"1\n2\nhalf")
    assert lines(follower) == [b"1", b"2"]
    path.write_bytes(b"3\n")
    assert lines(follower) == [b"3"]
    assert not follower.unfinished


@pytest.mark.parametrize("refill", [b"4\n5\n6\n7\n", b"1\n2\n4\n5\n", b"4\n2\n3\n"])
def test_a_file_that_was_truncated_and_grew_beyond_its_old_size_is_read_from_its_start(
    path, follower, refill
):
    append(path, b"1\n2\n3\n")
    assert lines(follower) == [b"1", b"2", b"3"]
    path.write_bytes(refill)
    assert lines(follower) == refill.splitlines()
    append(path, b"8\n")
    assert lines(follower) == [b"8"]


def test_of_what_was_read_only_the_end_is_compared(path, follower, monkeypatch):
    monkeypatch.setattr(follow, "_MOST_KNOWN", 4)
    append(path, b"1\n2\n3\n")
    assert lines(follower) == [b"1", b"2", b"3"]
    path.write_bytes(b"4\n2\n3\n5\n")
    assert lines(follower) == [b"5"]
    path.write_bytes(b"4\n2\n4\n5\n6\n")
    assert lines(follower) == [b"4", b"2", b"4", b"5", b"6"]


def test_a_file_that_is_gone_is_waited_for(path, follower):
    append(path, b"1\n")
    path.unlink()
    assert (lines(follower), follower.gone) == ([b"1"], True)
    append(path, b"2\n")
    assert (lines(follower), follower.gone) == ([b"2"], False)


def test_what_a_recorder_writes_and_rotates_comes_whole_and_once(tmp_path):
    path = tmp_path / "trace.jsonl"
    path.touch()
    follower, seen = Follower(path), []
    with TraceRecorder(path, rotate_bytes=500, keep=50) as recorder:
        for number in range(60):
            recorder.record({"model": f"m{number}", "messages": []}, usage={"input_tokens": 1})
            if number % 7 == 0:
                assert recorder.flush()
                seen += lines(follower)
    seen += lines(follower)
    assert len(list(tmp_path.glob("trace.jsonl.*"))) > 5
    assert [line.split(b'"model":"')[1].split(b'"')[0] for line in seen] == [b"m%d" % n for n in range(60)]
    follower.close()


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("append"), st.binary(max_size=9)),
            st.tuples(st.just("rotate"), st.just(b"")),
            st.tuples(st.just("look"), st.just(b"")),
        ),
        max_size=20,
    )
)
def test_however_it_is_written_and_rotated_every_line_comes_once(tmp_path_factory, steps):
    path = tmp_path_factory.mktemp("follow") / "f"
    path.touch()
    follower, found, written, part = Follower(path), [], [], b""
    for step, content in [*steps, ("append", b"\nend\n"), ("look", b"")]:
        match step:
            case "append":
                append(path, content)
                *whole, part = (part + content).split(b"\n")
                written += whole
            case "rotate":
                rotate(path, keep=30)
                path.touch()
                # Nobody goes on with half a line in another file.
                written += [part] if part else []
                part = b""
            case "look":
                found += lines(follower)
    follower.close()
    assert found == written


def test_a_line_without_end_takes_no_more_memory_than_a_long_one(path, follower, monkeypatch):
    monkeypatch.setattr(follow, "_LONGEST", 10)
    append(path, b"x" * 100)
    assert lines(follower) == []
    append(path, b"y" * 100 + b"\nnext\n")
    assert lines(follower) == [b"x" * 10, b"next"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_what_is_no_file_is_refused_and_does_not_wait(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "."):
        with pytest.raises(TraceError, match="expected a file"):
            Follower(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        Follower(tmp_path / "nowhere")


def test_records_come_at_once_and_never_go_back_in_time():
    arriving = Arriving()
    line = b'{"ts": %d, "request": {"model": "m", "messages": []}, "usage": null}'
    found = [record.at for at in (5, 3, 9) for record in arriving.records("f", line % at, 9)]
    assert found == [5, 5, 9]
    assert list(arriving.records("f", b"no record", 9)) == []
    assert (arriving.summary.used, arriving.summary.broken, arriving.summary.late) == (3, 1, 1)


@pytest.mark.parametrize("beyond", ["9e10", "101"])
def test_a_time_beyond_the_clock_moves_no_other(beyond):
    arriving = Arriving()
    line = '{"ts": %s, "request": {"model": "m", "messages": []}}'
    times = (beyond, "5", beyond, "null", "17", "100")
    found = [r.at for at in times for r in arriving.records("f", (line % at).encode(), 100)]
    assert found == [100, 5, 15, 17, 100]  # one is a copy
