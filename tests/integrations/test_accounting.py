"""Accounting through litellm: every kind of call, each counted once, whoever else is registered."""

from __future__ import annotations

import asyncio
import json
import logging
from queue import Queue

import litellm
import pytest
from litellm.litellm_core_utils.logging_worker import GLOBAL_LOGGING_WORKER

from policy_cache import CacheUsage, Engine, TraceRecorder
from policy_cache.integrations.litellm import Calls, KeepWarm, PolicyCacheHandler, answers, install
from policy_cache.integrations.litellm.rewriting import Rewriting
from policy_cache.usage.accounting import Accounting
from policy_cache.usage.ledger import Ledger
from tests.doubles import close_clients

MODEL = "anthropic/claude-sonnet-4-5"
LONG = "word " * 4_000
TURNS = range(1, 4)


@pytest.fixture
def logged():
    """The next record that says what a cache did; litellm tells of synchronous calls from a thread."""
    records = Queue()

    class Handler(logging.Handler):
        def emit(self, record):
            if hasattr(record, "policy_cache"):
                records.put(record.policy_cache)

    logger, handler = logging.getLogger("policy_cache"), Handler()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield lambda: records.get(timeout=30)
    logger.removeHandler(handler)
    logger.setLevel(level)
    assert records.empty()


def request(address, turns=1, **more):
    talk = [{"role": "system", "content": LONG}, {"role": "user", "content": "q0"}]
    for turn in range(1, turns):
        talk += [{"role": "assistant", "content": f"a{turn}"}, {"role": "user", "content": f"q{turn}"}]
    function = {"name": "f", "parameters": {"type": "object", "properties": {}}}
    return {
        "model": MODEL,
        "messages": talk,
        "tools": [{"type": "function", "function": function}],
        "api_base": address,
        "api_key": "k",
        "max_tokens": 16,
        **more,
    }


def is_accounted(records):
    """Whether the first turn's loss, and what the later ones read and saved, are there."""
    first, *later = records
    assert (first["read"], first["saved_usd"] < 0) == (0, True)
    for before, after in zip(records, later, strict=False):
        assert after["read"] == before["read"] + before["write_5m"] + before["write_1h"] > 0
        assert after["saved_usd"] > 0
        assert after["rules"] == ["agent-prefix", "conversation"]
    return {(one["route"], one["revision"]) for one in records} == {
        ("anthropic", Engine.default().policy.revision)
    }


def stand_in(ledger):
    return Calls(Engine.default(), ledger=ledger)


def installed(ledger):
    install(Engine.default(), ledger=ledger)
    return litellm


def beside_a_handler(ledger):
    litellm.callbacks = [PolicyCacheHandler(Engine.default(), ledger=ledger)]
    return stand_in(ledger)


def before_a_handler(ledger):
    calls = installed(ledger)
    litellm.completion(**request("http://x.example"), mock_response="ok")  # which registers a callback
    litellm.callbacks.append(PolicyCacheHandler(Engine.default(), ledger=ledger))
    return calls


WAYS = [stand_in, installed, beside_a_handler, before_a_handler]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("stream", [False, True])
def test_a_synchronous_call_is_accounted_for_once(way, stream, address, logged):
    ledger = Ledger()
    calls = way(ledger)
    mocked = way is before_a_handler
    records = []
    for turn in TURNS:
        answer = calls.completion(**request(address, turn, stream=stream))
        if stream:
            list(answer)
        records.append(logged())
    assert is_accounted(records)
    hits = ledger.snapshot()["routes"]["anthropic"]
    assert (hits["hits"], hits["warm"]["hits"], hits["read"]) == (2, 2, sum(one["read"] for one in records))
    assert hits["requests"] in ({3, 4} if mocked else {3})  # the mocked answer may come later
    assert sum(isinstance(one, answers.AnswerCallback) for one in litellm.callbacks) == 1 + mocked


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("stream", [False, True])
def test_an_asynchronous_call_is_accounted_for_once(way, stream, address, logged):
    ledger = Ledger()
    calls = way(ledger)

    async def turns():
        for turn in TURNS:
            answer = await calls.acompletion(**request(address, turn, stream=stream))
            if stream:
                async for _ in answer:
                    pass
        await GLOBAL_LOGGING_WORKER.flush()
        await close_clients()

    asyncio.run(turns())
    assert is_accounted([logged() for _ in TURNS])
    assert ledger.snapshot()["routes"]["anthropic"]["hits"] == 2


