"""A recorder's file, followed: its figures are those of `stats` and `misses`, also over rotations."""

from __future__ import annotations

import io
import json
import re
import time

import pytest

from policy_cache import TraceRecorder
from policy_cache.forecast.compare import TraceOptions
from policy_cache.misses.ledger import Misses
from policy_cache.report.live import causes
from policy_cache.report.live.data import as_json
from policy_cache.report.live.followed import Followed
from policy_cache.report.live.text import page
from policy_cache.text.styled import plain
from policy_cache.usage.stats import stats
from tests.clock import Clock

SECRET = "xyzzy"
NOON = 1_700_000_040.0
MODELS = ("anthropic/claude-sonnet-4-5", "anthropic/claude-haiku-4-5", "acme/large")


def request(model, session, turn, clock="09:41"):
    said = [f"{SECRET} {session} " + "word " * 400 for _ in range(2 * turn + 1)]
    return {
        "model": model,
        "cache_control": {"type": "ephemeral"},
        "system": f"{SECRET} " + "word " * 1_200 + clock,
        "messages": [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(said)],
    }


def records():
    """Five sessions of three models, a turn every quarter of an hour; one has no usage."""
    for turn in range(4):
        for number in range(5):
            session = f"s{number}"
            read, written = (3_000 * turn, 700 + number) if number % 2 else (0, 3_000)
            usage = {"input_tokens": 10 + number, "cache_read_input_tokens": read, "output_tokens": 5}
            usage["cache_creation"] = {"ephemeral_5m_input_tokens": written}
            shares = [
                {"source": "policy", "rule": f"rule-{number % 3}", "read": read, "write_5m": written - 100},
                {"source": "client", "write_5m": 100},
            ]
            yield (
                request(MODELS[number % 3], session, turn, clock=f"09:{turn}{number}"),
                {
                    "usage": None if turn == number == 3 else usage,
                    "session": session,
                    "policy": {
                        "name": "team",
                        "revision": f"r{turn}",
                        "route": "anthropic",
                        "rules": [],
                        "shares": shares,
                    },
                    "ts": NOON + 900 * turn + number,
                },
            )


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "trace.jsonl"
    file.touch()
    return file


def followed(path, now=NOON + 2_800):
    return Followed(path, clock=Clock(now))


def written(path, **more):
    with TraceRecorder(path, **more) as recorder:
        for sent, said in records():
            recorder.record(sent, **said)
            assert recorder.flush()
            yield


def of_stats(lines):
    """What `stats` says of the same lines: for each name its requests, tokens and money."""
    result = stats(lines)
    return {
        dimension: {
            name: (one.total.requests, one.total.read, one.total.written, one.total.uncached, one.total.saved)
            for name, one in result.ledger.by[dimension].items()
        }
        for dimension in ("model", "rule")
    }, (result.without_usage, len(result.broken))


def of_live(snapshot):
    def row(figures):
        return figures.requests, figures.read, figures.written, figures.uncached, figures.saved

    tables = {"model": snapshot.rows, "rule": snapshot.rules}
    whole = {dimension: {one.name: row(one.whole) for one in rows} for dimension, rows in tables.items()}
    return whole, (snapshot.without_usage, snapshot.broken)


def test_its_figures_are_those_of_stats_while_the_file_grows(path):
    live = followed(path)
    for number, _ in enumerate(written(path)):
        if number % 4 == 0:
            live.read()
            assert of_live(live.snapshot()) == of_stats(path.read_bytes().splitlines(keepends=True))
    with path.open("ab") as file:
        file.write(b"no record\n\n[]\n")
    live.read()
    found = live.snapshot()
    assert of_live(found) == of_stats(path.read_bytes().splitlines(keepends=True))
    assert (found.without_usage, found.broken) == (1, 2)
    # All of it lies within the hour.
    assert found.hour == found.whole
    assert all(row.hour == row.whole for row in (*found.rows, *found.rules))
    assert [one.title for one in found.policies] == ["team (r3)", "team (r2)", "team (r1)", "team (r0)"]
    live.close()


def test_its_figures_are_those_of_stats_over_rotations(path):
    live = followed(path)
    for _ in written(path, rotate_bytes=20_000, keep=50):
        live.read()
    parts = sorted(path.parent.glob("trace.jsonl.*"), key=lambda part: -int(part.suffix[1:]))
    assert len(parts) > 3
    lines = b"".join(part.read_bytes() for part in [*parts, path]).splitlines(keepends=True)
    assert of_live(live.snapshot()) == of_stats(lines)
    live.close()


