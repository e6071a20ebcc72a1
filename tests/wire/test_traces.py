"""Recorded requests that nobody here wrote: rewritten, sent by litellm, and answered by the emulator."""

from __future__ import annotations

import copy
import json
from collections import Counter

import litellm
import pytest

from policy_cache import Engine
from policy_cache.emulator import create_app, serve
from policy_cache.engine.reasons import ACTED
from policy_cache.request.prompt import Prompt
from tests.wire.wire import Mark, marks, planned_identity, send


def chat(document, model):
    given = {name: value for name, value in document["kwargs"].items() if name not in {"tools", "extra_body"}}
    return {**given, "model": model, "messages": document["messages"], "tools": document["tools"]}


def openhands(traces, maker):
    for file in sorted((traces / "openhands").glob(f"*{maker}*.json")):
        yield chat(json.loads(file.read_text()), "anthropic/claude-sonnet-4-20250514")


def lines(folder):
    for file in sorted(folder.glob("*.jsonl")):
        yield from (json.loads(line) for line in file.read_text().splitlines() if line)


def recorded(traces):
    """Every recorded request, as if it were sent to Claude."""
    yield from openhands(traces, "claude")
    yield from openhands(traces, "deepseek")
    for request in lines(traces / "taubench"):
        yield {**request, "model": "anthropic/claude-sonnet-4-5", "max_tokens": 256}
    for line in lines(traces / "provider-usage"):
        yield {**line["request"], "model": f"anthropic/{line['request']['model']}"}


def test_every_recorded_request_is_rewritten_and_sent_as_planned(traces):
    engine = Engine.default()
    counts = Counter()
    for request in recorded(traces):
        before = copy.deepcopy(request)
        plan = engine.plan(request)
        after = engine.rewrite(request)
        assert request == before
        assert after == plan.request
        assert engine.rewrite(after) is after
        assert len(plan.route.markers_of(Prompt(after, plan.route.shape))) <= 4
        planned = Counter(
            Mark(planned_identity(request, placement.at), placement.ttl)
            for placement in plan.placements
            if placement.reason in ACTED
        )
        assert not planned - Counter(marks(send(copy.deepcopy(after), plan.route)))
        counts["requests"] += 1
        counts["markers"] += sum(planned.values())
    assert not engine.failures
    assert counts["requests"] > 90
    assert counts["markers"] > 3 * counts["requests"]


def test_recorded_requests_to_other_providers_pass_untouched(traces):
    engine = Engine.default()
    for request in lines(traces / "taubench"):
        assert engine.rewrite(request) is request


@pytest.mark.filterwarnings("ignore:Item '.*' on TypedDict class:UserWarning")
def test_reads_grow_from_turn_to_turn_on_a_recorded_agent_run(traces):
    engine = Engine.default()
    reads, writes = [], []
    with serve(create_app()) as url:
        for request in openhands(traces, "claude"):
            response = litellm.completion(**engine.rewrite(request), api_base=url, api_key="k", num_retries=0)
            reads.append(response.usage.cache_read_input_tokens)
            writes.append(response.usage.cache_creation_input_tokens)
    assert reads[0] == 0
    assert reads == sorted(set(reads))
    assert all(
        read == earlier + written for read, earlier, written in zip(reads[1:], reads, writes, strict=False)
    )