def test_a_call_that_no_engine_saw_is_logged_by_the_handler(address, logged):
    ledger = Ledger()
    litellm.callbacks = [PolicyCacheHandler(Engine.default(), ledger=ledger)]
    given = request(address)
    given["messages"][0]["content"] = [
        {"type": "text", "text": LONG, "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    ]
    litellm.completion(**given)
    found = logged()
    # Twice $3 a million for what is written for an hour: as much again as without a cache.
    assert found["saved_usd"] == pytest.approx(-found["write_1h"] * 3e-6)
    assert (found["provider"], found["route"], found["rules"]) == ("anthropic", None, [])
    assert ledger.snapshot()["models"] == {}


def test_a_recorded_line_says_what_the_policy_did(address, logged, tmp_path):
    with TraceRecorder(tmp_path / "trace.jsonl", text="hashed") as recorder:
        calls = Calls(Engine.default(), recorder=recorder)
        for turn in (1, 2):
            calls.completion(**request(address, turn))
            logged()
    first, second = map(json.loads, (tmp_path / "trace.jsonl").read_text().splitlines())
    written = CacheUsage.from_response(first["usage"])
    assert first["policy"] == {
        "name": "default",
        "revision": Engine.default().policy.revision,
        "route": "anthropic",
        "rules": ["agent-prefix", "first-turn"],
        "shares": [
            {"source": "policy", "rule": "agent-prefix", "write_1h": written.write_1h},
            {"source": "policy", "rule": "first-turn", "write_5m": written.write_5m},
        ],
        "placed": first["policy"]["placed"],
    }
    assert [(one["ttl"], one["by"]) for one in first["policy"]["placed"]] == [
        ("1h", "agent-prefix"),
        ("5m", "first-turn"),
    ]
    assert sum(share.get("read", 0) for share in second["policy"]["shares"]) == written.written
    assert first["session"] == second["session"] != ""


def test_a_request_sent_without_markers_owes_the_policy_nothing():
    ledger = Ledger()
    rewriting = Rewriting(Engine.default(), ledger=ledger)
    given = request("http://x.example", litellm_call_id="c")
    error = ValueError("cache_control: Extra inputs are not permitted")
    refusal = rewriting.after(error, given, rewriting.rewrite(given))
    answers.expect(rewriting, given, left_out=refusal.marks)
    usage = {"input_tokens": 1, "cache_read_input_tokens": 9}
    answers.AnswerCallback().log_success_event({"litellm_call_id": "c"}, {"usage": usage}, None, None)
    assert list(ledger.snapshot()["rules"]) == ["(provider)"]


def test_an_answer_that_litellm_kept_itself_is_none_of_the_providers(caplog):
    caplog.set_level(logging.INFO, "policy_cache")
    ledger = Ledger()
    handler = PolicyCacheHandler(Engine.default(), ledger=ledger)
    usage = {"input_tokens": 1, "cache_read_input_tokens": 9}
    for name in ("e", "f"):
        answers.expect(handler.rewriting, request("http://x.example", litellm_call_id="e"))
        handler.log_success_event({"litellm_call_id": name, "cache_hit": True}, {"usage": usage}, None, None)
    assert ledger.snapshot()["models"] == {}
    assert caplog.records == []


def test_the_switch_switches_accounting_off(monkeypatch):
    ledger = Ledger()
    monkeypatch.setenv("POLICY_CACHE_DISABLED", "1")
    answers.expect(
        Rewriting(Engine.default(), ledger=ledger), request("http://x.example", litellm_call_id="d")
    )
    answers.AnswerCallback().log_success_event(
        {"litellm_call_id": "d"}, {"usage": {"input_tokens": 1}}, None, None
    )
    assert ledger.snapshot()["models"] == {}


ODD = [
    (None, "missing"),
    ({}, "missing"),
    ({"usage": None}, "missing"),
    ({"usage": {"input_tokens": None}}, "missing"),
    ({"usage": {"input_tokens": -1}}, "negative"),
    ({"usage": {"input_tokens": "12"}}, "not_a_whole_number"),
    ({"usage": {"prompt_tokens": 1, "cached_tokens": 2}}, "parts_exceed_prompt"),
]


@pytest.mark.parametrize(("response", "kind"), ODD)
def test_an_odd_usage_is_counted_and_logged_once(response, kind, caplog):
    caplog.set_level(logging.WARNING, "policy_cache")
    ledger = Ledger()
    accounting = Accounting(ledger=ledger)
    for _ in range(3):
        accounting.answered(Engine.default(), request("http://x.example"), response)
    assert accounting.odd == {kind: 3}
    assert [record.message for record in caplog.records] == [
        f"an answer's usage is not right: {kind} (logged once)"
    ]
    assert len(ledger.snapshot()["models"]) == (kind != "missing")


def test_callbacks_that_are_no_list_never_fail_a_request(monkeypatch, caplog):
    calls = Calls(Engine.default())
    monkeypatch.setattr(answers.litellm, "callbacks", 3)
    request_ = request("http://x.example")
    answers.expect_from(calls.rewriting, request_)
    answers.expect_from(calls.rewriting, request_)
    assert calls.rewriting.faults == {"TypeError": 2}
    assert [record.message for record in caplog.records] == [
        "an answer will not be accounted for after TypeError (logged once)"
    ]


def test_installing_again_tells_others(address, logged):
    first, second = Ledger(), Ledger()
    install(Engine.default(), ledger=first)
    litellm.completion(**request(address))
    logged()
    install(Engine.default(), ledger=second)
    litellm.completion(**request(address, 2))
    logged()
    assert [one.snapshot()["routes"]["anthropic"]["requests"] for one in (first, second)] == [1, 1]


class Broken:
    """Whoever is told, and raises an error of that name."""

    def __init__(self, name, *only):
        self.error = type(name, (Exception,), {})
        self.only = only
        self.told = 0

    def __getattr__(self, name):
        def told(*_, **__):
            self.told += 1
            if name in self.only or not self.only:
                raise self.error

        return told


NAMES = ("recorder", "metrics", "alarm", "ledger", "warmth", "keep_warm", "live")
READ = {"usage": {"input_tokens": 1, "cache_read_input_tokens": 9}}


def test_one_that_raises_costs_the_others_nothing(logged):
    broken = {name: Broken(name) for name in NAMES}
    with pytest.raises(ExceptionGroup) as group:
        Accounting(**broken).answered(Engine.default(), request("http://x.example"), READ)
    raised = [type(error).__name__ for error in group.value.exceptions]
    assert raised == ["warmth", "keep_warm", "recorder", "metrics", "ledger", "alarm", "live"]
    assert {name: one.told for name, one in broken.items()} == dict.fromkeys(NAMES, 1)
    assert logged()["read"] == 9


@pytest.mark.parametrize("failing", NAMES)
def test_each_fault_is_counted_and_logged_once(failing, caplog):
    told = {name: Broken(name, *([] if name == failing else ["none"])) for name in NAMES}
    if failing == "metrics":
        told["metrics"].only = ("answered",)
    rewriting = Rewriting(Engine.default(), **told)
    for name in "ab":
        answers.expect(rewriting, request("http://x.example", litellm_call_id=f"{failing} {name}"))
        answers.AnswerCallback().log_success_event({"litellm_call_id": f"{failing} {name}"}, READ, None, None)
    assert rewriting.faults == {failing: 2}
    assert [record.message for record in caplog.records if record.levelno == logging.WARNING] == [
        f"an answer was not accounted for after {failing} (logged once)"
    ]
    failures = 2  # of which metrics are told, too
    assert {name: one.told for name, one in told.items()} == dict.fromkeys(NAMES, 2) | {
        "metrics": 2 + failures
    }


def test_an_odd_usage_that_cannot_be_counted_is_recorded():
    recorder, metrics = Broken("recorder", "none"), Broken("metrics", "odd")
    accounting = Accounting(recorder=recorder, metrics=metrics)
    with pytest.raises(ExceptionGroup) as group:
        accounting.answered(Engine.default(), request("http://x.example"), None)
    assert [type(error) for error in group.value.exceptions] == [metrics.error]
    assert (recorder.told, metrics.told) == (1, 2)


def test_a_request_that_cannot_be_planned_is_recorded_and_told_to_nobody_else():
    told = {name: Broken(name, "none") for name in NAMES}
    engine = Broken("engine", "plan")
    with pytest.raises(ExceptionGroup) as group:
        Accounting(**told).answered(engine, request("http://x.example"), READ)
    assert [type(error) for error in group.value.exceptions] == [engine.error]
    assert {name: one.told for name, one in told.items()} == dict.fromkeys(NAMES, 0) | {"recorder": 1}


def test_what_is_not_accounted_for_does_not_pass_for_an_answer_without_usage(monkeypatch):
    told = {name: Broken(name, "none") for name in NAMES}
    accounting = Accounting(**told)
    broken = Broken("clock")
    monkeypatch.setattr(accounting, "_clock", broken.now)
    with pytest.raises(ExceptionGroup) as group:
        accounting.answered(Engine.default(), request("http://x.example"), READ)
    assert [type(error) for error in group.value.exceptions] == [broken.error]
    called = {name for name, one in told.items() if one.told}
    assert called == {"warmth", "keep_warm", "recorder"}


@pytest.mark.parametrize("deep", ["nested", "in itself"])
def test_a_request_that_is_nested_too_deep_is_told_to_all(deep):
    ledger = Ledger()
    rewriting = Rewriting(
        Engine.default(),
        ledger=ledger,
        metrics=Broken("metrics", "none"),
        keep_warm=KeepWarm(budget=1.0),
        live=Broken("live", "none"),
    )
    headers, body = {}, {}
    headers["a"] = headers
    for _ in range(600):
        body = {"a": body}
    more = {"extra_body": body} if deep == "nested" else {"extra_headers": headers}
    answers.expect(rewriting, request("http://x.example", litellm_call_id=deep, **more))
    answers.AnswerCallback().log_success_event({"litellm_call_id": deep}, READ, None, None)
    assert rewriting.faults == {}
    assert ledger.snapshot()["routes"]["anthropic"]["requests"] == 1
