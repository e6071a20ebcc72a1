"""Every condition of a match block, met and not met."""

from __future__ import annotations

import pytest

from policy_cache import Engine
from tests.engine.requests import (
    BEDROCK,
    BIG,
    call,
    chat,
    engine,
    native,
    native_tool,
    policy,
    tool,
)

MARK = "targets: [request], action: {add_cache_control: {}}"
REMOVE = "action: {remove_cache_control: {}}"


def matches(match, request, **given):
    plan = engine(f"match: {match}, {REMOVE}").plan(request, **given)
    assert plan.matched in ((), ("a",))
    return bool(plan.matched)


CLAUDE = chat()
TOOLS = chat(tools=[tool(), tool("g")])
GPT = chat(model="gpt-4o")
USER = {"role": "user", "content": "q"}


@pytest.mark.parametrize(
    ("match", "request_", "expected"),
    [
        ("{}", CLAUDE, True),
        # provider
        ("{provider: anthropic}", CLAUDE, True),
        ("{provider: ANTHROPIC}", CLAUDE, True),
        ("{provider: anthro}", CLAUDE, False),
        ("{provider: 'anthro*'}", CLAUDE, True),
        ("{provider: [openai, anthropic]}", CLAUDE, True),
        ("{provider: [openai, bedrock]}", CLAUDE, False),
        ("{provider: openai}", GPT, True),
        ("{provider: bedrock}", chat(model=BEDROCK), True),
        ("{provider: '*'}", chat(model="super"), True),
        ("{provider: '?*'}", chat(model="super"), False),
        # model
        ("{model: claude-sonnet-4-5}", CLAUDE, True),
        ("{model: Claude-Sonnet-4-5}", CLAUDE, True),
        ("{model: '*claude*'}", CLAUDE, True),
        ("{model: claude}", CLAUDE, False),
        ("{model: '*sonnet'}", CLAUDE, False),
        ("{model: anthropic/claude-sonnet-4-5}", CLAUDE, False),
        ("{model: 're:claude-(opus|sonnet)-4.*'}", CLAUDE, True),
        ("{model: 're:claude'}", CLAUDE, False),
        ("{model: 're:CLAUDE-.*'}", CLAUDE, True),
        ("{model: 're:a|claude-sonnet-4-5'}", CLAUDE, True),
        ("{model: ['gpt-*', '*-4-?']}", CLAUDE, True),
        ("{model: '*-4-[6-9]'}", CLAUDE, False),
        # shape
        ("{shape: chat}", CLAUDE, True),
        ("{shape: messages}", CLAUDE, False),
        ("{shape: messages}", native(), True),
        # stream
        ("{stream: true}", chat(stream=True), True),
        ("{stream: true}", CLAUDE, False),
        ("{stream: false}", CLAUDE, True),
        ("{stream: false}", chat(stream=False), True),
        ("{stream: false}", chat(stream=None), True),
        ("{stream: false}", chat(stream=True), False),
        # tools
        ("{tools: {min: 2}}", TOOLS, True),
        ("{tools: {min: 3}}", TOOLS, False),
        ("{tools: {max: 2}}", TOOLS, True),
        ("{tools: {max: 1}}", TOOLS, False),
        ("{tools: {max: 0}}", CLAUDE, True),
        ("{tools: {min: 1}}", CLAUDE, False),
        ("{tools: {min: 2, max: 2}}", TOOLS, True),
        # messages
        ("{messages: {min: 2}}", CLAUDE, True),
        ("{messages: {min: 3}}", CLAUDE, False),
        ("{messages: {max: 2}}", CLAUDE, True),
        ("{messages: {max: 1}}", CLAUDE, False),
        ("{messages: {min: 1, max: 1}}", native(), True),
        # tokens, 3.5 characters each
        ("{tokens: {min: 1000}}", chat([{"role": "user", "content": "x" * 3600}]), True),
        ("{tokens: {min: 1100}}", chat([{"role": "user", "content": "x" * 3600}]), False),
        ("{tokens: {max: 1100}}", chat([{"role": "user", "content": "x" * 3600}]), True),
        ("{tokens: {max: 1000}}", chat([{"role": "user", "content": "x" * 3600}]), False),
        ("{tokens: {min: 1000, max: 1100}}", chat([{"role": "user", "content": "x" * 3600}]), True),
        ("{tokens: {min: 100, max: 1000}}", chat([{"role": "user", "content": "x" * 3600}]), False),
        ("{tokens: {min: 1000}}", native(system="x" * 3600), True),
        (
            "{tokens: {min: 1000}}",
            native([USER], system="s", tools=[native_tool(description="x" * 3600)]),
            True,
        ),
        # exists, missing
        ("{exists: '$.tools[*]'}", TOOLS, True),
        ("{exists: '$.tools[2]'}", TOOLS, False),
        ("{exists: ['$.tools[2]', '$.model']}", TOOLS, False),
        ("{exists: ['$.tools[1]', '$.model']}", TOOLS, True),
        ("{exists: \"$.messages[?@.role=='system']\"}", CLAUDE, True),
        ("{exists: \"$.messages[?@.role=='tool']\"}", CLAUDE, False),
        ("{missing: $.response_format}", CLAUDE, True),
        ("{missing: $.response_format}", chat(response_format=None), False),
        ("{missing: ['$.a', '$.model']}", CLAUDE, False),
        ("{missing: ['$.a', '$.b']}", CLAUDE, True),
        # all of them
        ("{provider: anthropic, model: '*sonnet*', messages: {min: 2}}", CLAUDE, True),
        ("{provider: anthropic, model: '*opus*', messages: {min: 2}}", CLAUDE, False),
        ("{provider: anthropic, model: '*sonnet*', messages: {min: 9}}", CLAUDE, False),
    ],
)
def test_conditions_on_the_request(match, request_, expected):
    assert matches(match, request_) is expected


