"""Comparing policies on a trace: reported usage, parts, groups, and what is unknown."""

import json
import os
import signal
from decimal import Decimal
from multiprocessing import active_children

import pytest

from policy_cache import Engine
from policy_cache.cache.reader import Readers
from policy_cache.cache.scale import UNSCALED
from policy_cache.emulator import create_app, serve
from policy_cache.forecast.calibration import calibrate
from policy_cache.forecast.compare import PolicyText, TraceOptions, compare
from policy_cache.forecast.replay import Replay
from policy_cache.packaged import packaged
from policy_cache.trace.record import TraceError, TraceRecord
from policy_cache.trace.recorder import TraceRecorder
from tests.forecast.conversations import write

DEFAULT = PolicyText("default", packaged("policies", "default.yaml").read_text(encoding="utf-8"))
NONE = PolicyText("none", "version: 1\nname: none\nrules: []\n")
WORDS = "word " * 4_000


def agent(turns, model="anthropic/claude-sonnet-4-5", system=WORDS, **more):
    """The requests of a conversation that grows by a turn each time."""
    tool = {"type": "function", "function": {"name": "f", "description": "d", "parameters": {}}}
    messages = [{"role": "system", "content": system}, {"role": "user", "content": "go"}]
    for turn in range(turns):
        yield {"model": model, "messages": [*messages], "tools": [tool], **more}
        call = {"id": f"c{turn}", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        messages += [
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": f"c{turn}", "content": f"result {turn} " + "x" * 400},
        ]


class Deadly(str):
    """A text that kills the process that it is sent to, as a system does that runs out of memory."""

    __slots__ = ()

    def __reduce__(self):
        return _killed, (os.getpid(),)


def _killed(sender):
    if os.getpid() != sender:
        os.kill(os.getpid(), signal.SIGKILL)


def trace(tmp_path, records):
    path = tmp_path / "trace.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return TraceOptions((str(path),))


class TestReported:
    """What Anthropic reported, request by request."""

    def replayed(self, path, *, primed):
        options = TraceOptions((str(path),))
        calibration = calibrate(options)
        replay = Replay(
            [Engine.from_text(NONE.text)], calibration=calibration, by=lambda record: record.where
        )
        records = list(options.read())
        if primed:
            # The recording begins with a cache that an earlier run had filled.
            replay.add(records[0]._replace(where="before", at=-1.0, usage=None))
        for record in records:
            replay.add(record)
        found = replay.finish()
        return [
            (found.as_sent.groups[record.where].tokens, record.usage.outcome) for record in records
        ], found.sizes.share(1)

    @pytest.mark.parametrize(
        ("name", "primed"),
        [
            ("test_inline_system_prompt_cache_prefix_is_reused", False),
            ("test_anthropic_cache_real_api", True),
        ],
    )
    def test_reads_and_writes_are_reproduced_within_the_error_of_sizes(self, traces, name, primed):
        pairs, error = self.replayed(traces / "provider-usage" / f"{name}.jsonl", primed=primed)
        assert error < 0.04
        for simulated, reported in pairs:
            slack = 2 * error * reported.total + 1
            assert abs(simulated.read - reported.read) <= slack
            assert abs(simulated.write_5m - reported.write_5m) <= slack
            assert simulated.write_1h == reported.write_1h == 0
            # 3 tokens of Claude Sonnet 4.5, 2 of Opus 4.8, open the reply.
            assert abs(simulated.uncached - reported.uncached) <= 1

    def test_sizes_of_openhands_prompts_are_within_3_percent(self, traces):
        files = sorted(map(str, (traces / "openhands").glob("*.json")))
        found, summary = compare(TraceOptions(tuple(files)), [NONE])
        assert (found.requests, summary.with_usage, found.sizes.requests) == (10, 10, 10)
        assert found.sizes.share(1) < 0.03

    def test_a_recorded_run_is_simulated_to_the_token(self, tmp_path):
        """The usage that litellm reports of a run against the emulator is what its trace is simulated to."""
        litellm = pytest.importorskip("litellm")
        engine = Engine.default()
        records = []
        with serve(create_app()) as address:
            for number, request in enumerate(agent(6)):
                sent = engine.rewrite(request)
                response = litellm.completion(**sent, api_base=address, api_key="any", max_tokens=16)
                usage = json.loads(response.usage.model_dump_json())
                records.append({"ts": float(number), "request": request, "usage": usage})
        found, _ = compare(trace(tmp_path, records), [DEFAULT])
        [policy] = found.policies
        assert policy.total.tokens == found.recorded.total.tokens
        assert policy.total.cost == found.recorded.total.cost
        assert policy.total.hits == 5
        assert found.sizes.share(1) == 0


class TestParts:
    @pytest.fixture
    def options(self, tmp_path):
        records = [
            {"ts": 10.0 * number + offset, "scope": scope, "request": request, "session": f"{scope}{offset}"}
            for offset, (scope, model) in enumerate(
                (scope, model)
                for scope in ("a", "b", "c")
                for model in ("anthropic/claude-sonnet-4-5", "anthropic/claude-opus-4-5")
            )
            for number, request in enumerate(agent(4, model))
        ]
        return trace(tmp_path, records)

    def test_several_processes_find_what_one_does(self, options):
        whole, read = compare(options, [DEFAULT, NONE], by="session")
        parts, parts_read = compare(options, [DEFAULT, NONE], by="session", workers=3)
        assert parts_read == read
        assert (parts.requests, parts.sessions, parts.models) == (24, 6, whole.models)
        assert parts.optimum == whole.optimum
        assert parts.span == whole.span
        for one, other in zip(
            [*whole.policies, whole.uncached], [*parts.policies, parts.uncached], strict=True
        ):
            assert other.total.tokens == one.total.tokens
            assert other.total.cost == one.total.cost
            assert {name: totals.tokens for name, totals in other.groups.items()} == {
                name: totals.tokens for name, totals in one.groups.items()
            }

    def test_a_process_that_is_killed_ends_the_replay(self, options):
        deadly = PolicyText("deadly", Deadly(packaged("policies", "interactive.yaml").read_text("utf-8")))
        with pytest.raises(TraceError, match="was ended, perhaps for want of memory: try fewer `--workers`"):
            compare(options, [deadly], workers=2)
        assert active_children() == []

    @pytest.mark.parametrize("by", ["session", "model", "metadata.team"])
    def test_groups_add_up(self, options, by):
        found, _ = compare(options, [DEFAULT], by=by)
        [column] = found.policies
        assert sum(totals.cost for totals in column.groups.values()) == column.total.cost
        assert sum(totals.requests for totals in column.groups.values()) == found.requests

    def test_rules_add_up_to_what_was_read_and_written(self, options):
        found, _ = compare(options, [DEFAULT], by="rule")
        [column] = found.policies
        assert set(column.groups) == {"agent-prefix", "conversation", "first-turn"}
        assert sum(t.tokens.read for t in column.groups.values()) == column.total.tokens.read
        assert sum(t.tokens.write_5m for t in column.groups.values()) == column.total.tokens.write_5m

    def test_what_follows_a_split_belongs_to_the_rule_that_marked_it(self, options):
        policy = PolicyText(
            "split",
            "version: 1\nname: s\nrules:\n"
            '  - {name: split, targets: [system], action: {split_text: {at: "rd w"}}}\n'
            "  - {name: mark, targets: [system, messages.last], action: {add_cache_control: {}}}\n",
        )
        found, _ = compare(options, [policy], by="rule")
        assert set(found.policies[0].groups) == {"mark"}

    def test_cold_and_warm_are_apart(self, options):
        found, _ = compare(options, [DEFAULT])
        [column] = found.policies
        assert (column.cold.requests, column.warm.requests) == (6, 18)
        assert (column.cold.hits, column.warm.hits) == (0, 18)


class TestUnknown:
    def test_a_model_without_a_price_has_no_cost(self, tmp_path):
        records = [{"ts": 1.0, "request": r} for r in agent(2, "anthropic/claude-unheard-of-9")]
        found, _ = compare(trace(tmp_path, records), [DEFAULT])
        assert found.unpriced == {"anthropic/claude-unheard-of-9"}
        assert found.uncached.total.cost is None
        assert found.policies[0].total.cost is None
        assert found.optimum is None
        assert found.policies[0].total.tokens.read > 0

    def test_an_automatic_provider_says_what_is_assumed(self, tmp_path):
        records = [{"ts": float(n), "request": r} for n, r in enumerate(agent(3, "deepseek/deepseek-chat"))]
        found, _ = compare(trace(tmp_path, records), [DEFAULT])
        assert list(found.approximate.values()) == [3]
        assert found.optimal == 0
        assert found.as_sent.total.tokens.read > 0
        assert found.as_sent.total.tokens.write_5m == 0

    def test_a_provider_that_does_not_cache(self, tmp_path):
        records = [{"ts": float(n), "request": r} for n, r in enumerate(agent(3, "ollama/llama3"))]
        found, _ = compare(trace(tmp_path, records), [DEFAULT])
        assert found.as_sent.total.tokens == found.uncached.total.tokens

    def test_openai_writes_for_a_fee(self, tmp_path):
        records = [{"ts": float(n), "request": r} for n, r in enumerate(agent(3, "openai/gpt-5.6"))]
        found, _ = compare(trace(tmp_path, records), [DEFAULT])
        tokens = found.as_sent.total.tokens
        assert tokens.write_5m > 0
        assert tokens.read > 0

    def test_a_request_that_cannot_be_planned_is_told(self, tmp_path):
        bad = {"model": "anthropic/claude-sonnet-4-5", "messages": [], "tools": "none"}
        deep = {"model": "m", "messages": [{"role": "user", "content": [{"type": "text"}]}], "system": 3}
        records = [{"ts": float(n), "request": r} for n, r in enumerate([*agent(2), bad, deep])]
        found, summary = compare(trace(tmp_path, records), [DEFAULT])
        assert found.requests + found.unread.total() + summary.broken == 4


def test_without_usage_sizes_are_not_scaled(tmp_path):
    options = trace(tmp_path, [{"ts": 1.0, "request": request} for request in agent(2)])
    assert calibrate(options).scales == {}


def test_exact_usage_scales_by_one(tmp_path):
    replay = Replay([Engine.from_text(NONE.text)], by=lambda record: record.where)
    requests = list(agent(5))
    for number, request in enumerate(requests):
        replay.add(TraceRecord(str(number), float(number), request, None, 0.0, "", "s"))
    sizes = [replay.found.uncached.groups[str(n)].tokens.total for n in range(5)]
    records = [
        {"ts": 1.0, "request": request, "usage": {"input_tokens": size}}
        for request, size in zip(requests, sizes, strict=True)
    ]
    [scale] = calibrate(trace(tmp_path, records)).scales.values()
    assert scale == pytest.approx(UNSCALED)


def test_a_long_prompt_has_its_own_prices(tmp_path):
    """Claude Haiku 4.5 has none, Haiku 5.5 has: above 100,000 tokens everything costs five times as much."""
    records = [{"ts": 1.0, "request": r} for r in agent(1, "anthropic/claude-haiku-5-5", "word " * 100_000)]
    found, _ = compare(trace(tmp_path, records), [NONE])
    size = found.uncached.total.tokens.total
    assert size > 100_000
    assert found.uncached.total.cost == size * Decimal("0.50") / 1_000_000


def test_the_optimum_is_no_dearer_than_any_policy(tmp_path, traces):
    path = write(tmp_path / "t.jsonl", traces / "taubench", 100)
    found, _ = compare(TraceOptions((str(path),)), [DEFAULT, NONE])
    assert all(found.optimum <= column.total.cost for column in [*found.policies, found.as_sent])


def test_a_request_counts_in_the_shape_of_its_own_not_of_the_first_to_its_model():
    call = {"type": "tool_use", "id": "c", "name": "f", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "c", "content": WORDS}
    chat = {"model": "claude-opus-4-8", "messages": [{"role": "user", "content": "hi"}]}
    grown = [
        *chat["messages"],
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [result]},
    ]
    engine = Engine.from_text(
        "version: 1\nname: p\nrules:\n"
        "  - {name: end, targets: [messages.last], action: {add_cache_control: {}}}\n"
    )
    replay = Replay([engine])
    replay.add(TraceRecord("1", 0.0, chat, None, 0.0, "k", "s"))
    replay.add(TraceRecord("2", 1.0, chat | {"messages": grown}, None, 0.0, "k", "s"))
    [column] = replay.finish().policies
    assert column.total.tokens.write_5m > 4_000


