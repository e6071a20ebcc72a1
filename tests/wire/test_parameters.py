"""Each cache parameter reaches the provider as the catalog says, or is not sent at all."""

from __future__ import annotations

import pytest

from policy_cache import Engine
from policy_cache.integrations.litellm import WireError, wire
from policy_cache.packaged import packaged
from tests.wire.routes import ROUTES

CHAT = [case for case in ROUTES if case.shape == "chat"]
VALUES = {
    "prompt_cache_key": "team-a",
    "prompt_cache_retention": "24h",
    "prompt_cache_options": {"mode": "explicit"},
    "session_id": "s",
    "cache_salt": "salt",
    "providerOptions": {"gateway": {"caching": "auto"}},
    "x-grok-conv-id": "c",
}
# Whose pages say nothing of parameters in this shape.
UNSAID = {"copilot-claude"}
POLICY = """
version: 1
name: one
rules:
  - name: one
    action:
      set:
        prompt_cache_key: team-a
        prompt_cache_retention: 24h
        prompt_cache_options: {mode: explicit}
        session_id: s
        cache_salt: salt
        providerOptions: {gateway: {caching: auto}}
        headers: {X-Grok-Conv-ID: c}
"""
MESSAGES = [{"role": "user", "content": "hi"}]


def request_of(case, tools):
    function = {"name": "look_up", "parameters": {"type": "object", "properties": {}}}
    request = {**case.request, "messages": MESSAGES, "max_tokens": 16}
    return {**request, "tools": [{"type": "function", "function": function}]} if tools else request


@pytest.mark.parametrize("tools", [False, True], ids=["without tools", "with tools"])
@pytest.mark.parametrize("case", CHAT, ids=lambda case: case.label)
def test_what_is_planned_is_sent(case, tools):
    plan = Engine.from_text(POLICY).plan(request_of(case, tools))
    sent = wire(plan.request).sent[-1]
    given = {name: sent.body[name] for name in VALUES if name in sent.body}
    given |= {name: VALUES[name] for name in sent.headers & VALUES.keys()}
    assert given == {name: VALUES[name] for name in plan.route.parameters}
    reasons = {placement.reason for placement in plan.placements if placement.at is None}
    assert reasons <= {"provider_unsupported"}


@pytest.mark.parametrize("case", CHAT, ids=lambda case: case.label)
def test_a_key_is_left_out_only_where_litellm_refuses_it(case):
    route = Engine.from_text(POLICY).plan(request_of(case, tools=False)).route
    try:
        body = wire({**request_of(case, tools=False), "prompt_cache_key": "k"}).sent[-1].body
    except WireError:
        body = {}
    taken = route.parameters.get("prompt_cache_key")
    if (
        route.mechanism != "unknown"
        and route.name not in UNSAID
        and (taken is None or taken.send == "argument")
    ):
        assert ("prompt_cache_key" in body) is (taken is not None)


def test_a_long_key_becomes_a_short_hash_that_stays_the_same():
    engine = Engine.from_text("""
version: 1
name: p
rules:
  - {name: key, action: {set: {prompt_cache_key: "{metadata.tenant}"}}}
""")

    def key(tenant, model="openai/gpt-4o"):
        plan = engine.plan({"model": model, "messages": MESSAGES, "metadata": {"tenant": tenant}})
        return plan.request["prompt_cache_key"], plan.placements[0].detail

    assert key("t" * 64) == ("t" * 64, "")
    short, detail = key("t" * 65)
    assert detail == "shortened to a hash: the provider takes 64 characters"
    assert len(short) == 32
    assert short == key("t" * 65)[0] != key("t" * 66)[0]
    assert key("t" * 65, "groq/llama-3")[0] == "t" * 65


def test_the_retention_that_a_model_refuses_is_not_sent(tmp_path):
    catalog = tmp_path / "catalog.yaml"
    catalog.write_text("""
version: 1
routes:
  - name: openai-automatic
    parameters: {prompt_cache_retention: {send: extra_body, values: [in_memory]}}
""")
    plan = Engine.from_text(POLICY, catalog=catalog).plan({"model": "gpt-4o", "messages": MESSAGES})
    refused = [one for one in plan.placements if one.detail.startswith("gpt-4o takes")]
    assert [(one.reason, one.detail) for one in refused] == [
        ("provider_unsupported", "gpt-4o takes in_memory here, not 24h")
    ]
    assert not plan.changed


