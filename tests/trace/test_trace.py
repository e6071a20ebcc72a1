"""Reading traces: every format, every kind of damage, and order."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy_cache.trace.hashed import Hasher
from policy_cache.trace.lines import lines_of, numbered
from policy_cache.trace.reader import Trace
from policy_cache.trace.record import TraceError
from policy_cache.trace.recorder import TraceRecorder

REQUEST = {
    "model": "anthropic/claude-sonnet-4-5",
    "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}],
}
USAGE = {"input_tokens": 3, "cache_read_input_tokens": 40, "cache_creation_input_tokens": 7}
NO_RECORD = "t:2: expected `request`, or a request's own `model` and `messages` or `input`, found "


def read(*objects, **options):
    lines = [one if isinstance(one, bytes) else json.dumps(one).encode() + b"\n" for one in objects]
    trace = Trace(numbered(lines, "t"), **options)
    return list(trace), trace.summary


class TestFormats:
    def test_a_record_of_our_own(self):
        [record], _ = read({"ts": 5.5, "request": REQUEST, "usage": USAGE, "scope": "w", "session": "s"})
        assert record.request == REQUEST
        assert (record.at, record.scope, record.session, record.where) == (5.5, "w", "s", "t:1")
        assert (record.usage.read, record.usage.write_5m, record.usage.prompt) == (40, 7, 50)

    def test_the_usage_of_a_response(self):
        [record], _ = read({"request": REQUEST, "response": {"id": "x", "usage": USAGE}})
        assert record.usage.read == 40

    def test_a_plain_request_follows_after_the_assumed_gap(self):
        records, summary = read(REQUEST, REQUEST, REQUEST, gap=7)
        assert [record.at for record in records] == [0, 7, 14]
        assert (summary.used, summary.untimed, summary.with_usage) == (3, 3, 0)

    def test_litellm_s_standard_logging_payload(self):
        [record], _ = read(
            {
                "startTime": 100.0,
                "completionStartTime": 100.75,
                "endTime": 103.0,
                "model": "claude-sonnet-4-5",
                "model_group": "smart",
                "custom_llm_provider": "anthropic",
                "api_base": "",
                "trace_id": "conversation",
                "messages": REQUEST["messages"],
                "model_parameters": {"tools": [], "tool_choice": "auto", "messages": "redacted"},
                "metadata": {"usage_object": USAGE, "requester_metadata": {"team": "a"}},
                "response": {"usage": {"prompt_tokens": 1}},
            }
        )
        assert record.request == {
            "model": "claude-sonnet-4-5",
            "custom_llm_provider": "anthropic",
            "messages": REQUEST["messages"],
            "tools": [],
            "tool_choice": "auto",
            "metadata": {"team": "a", "model_group": "smart"},
        }
        assert (record.at, record.waited, record.session, record.usage.read) == (
            100,
            0.75,
            "conversation",
            40,
        )

    def test_openhands_log_is_written_when_the_response_has_come(self):
        [record], _ = read(
            {
                "messages": REQUEST["messages"],
                "tools": [],
                "kwargs": {"temperature": 0, "tools": ["the same again"]},
                "response": {"model": "claude-sonnet-4-5", "usage": USAGE},
                "timestamp": 50.0,
                "latency_sec": 2.5,
            }
        )
        assert record.request == {
            "temperature": 0,
            "messages": REQUEST["messages"],
            "tools": [],
            "model": "claude-sonnet-4-5",
        }
        assert (record.at, record.waited, record.usage.read) == (47.5, 2.5, 40)

    @pytest.mark.parametrize("given", ["2026-11-25T10:00:00+00:00", "1795600800", 1795600800])
    def test_a_time_may_be_seconds_or_a_date(self, given):
        [record], _ = read({"ts": given, "request": REQUEST})
        assert record.at == datetime(2026, 11, 25, 10, tzinfo=UTC).timestamp()

    def test_the_model_to_assume(self):
        [record], _ = read(REQUEST | {"custom_llm_provider": "openai"}, model="anthropic/claude-opus-4-5")
        assert record.request == REQUEST | {"model": "anthropic/claude-opus-4-5"}


class TestRecorder:
    def written(self, tmp_path, **options):
        with TraceRecorder(tmp_path / "trace.jsonl", **options) as recorder:
            recorder.record(REQUEST, usage=USAGE, scope="w", session="s", ts=12.0)
        trace = Trace(lines_of([tmp_path / "trace.jsonl"]))
        [record] = trace
        return record

    def test_its_plain_form(self, tmp_path):
        record = self.written(tmp_path)
        assert (record.request, record.at, record.scope, record.session) == (REQUEST, 12, "w", "s")

    def test_its_hashed_form_has_texts_as_long_as_they_were(self, tmp_path):
        record = self.written(tmp_path, text="hashed", key=b"k" * 32)
        system, user = record.request["messages"]
        assert (system["role"], len(system["content"])) == ("system", len("be brief"))
        assert (user["role"], len(user["content"])) == ("user", 2)
        assert "be brief" not in str(record)

    @given(st.lists(st.text(min_size=3, max_size=200), min_size=2, max_size=6, unique=True))
    def test_hashed_texts_differ_where_the_texts_did(self, texts):
        hasher = Hasher(b"k" * 32)
        messages = [{"role": "user", "content": text} for text in [*texts, texts[0]]]
        line = {"request": hasher.request({"model": "m", "messages": messages})}
        [record], _ = read(line)
        shown = [message["content"] for message in record.request["messages"]]
        assert len(set(shown)) == len(texts)
        assert shown[0] == shown[-1]


def called(arguments):
    """A request in which a tool is called with these arguments."""
    call = {"type": "tool_use", "id": "t", "name": "f", "input": arguments}
    messages = [REQUEST["messages"][1], {"role": "assistant", "content": [call]}]
    return {"model": "m", "messages": messages, "metadata": arguments}


LEAF = {"chars": 40, "hash": "0123456789abcdef" * 2}


class TestStandIns:
    """What stands for a text is what a `Hasher` writes, and no argument that looks a little like it."""

    @pytest.mark.parametrize(
        "arguments",
        [
            {**LEAF, "hash": "sha256:9f"},
            {**LEAF, "hash": "9f"},
            {**LEAF, "hash": LEAF["hash"] + "0"},
            {**LEAF, "hash": LEAF["hash"] + "\n"},
            {**LEAF, "hash": LEAF["hash"].upper()},
            {**LEAF, "hash": 7},
            {**LEAF, "chars": -1},
            {**LEAF, "chars": True},
            {**LEAF, "chars": 40.0},
            {**LEAF, "chars": "40"},
            {**LEAF, "chars": 50_000_001},
            {**LEAF, "chars": 10**30},
            {**LEAF, "path": "a"},
            {**LEAF, "path": True},
            {**LEAF, "blank": False},
            {**LEAF, "blank": 1},
            {**LEAF, "blank": True, "billing": True},
            {"chars": 40},
        ],
    )
    def test_anything_else_stays_what_it_is(self, arguments):
        [record], summary = read({"request": called(arguments)})
        assert (record.request, record.worded, summary.broken) == (called(arguments), True, 0)

    @pytest.mark.parametrize(
        ("more", "begins"), [({}, ""), ({"blank": True}, " "), ({"billing": True}, "x-anthropic-billing-")]
    )
    def test_a_stand_in_becomes_a_text(self, more, begins):
        [record], _ = read({"request": called({**LEAF, **more})})
        text = record.request["metadata"]
        assert record.request == called(text)
        assert (len(text), text.startswith(begins), record.worded) == (40, True, False)

    def test_all_of_a_request_have_a_bound(self):
        most = {**LEAF, "chars": 50_000_000}
        messages = [{"role": "user", "content": most}, {"role": "user", "content": most}]
        request = {"model": "m", "messages": messages}
        records, summary = read({"request": request}, {"request": {**request, "system": [LEAF]}}, REQUEST)
        assert [len(record.request["messages"]) for record in records] == [2, 2]
        assert summary.first_broken == ["t:2: its hashed texts have over 100,000,000 characters"]


class TestDamage:
    @pytest.mark.parametrize(
        ("line", "said"),
        [
            (b"[1]\n", "t:2: expected an object"),
            (b"7\n", "t:2: expected an object"),
            (
                b'{"a": 1}\n',
                NO_RECORD + "`a`; ",
            ),
            (
                b"{}\n",
                NO_RECORD + "nothing; ",
            ),
            (b'{"request": 3}\n', "t:2: expected an object for `request`"),
            (b'{"request": {"messages": []}}\n', "t:2: expected the model's name for `model`"),
            (b'{"request": {"model": "m"}}\n', "t:2: expected a list for `messages`, found none"),
            (b'{"request": {"model": "m", "messages": {}}}\n', "t:2: expected a list for `messages`"),
            (b'{"request": {"model": "m", "messages": [3]}}\n', "t:2: expected a message, as an object, in"),
            (b'{"ts": "soon", "request": {}}\n', "t:2: expected a time for `ts`: seconds, or a date"),
            (
                b'{"request": {"model": "m", "mess',
                "t:2: not valid JSON: Input data was truncated; the file is",
            ),
            (b'{"request": nope}\n', "t:2: not valid JSON: JSON is malformed: "),
            (b'{"request": {"model": "\xff", "messages": []}}\n', "t:2: not valid JSON: "),
        ],
    )
    def test_a_broken_line_is_told_and_passed_over_or_fatal(self, line, said):
        records, summary = read(REQUEST, line)
        assert (len(records), summary.used, summary.broken) == (1, 1, 1)
        [told] = summary.first_broken
        assert told.startswith(said)
        with pytest.raises(TraceError) as caught:
            read(REQUEST, line, broken="fail")
        assert str(caught.value) == told

    def test_a_copy_of_a_line_with_its_time_is_left_out(self):
        line = {"ts": 1, "request": REQUEST}
        records, summary = read(line, line, {"ts": 2, "request": REQUEST}, REQUEST, REQUEST)
        assert (len(records), summary.duplicates) == (4, 1)

    @pytest.mark.parametrize(
        ("named", "asked", "left"),
        [
            ("anthropic/claude-sonnet-4-5", "openai/gpt-4.1", 1),
            ("anthropic/claude-sonnet-4-5", "claude-opus-4-1", 1),
            ("openai/gpt-4o", "anthropic/claude-sonnet-4-5", 1),
            ("gpt-4o", "azure/gpt-4o", 0),
            ("anthropic/claude-sonnet-4-5", "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0", 0),
            ("team-model", "openai/gpt-4.1", 0),
        ],
    )
    def test_usage_of_another_model_is_left_out(self, named, asked, left):
        line = {"request": {**REQUEST, "model": named}, "usage": {"input_tokens": 9}}
        [record], summary = read(line, model=asked)
        assert (record.usage is None, summary.of_another, record.request["model"]) == (
            bool(left),
            left,
            asked,
        )

    def test_nesting_without_end_is_no_traceback(self):
        _, summary = read(b'{"request": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n")
        assert summary.broken == 1

    def test_a_directory(self, tmp_path):
        with pytest.raises(TraceError, match="expected a file, found a directory; name its files"):
            list(lines_of([tmp_path]))

    def test_a_file_that_is_not_there(self, tmp_path):
        with pytest.raises(TraceError, match="No such file or directory"):
            list(lines_of([tmp_path / "none.jsonl"]))


class TestSessions:
    SAID = "the first turn"

    def sessions(self, *contents):
        messages = [[{"role": "system", "content": "s"}, {"role": "user", "content": c}] for c in contents]
        records, _ = read(*({"model": "m", "messages": one} for one in messages))
        return [record.session for record in records]

    def test_a_conversation_is_told_by_its_first_turn_whether_or_not_that_is_marked(self):
        block = {"type": "text", "text": self.SAID}
        marked = block | {"cache_control": {"type": "ephemeral"}}
        assert len(set(self.sessions(self.SAID, [block], [marked]))) == 1
        assert len(set(self.sessions([block, block], [marked, block]))) == 1
        assert len(set(self.sessions(self.SAID, "another", [block, block]))) == 3

    def test_half_a_surrogate_pair_is_read_as_a_replacement(self):
        line = b'{"model": "m", "messages": [{"role": "user", "content": "cut \\ud83d"}]}\n'
        whole = b'{"model": "m", "messages": [{"role": "user", "content": "whole \\ud83d\\ude00"}]}\n'
        records, summary = read(line, whole)
        assert summary.broken == 0
        assert [r.request["messages"][0]["content"] for r in records] == ["cut \ufffd", "whole \U0001f600"]


class TestFiles:
    def test_one_object_over_many_lines(self, tmp_path):
        path = tmp_path / "request.json"
        path.write_text(json.dumps(REQUEST, indent=2))
        [record] = Trace(lines_of([path]))
        assert record.request == REQUEST

    def test_a_list_over_many_lines(self, tmp_path):
        path = tmp_path / "requests.json"
        path.write_text(json.dumps([REQUEST, REQUEST], indent=2))
        assert [record.where for record in Trace(lines_of([path]))] == [f"{path}[1]", f"{path}[2]"]

    def test_lines_and_blank_lines(self, tmp_path):
        path = tmp_path / "trace.jsonl"
        path.write_text(f"\n{json.dumps(REQUEST)}\n\n{json.dumps(REQUEST)}")
        assert [record.where for record in Trace(lines_of([path]))] == [f"{path}:2", f"{path}:4"]

    def test_an_empty_file(self, tmp_path):
        path = tmp_path / "trace.jsonl"
        path.write_bytes(b"")
        assert list(Trace(lines_of([path]))) == []


@pytest.mark.property
@given(st.lists(st.floats(0, 1e9), max_size=40))
def test_requests_come_in_the_order_of_their_start(times):
    lines = [{"ts": at, "request": REQUEST | {"n": n}} for n, at in enumerate(times)]
    records, summary = read(*lines)
    assert [record.at for record in records] == sorted(times)
    assert (summary.used, summary.late) == (len(times), 0)


def test_one_that_is_too_late_to_be_put_in_order_starts_with_the_one_before():
    lines = [{"ts": at, "request": REQUEST} for at in [*range(100, 700), 1]]
    records, summary = read(*lines)
    assert summary.late == 1
    assert [record.at for record in records] == sorted(record.at for record in records)
    assert len(records) == 601


@pytest.mark.property
@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz")), max_size=30), st.integers(1, 4))
def test_parts_share_no_cache_and_leave_nothing_out(keys, parts):
    lines = [
        {"ts": at, "scope": scope, "request": REQUEST | {"model": model}}
        for at, (scope, model) in enumerate(keys)
    ]
    whole, _ = read(*lines)
    divided = [read(*lines, only=(part, parts))[0] for part in range(parts)]
    assert sorted(r.at for part in divided for r in part) == [r.at for r in whole]
    owners = [{(r.scope, r.request["model"]) for r in part} for part in divided]
    assert sum(map(len, owners)) == len(set.union(*owners)) if owners else True


@pytest.mark.parametrize(
    ("policy", "placed"),
    [
        ({"placed": [{"at": ["tools", 0], "ttl": "1h", "by": "r"}]}, ((("tools", 0), "1h", "r"),)),
        ({"placed": []}, ()),
        ({}, None),
        (None, None),
        ("team", None),
        ({"placed": {"at": 1}}, None),
        ({"placed": [{"at": "tools", "ttl": "1h", "by": "r"}]}, None),
        ({"placed": [{"at": [[]], "ttl": "1h", "by": "r"}]}, None),
    ],
)
def test_the_breakpoints_that_were_recorded(policy, placed):
    line = {"ts": 1, "request": {"model": "m", "messages": []}, "policy": policy}
    [record] = Trace([("t:1", json.dumps(line).encode())])
    assert record.placed == placed