def test_after_a_truncation_it_goes_on(path):
    live, lines = followed(path), []
    for number, _ in enumerate(written(path)):
        live.read()
        if number == 9:
            lines += path.read_bytes().splitlines(keepends=True)
            path.write_bytes(b"")
    lines += path.read_bytes().splitlines(keepends=True)
    assert of_live(live.snapshot()) == of_stats(lines)
    live.close()


def test_half_a_line_counts_once_it_is_whole(path):
    list(written(path))
    content = path.read_bytes()
    path.write_bytes(content[:-100])
    live = followed(path)
    assert live.read()
    assert live.state == "the last line has no end yet, and is not counted"
    assert (live.snapshot().whole.requests, live.snapshot().broken) == (18, 0)
    path.write_bytes(content)
    live.read()
    assert (live.state, live.snapshot().whole.requests) == ("", 19)
    live.close()


def test_misses_are_those_of_the_ledger_of_misses(path):
    list(written(path))
    expected = Misses(None)
    for record in TraceOptions((str(path),)).read():
        expected.add(record)
    live = followed(path)
    live.read()
    found = live.snapshot().misses
    assert (found.looked, found.missed) == (expected.requests, expected.missed)
    assert found.missed == 5
    assert found.left_out == expected.unmodelled.total() > 0
    assert {one.cause: (one.requests, one.tokens, one.cost) for one in found.causes} == {
        cause: (total.requests, total.tokens, total.cost) for cause, total in expected.causes.items()
    }
    assert all(one.hour == one.requests for one in found.causes)
    live.close()