@pytest.mark.parametrize(
    ("names", "metadata", "expected"),
    [
        ("{tenant: acme}", {"tenant": "acme"}, True),
        ("{tenant: acme}", {"tenant": "ACME"}, True),
        ("{tenant: acme}", {"Tenant": "acme"}, False),
        ("{tenant: 'acme-*'}", {"tenant": "acme-eu"}, True),
        ("{tenant: 'acme-*'}", {"tenant": "my-acme-eu"}, False),
        ("{tenant: acme}", {}, False),
        ("{tenant: '*'}", {"tenant": ""}, True),
        ("{tenant: '*'}", {"tenant": None}, False),
        ("{tenant: [a, b]}", {"tenant": "b"}, True),
        ("{tenant: [a, b]}", {"tenant": "c"}, False),
        ("{user.plan: pro}", {"user": {"plan": "pro"}}, True),
        ("{user.plan: pro}", {"user.plan": "pro"}, True),
        ("{user.plan: pro}", {"user.plan": "free", "user": {"plan": "pro"}}, False),
        ("{user.plan: pro}", {"user": "pro"}, False),
        ("{a.b.c: x}", {"a": {"b": {"c": "x"}}}, True),
        ("{tags: b}", {"tags": ["a", "b"]}, True),
        ("{tags: c}", {"tags": ["a", "b"]}, False),
        ("{beta: true}", {"beta": True}, True),
        ("{beta: true}", {"beta": False}, False),
        ("{level: 3}", {"level": 3}, True),
        ("{level: 3}", {"level": "3"}, True),
        ("{level: 3}", {"level": 4}, False),
        ("{user: '*'}", {"user": {"plan": "pro"}}, False),
        ("{a: x, b: y}", {"a": "x", "b": "y"}, True),
        ("{a: x, b: y}", {"a": "x"}, False),
    ],
)
def test_metadata(names, metadata, expected):
    match = f"{{metadata: {names}}}"
    assert matches(match, CLAUDE, metadata=metadata) is expected
    assert matches(match, chat(metadata=metadata)) is expected
    assert matches(match, chat(litellm_metadata=metadata)) is expected


def test_given_metadata_stands_for_what_the_request_carries():
    request = chat(metadata={"tenant": "acme"})
    assert matches("{metadata: {tenant: other}}", request, metadata={"tenant": "other"})
    assert not matches("{metadata: {tenant: acme}}", request, metadata={"tenant": "other"})
    assert not matches("{metadata: {tenant: acme}}", request, metadata={})


