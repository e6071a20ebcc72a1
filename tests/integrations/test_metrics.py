"""Metrics: what is counted, in either library, and that a broken one never reaches a request."""

from __future__ import annotations

import asyncio
import json
import re
from uuid import uuid4

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client import CollectorRegistry, generate_latest

from policy_cache import Engine
from policy_cache.integrations.litellm import Calls, PolicyCacheHandler
from policy_cache.integrations.metrics import Metrics, OpenTelemetry, Prometheus
from policy_cache.live.experiment import Experiment
from policy_cache.usage.usage import CacheUsage
from tests.conftest import REPOSITORY

MODEL = "anthropic/claude-sonnet-4-5"
USAGE = {
    "input_tokens": 7,
    "cache_read_input_tokens": 5_000,
    "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 20},
    "output_tokens": 3,
}


def request():
    talk = [{"role": "system", "content": "SECRET " * 4_000}, {"role": "user", "content": "q"}]
    function = {"name": "f", "parameters": {"type": "object", "properties": {}}}
    return {
        "model": MODEL,
        "messages": talk,
        "tools": [{"type": "function", "function": function}],
        "litellm_call_id": str(uuid4()),
    }


def answer(handler, given, usage=USAGE):
    """A request that goes through, as litellm tells its callbacks."""
    asyncio.run(handler.async_pre_call_deployment_hook(given, "acompletion"))
    asyncio.run(
        handler.async_log_success_event(
            {"litellm_call_id": given["litellm_call_id"]}, {"usage": usage}, None, None
        )
    )


EXPECTED = {
    ("policy_cache_requests", "changed=true"): 4,
    ("policy_cache_requests", "changed=false"): 1,
    ("policy_cache_placements", "reason=below_minimum,route=anthropic"): 4,
    ("policy_cache_placements", "reason=applied,route=anthropic"): 8,
    ("policy_cache_breakpoints", "route=anthropic,ttl=1h"): 4,
    ("policy_cache_breakpoints", "route=anthropic,ttl=5m"): 4,
    ("policy_cache_answers", "read=false,route=anthropic,start=cold"): 1,
    ("policy_cache_answers", "read=true,route=anthropic,start=warm"): 2,
    ("policy_cache_answers", "read=false,route=anthropic,start=warm"): 1,
    ("policy_cache_tokens", "kind=write_5m,route=anthropic,start=cold"): 1_000_000,
    ("policy_cache_tokens", "kind=read,route=anthropic,start=warm"): 10_000,
    ("policy_cache_tokens", "kind=write_5m,route=anthropic,start=warm"): 200,
    ("policy_cache_tokens", "kind=write_1h,route=anthropic,start=warm"): 40,
    ("policy_cache_tokens", "kind=uncached,route=anthropic,start=warm"): 14,
    ("policy_cache_tokens", "kind=output,route=anthropic,start=warm"): 6,
    ("policy_cache_cached_tokens", "kind=read,route=anthropic,source=policy"): 10_000,
    ("policy_cache_cached_tokens", "kind=write_5m,route=anthropic,source=policy"): 1_000_200,
    ("policy_cache_cached_tokens", "kind=write_1h,route=anthropic,source=policy"): 40,
    ("policy_cache_rule_tokens", "kind=read,rule=agent-prefix"): 10_000,
    ("policy_cache_rule_tokens", "kind=write_5m,rule=agent-prefix"): 999_327,
    ("policy_cache_rule_tokens", "kind=write_5m,rule=first-turn"): 873,
    ("policy_cache_rule_tokens", "kind=write_1h,rule=agent-prefix"): 40,
    # Twice 5,000 tokens read for a tenth of $3 a million, 100 written for 1.25 of it and 20 for double.
    ("policy_cache_saved_usd", "route=anthropic,source=policy"): pytest.approx(0.02673),
    ("policy_cache_lost_usd", "route=anthropic,source=policy"): pytest.approx(0.75),
    ("policy_cache_pings", "read=true,route=anthropic"): 1,
    ("policy_cache_pings", "read=false,route=unknown"): 1,
    ("policy_cache_ping_tokens", "kind=read,route=anthropic"): 10_000,
    ("policy_cache_ping_tokens", "kind=output,route=anthropic"): 1,
    ("policy_cache_ping_cost_usd", "route=anthropic"): pytest.approx(0.003015),
    ("policy_cache_pings_skipped", "route=anthropic"): 1,
    ("policy_cache_pings_stopped", "kind=failed"): 1,
    ("policy_cache_odd_usages", "kind=negative"): 1,
    ("policy_cache_errors", "kind=RuntimeError"): 1,
}