def test_misses_are_seen_as_they_happen_and_leave_the_hour(path):
    clock = Clock(NOON)
    live, seen = Followed(path, clock=clock), []
    for number, _ in enumerate(written(path)):
        clock.now = NOON + 900 * (number // 5) + 5
        live.read()
        seen.append(sum(one.requests for one in live.snapshot().misses.causes))
    assert seen == sorted(seen)
    assert len(set(seen)) > 3
    clock.now += 3_600
    found = live.snapshot().misses
    assert [one.hour for one in found.causes] == [0] * len(found.causes)
    assert sum(one.requests for one in found.causes) == seen[-1]
    live.close()


def test_a_time_beyond_the_clock_leaves_the_causes_of_others_as_they_are(path):
    def line(at, turn, session):
        said = {"ts": at, "session": session, "request": request(MODELS[0], "s", turn)}
        return json.dumps(said | {"usage": {"input_tokens": 3_000}}) + "\n"

    own = "".join(line(NOON + at, turn, "s") for turn, at in enumerate((0, 900, 2_000)))
    found = []
    for lines in (own, line(9e10, 0, "another") + own):
        path.write_text(lines, encoding="utf-8")
        live = followed(path)
        live.read()
        found.append([(one.cause, one.latest, one.requests) for one in live.snapshot().misses.causes])
    assert found == [[("expired", NOON + 2_000, 2)]] * 2


@pytest.mark.parametrize(("bound", "most"), [("_MOST_SESSIONS", 3), ("_MOST_MODELS", 2)])
def test_after_many_names_it_forgets_sessions_and_keeps_the_sums(path, monkeypatch, bound, most):
    list(written(path))
    whole = followed(path)
    whole.read()
    monkeypatch.setattr(causes, bound, most)
    live = followed(path)
    live.read()
    assert len(live._live._causes._sessions) <= 3
    assert len(live._live._causes._models) <= 3
    found, all_of_it = live.snapshot().misses, whole.snapshot().misses
    assert (found.looked, found.left_out) == (all_of_it.looked, all_of_it.left_out)
    assert found.missed < all_of_it.missed
    for one in (whole, live):
        one.close()


def test_it_is_read_for_as_long_as_it_may(path):
    list(written(path))
    live = followed(path)
    assert not live.read(0.0)
    assert live.snapshot().whole.requests == 1
    assert live.read()
    assert live.snapshot().whole.requests == 19
    live.close()


def test_what_keeps_it_from_being_read_is_said_and_passes(path):
    list(written(path))
    live = followed(path)
    live.read()
    path.unlink()
    live.read()
    assert live.state == "the file is gone; waiting for a new one"
    path.mkdir()
    live.read()
    assert live.state == f"{path}: expected a file"
    path.rmdir()
    list(written(path))
    live.read()
    # They are the same lines again.
    found = live.snapshot()
    assert (live.state, found.whole.requests, found.duplicates) == ("", 19, 20)
    live.close()


def test_no_text_of_a_prompt_is_shown_and_names_are_printable(path):
    with TraceRecorder(path) as recorder:
        recorder.record(
            {"model": "m\x1b[31m", "messages": [{"role": "user", "content": SECRET}]},
            usage={"input_tokens": 1},
        )
    live = Followed(path)
    live.read()
    found = live.snapshot()
    shown = plain(page(found, "f\x1b.jsonl", "s\x1b"))
    assert "m\\x1b[31m" in shown
    assert "\x1b" not in shown
    assert SECRET not in shown + json.dumps(as_json(found))
    live.close()


def test_the_page(path, monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    list(written(path))
    with path.open("ab") as file:
        file.write(b"no record\n")
    live = followed(path, NOON + 6_240)
    live.read()
    shown = plain(page(live.snapshot(), "trace.jsonl"))
    head = shown.splitlines()[:4]
    assert head[0] == "trace.jsonl, 23:58:00"
    said = r"\d+% of the prompts read from the cache, saved \$0\.\d{4} \("
    assert re.fullmatch(rf"last hour: 4 requests, {said}1 request of unknown price\)", head[1])
    assert re.fullmatch(
        rf"since the start, 2023-11-14 22:14: 19 requests, {said}4 requests of unknown price\)", head[2]
    )
    assert head[3] == "policy in force: team (r3)"
    assert "\nmodel, last hour             requests  requests/hour  read " in shown
    assert "\nrule, last hour" in shown
    assert re.search(r"\nthe system prompt changed +2023-11-14 22:59 +\d+ +\d+ ", shown)
    assert shown.endswith("\n1 line is no record\n1 request came without usage\n")
    live.close()


def test_an_hour_without_requests_has_no_lines(path):
    list(written(path))
    live = followed(path, NOON + 9_000)
    live.read()
    shown = plain(page(live.snapshot(), "trace.jsonl")).splitlines()
    assert shown[1] == "last hour: no requests"
    assert shown[5] == ""
    assert shown[6].startswith("model, since the start ")
    assert [line.split()[:2] for line in shown[7:10]] == [
        ["anthropic/claude-haiku-4-5", "8"],
        ["anthropic/claude-sonnet-4-5", "7"],
        ["acme/large", "4"],
    ]
    live.close()


def test_all_money_of_a_page_has_as_many_digits(path):
    list(written(path))
    live = followed(path)
    live.read()
    found = live.snapshot()
    few = plain(page(found, ""))
    found.rows[0].whole.without_cache += 1
    many = plain(page(found, ""))
    for shown, digits in ((few, 4), (many, 2)):
        assert {len(cents) for cents in re.findall(r"\$[\d,]+\.(\d+)", shown)} == {digits}
    live.close()


def test_json_is_what_the_snapshot_says_and_leaves_rows_out_where_asked(path):
    list(written(path))
    live = followed(path)
    live.read()
    found = live.snapshot()
    everything, some = as_json(found), as_json(found, 1)
    assert json.loads(json.dumps(everything)) == everything
    assert [row["name"] for row in everything["rows"]] == [row.name for row in found.rows]
    assert everything["hour"]["read"] == sum(minute["read"] for minute in everything["minutes"])
    assert len(everything["minutes"]) == 60
    assert (len(some["rows"]), some["rows_left_out"], some["rules_left_out"]) == (1, 2, 3)
    assert [row["hour"]["saved_usd"] for row in everything["rows"] if row["name"] == "acme/large"] == [None]
    live.close()


@pytest.mark.parametrize(
    "line",
    [
        b'{"ts": 1e400, "request": {"model": "m", "messages": []}, "usage": {"input_tokens": 1}}',
        b'{"ts": NaN, "request": {"model": "m", "messages": 3}, "usage": {"input_tokens": 1}}',
        b'{"ts": %s, "request": {"model": "m"}, "usage": {"input_tokens": 1}}' % (b"9" * 400),
        b'{"ts": 1, "request": {"model": "m"}, "usage": {"input_tokens": 1}, '
        b'"policy": {"switch": {"cost_usd": %s}}}' % (b"9" * 400),
    ],
)
def test_a_line_with_odd_numbers_is_counted_as_stats_counts_it(path, line):
    path.write_bytes(line + b"\n")
    live = followed(path)
    live.read()
    found = live.snapshot()
    assert (found.whole.requests, found.hour.requests) == (1, 0)
    assert of_live(found) == of_stats(io.BytesIO(line))
    live.close()