@pytest.mark.parametrize(
    ("names", "headers", "expected"),
    [
        ("{x-agent: '*'}", {"x-agent": "code"}, True),
        ("{x-agent: '*'}", {"X-Agent": "code"}, True),
        ("{X-AGENT: Code}", {"x-agent": "code"}, True),
        ("{x-agent: code}", {"x-agent": "codes"}, False),
        ("{x-agent: '*'}", {}, False),
        ("{x.y: '1'}", {"X.Y": "1"}, True),
    ],
)
def test_headers(names, headers, expected):
    match = f"{{headers: {names}}}"
    assert matches(match, CLAUDE, headers=headers) is expected
    assert matches(match, chat(extra_headers=headers)) is expected
    assert matches(match, chat(headers=headers)) is expected
    assert matches(match, chat(proxy_server_request={"headers": headers})) is expected


def test_given_headers_stand_for_what_the_request_carries():
    assert not matches("{headers: {a: '1'}}", chat(extra_headers={"a": "1"}), headers={"b": "1"})


@pytest.mark.parametrize(
    ("alias", "request_", "given", "expected"),
    [
        ("fast", CLAUDE, {"alias": "fast"}, True),
        ("fast", CLAUDE, {"alias": "FAST"}, True),
        ("'team-*'", CLAUDE, {"alias": "team-a"}, True),
        ("'team-*'", CLAUDE, {"alias": "a-team"}, False),
        ("'*'", CLAUDE, {}, False),
        ("fast", chat(metadata={"model_group": "fast"}), {}, True),
        ("fast", chat(litellm_metadata={"model_group": "fast"}), {}, True),
        ("fast", CLAUDE, {"metadata": {"model_group": "fast"}}, True),
        ("fast", chat(metadata={"model_group": "fast"}), {"alias": "slow"}, False),
        ("fast", chat(metadata={"model_group": 3}), {}, False),
    ],
)
def test_alias(alias, request_, given, expected):
    assert matches(f"{{alias: {alias}}}", request_, **given) is expected


def test_the_given_provider_stands_for_the_prefix():
    assert matches("{provider: bedrock}", chat(model="claude-x"), provider="bedrock")
    assert matches("{provider: bedrock}", chat(model="claude-x", custom_llm_provider="bedrock"))
    assert not matches("{provider: bedrock}", chat(custom_llm_provider="bedrock"), provider="anthropic")


def test_the_given_shape_stands_for_the_detected_one():
    assert matches("{shape: messages}", CLAUDE, shape="messages")
    assert not matches("{shape: messages}", native(), shape="chat")


@pytest.mark.parametrize(
    ("veto", "expected"),
    [
        ("{metadata: {kind: one-shot}}", False),
        ("{metadata: {kind: other}}", True),
        ("{provider: anthropic}", False),
        ("{provider: bedrock}", True),
        ("{provider: anthropic, metadata: {kind: one-shot}}", False),
        ("{provider: anthropic, metadata: {kind: other}}", True),
        ("{provider: bedrock, metadata: {kind: one-shot}}", True),
        ("{messages: {min: 2}, stream: false}", False),
        ("{messages: {min: 2}, stream: true}", True),
    ],
)
def test_except_vetoes_when_all_of_it_holds(veto, expected):
    rules = engine(f"match: {{model: '*claude*'}}, except: {veto}, {REMOVE}")
    assert bool(rules.plan(chat(metadata={"kind": "one-shot"})).matched) is expected


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([f"{REMOVE}, stop: true", REMOVE], ("a",)),
        ([f"match: {{provider: openai}}, {REMOVE}, stop: true", REMOVE], ("b",)),
        ([f"match: {{messages: {{min: 2}}}}, {REMOVE}, stop: true", REMOVE], ("a",)),
        ([f"match: {{messages: {{min: 9}}}}, {REMOVE}, stop: true", REMOVE], ("b",)),
        ([f"except: {{messages: {{min: 2}}}}, {REMOVE}, stop: true", REMOVE], ("b",)),
        ([f"except: {{provider: openai}}, {REMOVE}, stop: true", REMOVE], ("a",)),
        ([REMOVE, f"{REMOVE}, stop: true", REMOVE], ("a", "b")),
        ([REMOVE, REMOVE, REMOVE], ("a", "b", "c")),
    ],
)
def test_stop_ends_the_list_after_a_rule_that_matched(rules, expected):
    assert engine(*rules).plan(CLAUDE).matched == expected