def drive(sink):
    """Four answered requests, one that needs nothing, one fault, and pings until one fails."""
    metrics = Metrics(sink)
    handler = PolicyCacheHandler(Engine.default(), metrics=metrics)
    answer(handler, request(), {"input_tokens": 0, "cache_creation_input_tokens": 1_000_000})
    answer(handler, request())
    answer(handler, request())
    answer(handler, request(), {"input_tokens": -1})
    asyncio.run(handler.async_pre_call_deployment_hook({"model": "gpt-4o", "messages": []}, "acompletion"))
    handler.rewriting.fault(RuntimeError("SECRET"))
    metrics.pinged("anthropic", CacheUsage(read=10_000, output=1), 0.003015)
    metrics.skipped("anthropic")
    metrics.pinged(None, None, None)
    metrics.stopped("failed")
    return handler


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
    assert registry.get_sample_value("policy_cache_rewrite_seconds_count") == 5
    assert b"SECRET" not in generate_latest(registry)


def test_opentelemetry():
    reader = InMemoryMetricReader()
    drive(OpenTelemetry(MeterProvider([reader]).get_meter("test")))
    [resource] = reader.get_metrics_data().resource_metrics
    metrics = {
        metric.name: metric.data.data_points for scope in resource.scope_metrics for metric in scope.metrics
    }
    [seconds] = metrics.pop("policy_cache_rewrite_seconds")
    assert seconds.count == 5
    [policy] = metrics.pop("policy_cache_policy_info")
    assert (policy.attributes, policy.value) == (
        {"policy": "default", "revision": Engine.default().policy.revision},
        1,
    )
    found = {
        (name, labels(point.attributes)): point.value for name, points in metrics.items() for point in points
    }
    assert found == EXPECTED


def test_an_experiment():
    """Of two policies, each with the answers of its own sessions; the recorder has the arm, too."""
    rule = "{name: r, targets: [system], action: {add_cache_control: {ttl: 1h}}}"
    hour = Engine.from_text(f"version: 1\nname: t\nrules: [{rule}]\n")
    trial, registry, recorded = Experiment(Engine.default(), hour), CollectorRegistry(), []

    class Recorder:
        def record(self, _, *, policy=None, **__):
            recorded.append(policy["arm"])

    handler = PolicyCacheHandler(trial, metrics=Metrics(Prometheus(registry)), recorder=Recorder())
    sessions = [{**request(), "metadata": {"session_id": f"s{number}"}} for number in range(40)]
    for given in sessions:
        answer(handler, given)
    expected = [trial.arm(given) for given in sessions]
    assert recorded == expected
    for arm in ("control", "variant"):
        answers = registry.get_sample_value("policy_cache_experiment_answers_total", {"arm": arm})
        labels = {"arm": arm, "kind": "read"}
        assert answers == expected.count(arm) > 0
        assert registry.get_sample_value("policy_cache_experiment_tokens_total", labels) == 5_000 * answers
        cost = registry.get_sample_value("policy_cache_experiment_cost_usd_total", {"arm": arm})
        assert cost == pytest.approx(answers * (7 * 3 + 5_000 * 0.3 + 100 * 3.75 + 20 * 6) / 1e6)


class Broken:
    def add(self, *_):
        raise RuntimeError("disk full")

    observe = in_force = add


def test_a_broken_sink_never_reaches_a_request():
    handler = PolicyCacheHandler(Engine.default(), metrics=Metrics(Broken()))
    sent = asyncio.run(handler.async_pre_call_deployment_hook(request(), "acompletion"))
    assert sent["messages"][0]["content"][0]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
    answer(handler, request())
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


def test_names_of_rules_are_bounded():
    rules = "".join(
        f"  - {{name: r{number}, match: {{alias: a{number}}}, targets: [system], "
        "action: {add_cache_control: {}}}\n"
        for number in range(120)
    )
    registry = CollectorRegistry()
    engine = Engine.from_text(f"version: 1\nname: p\nrules:\n{rules}")
    handler = PolicyCacheHandler(engine, metrics=Metrics(Prometheus(registry)))
    for number in range(120):
        given = {**request(), "metadata": {"model_group": f"a{number}"}}
        answer(handler, given, {"input_tokens": 0, "cache_read_input_tokens": 10})
    read = {
        sample.labels["rule"]: sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name == "policy_cache_rule_tokens_total"
    }
    assert len(read) == 101
    assert read["other"] == 200


def test_only_the_revision_in_force_is_shown():
    registry = CollectorRegistry()
    metrics = Metrics(Prometheus(registry))
    text = "version: 1\nname: p\nrules:\n  - {name: r, targets: [system], action: {add_cache_control: {}}}\n"
    for policy in (text, text + "    # edited\n"):
        engine = Engine.from_text(policy)
        answer(PolicyCacheHandler(engine, metrics=metrics), request())
        [family] = [one for one in registry.collect() if one.name == "policy_cache_policy_info"]
        assert [sample.labels for sample in family.samples] == [
            {"policy": "p", "revision": engine.policy.revision}
        ]


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
    assert len(asked) == 15
    assert [name for name in asked if f"\n{name}{{" not in exposed] == []
