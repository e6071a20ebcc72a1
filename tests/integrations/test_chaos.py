"""Everything beside the request breaks, and every request still goes through."""

from __future__ import annotations

import asyncio
import errno
import logging
import os

import pytest

from policy_cache import Engine, TraceRecorder
from policy_cache.engine import engine as engine_module
from policy_cache.integrations.collapse import CollapseAlarm
from policy_cache.integrations.litellm import Calls, PolicyCacheHandler
from policy_cache.integrations.metrics import Metrics

POLICY = "version: 1\nname: p\nrules:\n  - {name: r, targets: [system], action: {add_cache_control: {}}}\n"
USAGE = {"input_tokens": 7, "cache_read_input_tokens": 5_000, "output_tokens": 3}


def request(name="1"):
    return {
        "model": "anthropic/claude-sonnet-4-5",
        "messages": [{"role": "system", "content": "SECRET " * 4_000}, {"role": "user", "content": "q"}],
        "litellm_call_id": name,
    }


def through(handler, given):
    """What is sent for a request, which is then answered."""
    sent = asyncio.run(handler.async_pre_call_deployment_hook(given, "acompletion"))
    asyncio.run(
        handler.async_log_success_event(
            {"litellm_call_id": given["litellm_call_id"]}, {"usage": USAGE}, None, None
        )
    )
    return given if sent is None else sent


def is_marked(sent):
    return isinstance(sent["messages"][0]["content"], list)


def broken(*_, **__):
    raise RuntimeError("SECRET")


@pytest.mark.parametrize("part", ["engine.resolve", "engine.Facts", "match.Prompt", "engine.direct"])
def test_a_broken_part_of_the_engine(part, monkeypatch, caplog):
    engine = Engine.from_text(POLICY)
    handler = PolicyCacheHandler(engine)
    monkeypatch.setattr(f"policy_cache.engine.{part}", broken)
    sent = [through(handler, request(str(number))) for number in range(3)]
    assert sent == [request(str(number)) for number in range(3)]
    assert engine.failures == {"RuntimeError": 3}
    assert "SECRET" not in caplog.text


def test_a_broken_sink_alarm_and_recorder_leave_the_markers(monkeypatch, caplog, tmp_path):
    class Sink:
        add = observe = in_force = broken

    recorder, alarm = TraceRecorder(tmp_path / "trace.jsonl"), CollapseAlarm()
    monkeypatch.setattr(recorder, "record", broken)
    monkeypatch.setattr(alarm, "answered", broken)
    handler = PolicyCacheHandler(
        Engine.from_text(POLICY), recorder=recorder, metrics=Metrics(Sink()), alarm=alarm
    )
    assert all(is_marked(through(handler, request(str(number)))) for number in range(5))
    assert handler.rewriting.faults == {"RuntimeError": 20}  # of each, the rewrite and all three who are told
    assert [record.message for record in caplog.records if record.name == "policy_cache"] == [
        "a rewrite was not measured after RuntimeError (logged once)"
    ]
    assert "SECRET" not in caplog.text


def test_a_full_disk(monkeypatch, tmp_path):
    real = os.write

    def full(descriptor, data):
        if len(data) > 100:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, data)

    monkeypatch.setattr(os, "write", full)
    with TraceRecorder(tmp_path / "trace.jsonl") as recorder:
        handler = PolicyCacheHandler(Engine.from_text(POLICY), recorder=recorder)
        assert all(is_marked(through(handler, request(str(number)))) for number in range(5))
        assert recorder.flush()
        assert (recorder.written, recorder.dropped, recorder.faults) == (0, 5, {"ENOSPC": 5})
        monkeypatch.setattr(os, "write", real)
        through(handler, request("6"))
        assert recorder.flush()
        assert recorder.written == 1


def test_a_policy_that_is_deleted(tmp_path, caplog):
    caplog.set_level(logging.INFO, "policy_cache")
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY)
    with Engine.watch(file, every=3_600) as live:
        handler = PolicyCacheHandler(live)
        file.unlink()
        assert [live.refresh(), live.refresh()] == [False, False]
        assert is_marked(through(handler, request()))
        assert live.error is not None
        assert sum("stays in force" in record.message for record in caplog.records) == 1


def test_a_reload_that_breaks_in_itself(tmp_path, monkeypatch):
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY)
    with Engine.watch(file, every=3_600) as live:
        monkeypatch.setattr("policy_cache.live.engine._load", broken)
        file.write_text(POLICY + "\n")
        assert live.refresh() is False
        assert live.faults == {"RuntimeError": 1}
        assert is_marked(through(PolicyCacheHandler(live), request()))


@pytest.mark.parametrize("response", [None, 3, {"usage": {"input_tokens": -1}}, {"usage": "many"}, object()])
def test_odd_responses(response):
    handler = PolicyCacheHandler(Engine.from_text(POLICY), alarm=CollapseAlarm())
    asyncio.run(handler.async_pre_call_deployment_hook(request(), "acompletion"))
    asyncio.run(handler.async_log_success_event({"litellm_call_id": "1"}, response, None, None))
    handler.log_success_event({"litellm_call_id": None, "surprise": 1}, response, None, None)
    assert handler.rewriting.faults == {}


def test_an_event_loop_that_is_closed():
    loop = asyncio.new_event_loop()
    handler = PolicyCacheHandler(Engine.from_text(POLICY))
    assert is_marked(
        loop.run_until_complete(handler.async_pre_call_deployment_hook(request(), "acompletion"))
    )
    loop.close()
    handler.log_success_event({"litellm_call_id": "1"}, {"usage": USAGE}, None, None)
    assert handler.rewriting.faults == {}


def test_a_stand_in_goes_on_without_an_engine_that_works(monkeypatch):
    engine = Engine.from_text(POLICY)
    monkeypatch.setattr(engine_module, "resolve", broken)
    answer = Calls(engine).completion(**request(), mock_response="ok")
    assert answer.choices[0].message.content == "ok"
    assert engine.failures == {"RuntimeError": 1}