class TestWarmStart:
    """A recording that begins in the middle: its first request reads what nobody in it wrote."""

    def recorded(self, tmp_path, *usages, model="anthropic/claude-sonnet-4-5", **more):
        requests = list(agent(len(usages), model))
        records = [
            {"ts": 10.0 * number, "request": request | more, "usage": usage, "session": "s"}
            for number, (request, usage) in enumerate(zip(requests, usages, strict=True))
        ]
        return compare(trace(tmp_path, records), [DEFAULT])[0]

    def test_what_the_first_request_read_was_cached_before(self, tmp_path):
        marker = {"type": "ephemeral"}
        first = {"input_tokens": 3, "cache_read_input_tokens": 4_000}
        second = {"input_tokens": 3, "cache_read_input_tokens": 4_000, "cache_creation_input_tokens": 120}
        found = self.recorded(tmp_path, first, second, cache_control=marker)
        assert found.warm_starts == 1
        for column in (found.policies[0], found.as_sent):
            assert column.cold.hits == column.warm.hits == 1
            assert column.total.read == pytest.approx(8_000, rel=0.02)
        assert found.optimum <= found.recorded.total.paid

    def test_a_cache_that_the_provider_keeps(self, tmp_path):
        usage = {"prompt_tokens": 4_100, "prompt_tokens_details": {"cached_tokens": 3_968}}
        found = self.recorded(tmp_path, usage, usage, model="openai/gpt-4o")
        assert found.warm_starts == 1
        assert found.as_sent.cold.hits == 1

    def test_a_cold_one_begins_with_nothing(self, tmp_path):
        usage = {"input_tokens": 3, "cache_creation_input_tokens": 4_000}
        assert self.recorded(tmp_path, usage, usage).warm_starts == 0

    def test_what_an_earlier_session_left_is_no_warm_start(self, tmp_path):
        usages = [
            {"input_tokens": 3, "cache_creation_input_tokens": 4_000},
            {"input_tokens": 3, "cache_read_input_tokens": 4_000},
        ]
        request = {**next(agent(1)), "cache_control": {"type": "ephemeral"}}
        records = [
            {"ts": 10.0 * number, "request": request, "usage": usage, "session": f"s{number}"}
            for number, usage in enumerate(usages)
        ]
        assert compare(trace(tmp_path, records), [DEFAULT])[0].warm_starts == 0


