"""Metrics: what is counted, in either library, and that a broken one never reaches a request."""

from __future__ import annotations

import asyncio
import json
import re

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client import CollectorRegistry, generate_latest

from policy_cache import Engine
from policy_cache.integrations.litellm import Calls, PolicyCacheHandler
from policy_cache.integrations.metrics import Metrics, OpenTelemetry, Prometheus
from tests.conftest import REPOSITORY

MODEL = "anthropic/claude-sonnet-4-5"
USAGE = {
    "input_tokens": 7,
    "cache_read_input_tokens": 5_000,
    "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 20},
    "output_tokens": 3,
}


def request(name="1"):
    talk = [{"role": "system", "content": "SECRET " * 4_000}, {"role": "user", "content": "q"}]
    function = {"name": "f", "parameters": {"type": "object", "properties": {}}}
    return {
        "model": MODEL,
        "messages": talk,
        "tools": [{"type": "function", "function": function}],
        "litellm_call_id": name,
    }


def answer(handler, given):
    """A request that goes through, as litellm tells its callbacks."""
    asyncio.run(handler.async_pre_call_deployment_hook(given, "acompletion"))
    asyncio.run(
        handler.async_log_success_event(
            {"litellm_call_id": given["litellm_call_id"]}, {"usage": USAGE}, None, None
        )
    )


EXPECTED = {
    ("policy_cache_requests", "changed=true"): 2,
    ("policy_cache_requests", "changed=false"): 1,
    ("policy_cache_placements", "reason=below_minimum,route=anthropic"): 2,
    ("policy_cache_placements", "reason=applied,route=anthropic"): 2,
    ("policy_cache_tokens", "kind=read,route=anthropic"): 10_000,
    ("policy_cache_tokens", "kind=write_5m,route=anthropic"): 200,
    ("policy_cache_tokens", "kind=write_1h,route=anthropic"): 40,
    ("policy_cache_tokens", "kind=uncached,route=anthropic"): 14,
    ("policy_cache_tokens", "kind=output,route=anthropic"): 6,
    ("policy_cache_errors", "kind=RuntimeError"): 1,
}


def drive(sink):
    """Two answered requests, one that needs nothing, and one fault."""
    metrics = Metrics(sink)
    handler = PolicyCacheHandler(Engine.default(), metrics=metrics)
    answer(handler, request("1"))
    answer(handler, request("2"))
    asyncio.run(handler.async_pre_call_deployment_hook({"model": "gpt-4o", "messages": []}, "acompletion"))
    handler.rewriting.fault(RuntimeError("SECRET"))


def labels(pairs):
    return ",".join(f"{key}={value}" for key, value in sorted(pairs.items()))


def test_prometheus():
    registry = CollectorRegistry()
    drive(Prometheus(registry))
    found = {
        (family.name, labels(sample.labels)): sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name.endswith("_total")
    }
    assert found == EXPECTED
    assert registry.get_sample_value("policy_cache_rewrite_seconds_count") == 3
    assert b"SECRET" not in generate_latest(registry)


def test_opentelemetry():
    reader = InMemoryMetricReader()
    drive(OpenTelemetry(MeterProvider([reader]).get_meter("test")))
    [resource] = reader.get_metrics_data().resource_metrics
    metrics = {
        metric.name: metric.data.data_points for scope in resource.scope_metrics for metric in scope.metrics
    }
    [seconds] = metrics.pop("policy_cache_rewrite_seconds")
    assert seconds.count == 3
    found = {
        (name, labels(point.attributes)): point.value for name, points in metrics.items() for point in points
    }
    assert found == EXPECTED


class Broken:
    def add(self, *_):
        raise RuntimeError("disk full")

    observe = add


def test_a_broken_sink_never_reaches_a_request():
    handler = PolicyCacheHandler(Engine.default(), metrics=Metrics(Broken()))
    sent = asyncio.run(handler.async_pre_call_deployment_hook(request(), "acompletion"))
    assert sent["messages"][0]["content"][0]["cache_control"] == {"type": "ephemeral"}
    answer(handler, request("2"))
    assert handler.rewriting.faults == {"RuntimeError": 3}  # two rewrites, one answer


def test_stand_ins_are_measured_too():
    registry = CollectorRegistry()
    Calls(Engine.default(), metrics=Metrics(Prometheus(registry))).completion(**request(), mock_response="ok")
    assert registry.get_sample_value("policy_cache_requests_total", {"changed": "true"}) == 1


def test_kinds_of_errors_are_bounded():
    registry = CollectorRegistry()
    metrics = Metrics(Prometheus(registry))
    for number in range(200):
        metrics.failed(f"Error{number}")
    kinds = {
        sample.labels["kind"]
        for family in registry.collect()
        for sample in family.samples
        if sample.name == "policy_cache_errors_total"
    }
    assert len(kinds) == 51
    assert registry.get_sample_value("policy_cache_errors_total", {"kind": "other"}) == 150


def test_a_second_registration_is_refused_by_prometheus_itself():
    registry = CollectorRegistry()
    Prometheus(registry)
    with pytest.raises(ValueError, match="Duplicated"):
        Prometheus(registry)


def test_the_dashboard_asks_for_what_there_is():
    registry = CollectorRegistry()
    drive(Prometheus(registry))
    exposed = generate_latest(registry).decode()
    dashboard = json.loads((REPOSITORY / "examples" / "grafana.json").read_text())
    asked = {
        name
        for panel in dashboard["panels"]
        for target in panel["targets"]
        for name in re.findall(r"policy_cache_\w+", target["expr"])
    }
    assert len(asked) == 5
    assert [name for name in asked if f"\n{name}{{" not in exposed] == []