@pytest.mark.parametrize(
    ("model", "kind", "options"),
    [
        ("openai/gpt-5.6", "one-shot", {"mode": "explicit"}),
        ("azure/gpt-6.1-sol", "one-shot", {"mode": "explicit"}),
        ("openai/gpt-5.6", "agent", None),
        ("openai/gpt-5.5", "one-shot", None),
    ],
)
def test_the_shipped_policy_for_one_shot_requests(model, kind, options):
    engine = Engine.from_file(packaged("policies", "openai-one-shot.yaml"))
    sent = wire(engine.rewrite({"model": model, "messages": MESSAGES, "metadata": {"kind": kind}}))
    assert sent.sent[-1].body.get("prompt_cache_options") == options
    assert sent.markers == ()


HEADER = """
version: 1
name: p
client_markers: {conduct}
rules:
  - {{name: header, action: {{set: {{headers: {{x-grok-conv-id: "{{metadata.session_id}}"}}}}}}}}
"""


def headed(conduct="keep", **more):
    engine = Engine.from_text(HEADER.format(conduct=conduct))
    request = {"model": "xai/grok-4", "messages": MESSAGES, "metadata": {"session_id": "s-1"}, **more}
    plan = engine.plan(request)
    assert engine.rewrite(request) == plan.request
    return plan.request.get("extra_headers"), plan.placements[0].reason


@pytest.mark.parametrize(
    ("conduct", "given", "sent"),
    [
        ("keep", {}, ({"x-grok-conv-id": "s-1"}, "applied")),
        ("keep", {"extra_headers": {"a": "b"}}, ({"a": "b", "x-grok-conv-id": "s-1"}, "applied")),
        (
            "keep",
            {"extra_headers": {"X-Grok-Conv-Id": "own"}},
            ({"X-Grok-Conv-Id": "own"}, "kept_client_marker"),
        ),
        ("replace", {"extra_headers": {"X-Grok-Conv-Id": "own"}}, ({"X-Grok-Conv-Id": "s-1"}, "applied")),
        ("keep", {"extra_headers": ["x"]}, (["x"], "not_markable")),
        ("keep", {"x-grok-conv-id": "an argument"}, ({"x-grok-conv-id": "s-1"}, "applied")),
        ("keep", {"headers": {"X-Grok-Conv-Id": "own"}}, (None, "kept_client_marker")),
        (
            "replace",
            {"extra_headers": {"X-GROK-CONV-ID": "a", "x-grok-conv-id": "b"}},
            ({"X-GROK-CONV-ID": "s-1", "x-grok-conv-id": "s-1"}, "applied"),
        ),
        (
            "keep",
            {"extra_headers": {"X-GROK-CONV-ID": None, "x-grok-conv-id": "b"}},
            ({"X-GROK-CONV-ID": None, "x-grok-conv-id": "b"}, "kept_client_marker"),
        ),
        ("keep", {"metadata": {}}, (None, "no_target")),
        ("keep", {"model": "groq/llama-3.3-70b-versatile"}, (None, "provider_unsupported")),
    ],
)
def test_a_header_is_set_where_the_provider_takes_it(conduct, given, sent):
    assert headed(conduct, **given) == sent


@pytest.mark.parametrize("wanted", ["headers: {prompt_cache_key: k}", "headers: {session_id: s}"])
def test_a_parameter_is_no_header(wanted):
    engine = Engine.from_text(f"version: 1\nname: p\nrules: [{{name: a, action: {{set: {{{wanted}}}}}}}]\n")
    assert not engine.plan({"model": "openrouter/openai/gpt-4o", "messages": MESSAGES}).changed


@pytest.mark.parametrize("session", ["日本", " s", "s ", "é", "x" * 300])
def test_what_no_header_takes_is_hashed(session):
    sent, reason = headed(metadata={"session_id": session})
    assert reason == "applied"
    assert len(sent["x-grok-conv-id"]) == 32
    assert headed(metadata={"session_id": session})[0] == sent


def test_the_first_rule_keeps_a_header_however_it_is_spelt():
    engine = Engine.from_text("""
version: 1
name: p
client_markers: replace
rules:
  - {name: a, action: {set: {headers: {x-grok-conv-id: one}}}}
  - {name: b, action: {set: {headers: {X-Grok-Conv-ID: two}}}}
""")
    given = {"model": "xai/grok-4", "messages": MESSAGES, "headers": {"X-Grok-Conv-Id": "own"}}
    plan = engine.plan(given)
    assert [placement.reason for placement in plan.placements] == ["applied", "duplicate"]
    assert plan.request["headers"] == {"X-Grok-Conv-Id": "one"}
    assert given["headers"] == {"X-Grok-Conv-Id": "own"}