class TestServerTools:
    """A request with tools that the provider runs makes several calls, and its usage is their sum."""

    @pytest.fixture
    def options(self, tmp_path):
        plain = {"input_tokens": 4_000}
        search = {"input_tokens": 90_000, "server_tool_use": {"web_search_requests": 3}}
        records = [
            {"ts": 10.0 * number, "request": request, "usage": usage, "session": "s"}
            for number, (request, usage) in enumerate(
                zip(agent(4), (plain, search, search, plain), strict=True)
            )
        ]
        return trace(tmp_path, records)

    def test_it_says_nothing_of_sizes(self, options):
        [scale] = calibrate(options).scales.values()
        assert scale.prefix == pytest.approx(0.67, abs=0.05)
        found, _ = compare(options, [DEFAULT])
        assert (found.summed, found.sizes.requests) == (2, 2)
        assert found.sizes.share(1.0) < 0.1

    def test_calls_that_are_told_apart_are_replayed_to_the_token(self, tmp_path):
        """The first has the request's prompt; the others read it, and what was found stands behind it."""
        marked = {"cache_control": {"type": "ephemeral"}}
        request = next(agent(1, **marked))
        readers, router = Readers({}), Engine.passing()
        prompt = readers.read(request, router.facts(request).route)
        size, tail = prompt.tokens, prompt.tail
        calls = [
            {"cache_creation_input_tokens": size - tail, "input_tokens": tail},
            {"cache_read_input_tokens": size - tail, "input_tokens": tail + 500},
            {"cache_read_input_tokens": size - tail, "input_tokens": tail + 2_000},
        ]
        usage = {
            "cache_creation_input_tokens": size - tail,
            "cache_read_input_tokens": 2 * (size - tail),
            "input_tokens": 3 * tail + 2_500,
            "server_tool_use": {"web_search_requests": 2},
            "iterations": [{"type": "message", **call} for call in calls],
        }
        path = tmp_path / "t.jsonl"
        with TraceRecorder(path) as recorder:
            recorder.record(request, usage=usage, ts=1.0, session="s")
        options = TraceOptions((str(path),))
        assert calibrate(options).scales == {"claude-sonnet-4-5": pytest.approx(UNSCALED)}
        found, _ = compare(options, [DEFAULT], by="rule")
        assert (found.summed, found.sizes.requests, found.sizes.share(1)) == (0, 1, 0)
        assert found.as_sent.total.tokens == found.recorded.total.tokens
        assert found.as_sent.total.cost == found.recorded.total.cost
        assert found.uncached.total.tokens.uncached == 3 * size + 2_500
        [policy] = found.policies
        assert sum(totals.read for totals in policy.groups.values()) == policy.total.read == 2 * (size - tail)
        assert {totals.requests for totals in policy.groups.values()} == {1}
        assert found.optimum == found.as_sent.total.cost

    def test_a_session_that_begins_with_one_finds_no_warm_cache_in_its_sum(self, tmp_path):
        calls = [{"input_tokens": 5_747}, {"cache_read_input_tokens": 5_740, "input_tokens": 900}]
        usage = {"cache_read_input_tokens": 5_740, "input_tokens": 6_647, "iterations": calls}
        records = [{"ts": 1.0, "request": next(agent(1)), "usage": usage}]
        found, _ = compare(trace(tmp_path, records), [DEFAULT])
        assert found.warm_starts == 0


def test_known_prices_are_summed_beside_unknown_ones(tmp_path):
    requests = [*agent(2), *agent(2, "nobody/knows")]
    records = [{"ts": 10.0 * number, "request": request} for number, request in enumerate(requests)]
    options = trace(tmp_path, records)
    found, _ = compare(options, [DEFAULT], by="model")
    [column] = found.policies
    assert (column.total.cost, column.total.unpriced) == (None, 2)
    assert column.whole.paid == column.groups["anthropic/claude-sonnet-4-5"].cost > 0


def test_a_usage_of_the_reply_alone_is_no_recorded_prompt(tmp_path):
    records = [{"ts": 1.0, "request": request, "usage": {"output_tokens": 9}} for request in agent(1)]
    found, _ = compare(trace(tmp_path, records), [DEFAULT])
    assert found.recorded.total.requests == found.sizes.requests == 0