def test_a_disabled_policy_passes_everything():
    rules = engine(MARK, enabled="false")
    plan = rules.plan(native())
    assert (plan.matched, list(plan.placements)) == ((), [])
    assert rules.rewrite(CLAUDE) is CLAUDE


def share(percent, keys, *, by="metadata.session_id", name="a"):
    text = policy(f"match: {{sample: {{percent: {percent}, by: {by}}}}}, {REMOVE}").replace(
        "name: a,", f"name: {name},"
    )
    sampled = Engine.from_text(text)
    return {key for key in keys if sampled.plan(CLAUDE, metadata={"session_id": key}).matched}


KEYS = [f"session-{number}" for number in range(10_000)]


def test_a_sample_is_a_share_of_the_traffic():
    ten = share(10, KEYS)
    assert 900 < len(ten) < 1_100
    thousand = KEYS[:1_000]
    quarter, half = share(25, thousand), share(50, thousand)
    assert 200 < len(quarter) < 300
    assert 440 < len(half) < 560
    assert ten & set(thousand) <= quarter <= half


def test_a_sample_is_stable_and_each_rule_has_its_own():
    thousand = KEYS[:1_000]
    ten = share(10, thousand)
    assert share(10, thousand) == ten
    assert share(10, reversed(thousand)) == ten
    assert share(10, thousand, name="other") != ten


def test_a_sample_never_changes_between_versions():
    """Fixed for good: a session must not change sides when the router is updated."""
    assert sorted(share(10, KEYS[:60])) == SAMPLED


SAMPLED = ["session-34", "session-37", "session-4", "session-42", "session-48", "session-54", "session-9"]


def test_the_ends_of_a_sample():
    few = KEYS[:200]
    assert share(0, few) == set()
    assert share(100, few) == set(few)


@pytest.mark.parametrize(
    ("by", "given", "expected"),
    [
        ("metadata.session_id", {"metadata": {"session_id": "s"}}, True),
        ("metadata.session_id", {"metadata": {"session_id": 3}}, True),
        ("metadata.a.b", {"metadata": {"a": {"b": "s"}}}, True),
        ("metadata.session_id", {"metadata": {}}, False),
        ("metadata.session_id", {"metadata": {"session_id": None}}, False),
        ("metadata.session_id", {"metadata": {"session_id": ["s"]}}, False),
        ("headers.x-session", {"headers": {"X-Session": "s"}}, True),
        ("headers.x-session", {}, False),
        ("alias", {"alias": "fast"}, True),
        ("alias", {}, False),
        ("model", {}, True),
    ],
)
def test_a_request_without_the_key_is_never_sampled(by, given, expected):
    assert matches(f"{{sample: {{percent: 100, by: {by}}}}}", CLAUDE, **given) is expected


def test_conditions_look_at_the_request_as_it_came():
    """A rule's match never sees what an earlier rule did."""
    rules = engine(
        "targets: [messages.last], action: {add_cache_control: {}}",
        f"match: {{missing: '$.messages[*].content[0]'}}, {REMOVE}",
    )
    request = chat(
        [{"role": "user", "content": BIG}, {"role": "assistant", "content": None, "tool_calls": [call(0)]}]
    )
    assert rules.plan(request).matched == ("a", "b")


@pytest.mark.parametrize("model", ["prod-*", "gpt-5.6"])
@pytest.mark.parametrize(
    "said", [{"base_model": "azure/gpt-5.6"}, {"model_info": {"id": "d", "base_model": "azure/gpt-5.6"}}]
)
def test_a_deployment_goes_by_its_own_name_and_by_its_models(model, said):
    rule = f'match: {{model: "{model}"}}, targets: [system], action: {{add_cache_control: {{}}}}'
    plan = engine(rule).plan(chat(model="azure/prod-1", **said))
    assert [point.key for point in plan.breakpoints] == ["prompt_cache_breakpoint"]
