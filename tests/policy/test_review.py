"""What is warned of, and what is not: each review beside its nearest silent neighbour.

The cases print every warning whole; here is where each one stops.
"""

from __future__ import annotations

import pytest

from policy_cache.packaged import packaged_data
from policy_cache.policy.check.examine import examine_content, reviewed
from policy_cache.policy.check.reach.routes import Routes
from tests.conftest import REPOSITORY

ROUTES = Routes(packaged_data())
SHIPPED = sorted(
    file for file in (REPOSITORY / "policies").rglob("*.yaml") if not file.name.endswith(".test.yaml")
)


def codes(text):
    examined = examine_content(text, "t.yaml")
    assert examined.ok
    return [diagnostic.code for diagnostic in reviewed(examined, ROUTES)]


def policy(*rules):
    return "version: 1\nname: t\nrules:\n" + "".join(
        f"  - {{name: r{i}, {rule}}}\n" for i, rule in enumerate(rules)
    )


def filtered(path):
    return f'targets: [{{at: "$.{path}", take: last}}], {MARK}'


MARK = "action: {add_cache_control: {}}"
SYSTEM = f"targets: [system], {MARK}"
HOUR = "action: {add_cache_control: {ttl: 1h}}"
FIRES = {
    "PC313": [
        f"match: {{provider: minimax, model: gpt-4o-mini}}, {SYSTEM}",
        f"match: {{missing: $.a, exists: $.a}}, {SYSTEM}",
        f"match: {{tools: {{min: 2}}}}, except: {{tools: {{min: 1}}}}, {SYSTEM}",
    ],
    "PC316": [
        f"targets: [tools, system, '$.messages[:2]', messages.last], {MARK}",
        f"match: {{provider: gemini}}, targets: [messages.previous_turn, messages.last], {MARK}",
        f"match: {{model: gpt-5.6}}, targets: [system, '$.messages[-3:]', messages.last], {MARK}",
    ],
    "PC317": [f"targets: ['$.messages[2:]'], {MARK}", f"targets: ['$.messages[-1].content[*]'], {MARK}"],
    "PC318": [
        f"targets: [messages.previous_turn, {{at: messages.last, ttl: 1h}}], {MARK}",
        f"targets: [{{at: tools, ttl: 5m}}, system], {HOUR}",
    ],
    "PC322": [f"match: {{provider: openai, model: 'gpt-5.6*'}}, targets: [system], {HOUR}"],
    "PC324": [f"match: {{missing: $.respons_format}}, {SYSTEM}"],
    "PC325": [
        f"match: {{provider: bedrock, model: '*claude*'}}, targets: [request], {MARK}",
        f"match: {{provider: openai, model: ['gpt-5.6*', 'gpt-4o*']}}, targets: ['$.tools[-1]'], {MARK}",
    ],
    "PC326": [f"match: {{model: '*gemnini*'}}, {SYSTEM}"],
    "PC327": [f"match: {{sample: {{percent: 5, by: headers.traceparent}}}}, {SYSTEM}"],
    "PC329": [
        filtered("system[?(@.text =~ 'Current time')]"),
        filtered("messages[?@.content == 'It is 2026-11-25.']"),
        filtered("messages[0].content[?@.text =~ '[0-9]{2}:[0-9]{2}']"),
        "action: {set: {prompt_cache_key: 'a-{metadata.request_id}'}}",
    ],
    "PC328": [f"match: {{exists: \"$.messages[?@.role == 'User']\"}}, {SYSTEM}"],
}
SILENT = {
    "a family's unknown version": f"match: {{provider: anthropic, model: 'claude-3*'}}, {SYSTEM}",
    "a name that is free": f"match: {{provider: azure, model: 'gtp-prod'}}, {SYSTEM}",
    "a veto that is narrower": f"match: {{model: '*claude*'}}, except: {{model: 'claude-3*'}}, {SYSTEM}",
    "four targets": f"targets: [tools, system, messages.previous_turn, messages.last], {MARK}",
    "what fits beside others": f"targets: [system, '$.messages[-4:]'], {MARK}",
    "a filter with a number": f"targets: [{{at: \"$.messages[?@.role == 'user']\", take: 2}}], {MARK}",
    "removal everywhere": "targets: ['$.messages[*]'], action: {remove_cache_control: {}}",
    "an hour before minutes": f"targets: [{{at: tools, ttl: 1h}}, system], {MARK}",
    "a place that may be before": f"targets: ['$.messages[0]', {{at: system, ttl: 1h}}], {MARK}",
    "an hour for some models": f"match: {{provider: bedrock, model: '*claude*'}}, targets: [system], {HOUR}",
    "a parameter of a provider": f"match: {{exists: $.safety_settings}}, {SYSTEM}",
    "tools behind another host": f"match: {{provider: openai}}, targets: [tools], {MARK}",
    "tools for one of two": f"match: {{provider: [openai, anthropic]}}, targets: [tools], {MARK}",
    "a session": f"match: {{sample: {{percent: 5, by: metadata.session_id}}}}, {SYSTEM}",
    "a text without a clock": filtered("system[?(@.text =~ '## Rules')]"),
    "any text but one with a clock": filtered("system[?(@.text != 'It is 10:30')]"),
    "a clock as one of two": filtered("system[?@.text == 'It is 10:30' || @.text == 'A']"),
    "a key of a session": "action: {set: {prompt_cache_key: '{metadata.session_id}'}}",
    "a clock's text that loses its marker": (
        "targets: [\"$.system[?(@.text =~ 'Current time')]\"], action: {remove_cache_control: {}}"
    ),
    "one of two roles": """match: {exists: "$.messages[?@.role == 'user' || @.role == 'tool']"}, """ + SYSTEM,
    "an empty match": f"match: {{}}, {SYSTEM}",
}


@pytest.mark.parametrize(("code", "rule"), [(code, rule) for code, rules in FIRES.items() for rule in rules])
def test_warns(code, rule):
    assert codes(policy(rule)) == [code]


@pytest.mark.parametrize("name", SILENT)
def test_is_silent(name):
    assert codes(policy(SILENT[name])) == []


ALL = f"match: {{model: '*claude*'}}, {SYSTEM}"


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([f"{ALL}, stop: true", f"match: {{model: 'claude-3*'}}, targets: [tools], {MARK}"], ["PC314"]),
        ([f"{ALL}, stop: true", f"match: {{model: '*gpt*'}}, targets: [tools], {MARK}"], []),
        ([f"{ALL}, except: {{alias: a}}, stop: true", f"{ALL}"], []),
        ([ALL, ALL.replace("*claude*", "claude-3*")], ["PC315"]),
        ([ALL.replace("*claude*", "claude-3*"), ALL], []),
        ([ALL, ALL.replace("system", "tools")], []),
        (["action: {set: {prompt_cache_key: a}}", "action: {set: {prompt_cache_key: b}}"], ["PC315"]),
        (["action: {set: {prompt_cache_key: '{alias}'}}", "action: {set: {prompt_cache_key: b}}"], []),
        ([f"targets: [tools], {MARK}", f"targets: [system], {HOUR}"], ["PC318"]),
        (
            [
                f"match: {{alias: a}}, targets: [tools], {MARK}",
                f"match: {{alias: b}}, targets: [system], {HOUR}",
            ],
            [],
        ),
        ([f"targets: [system], {HOUR}", f"match: {{alias: a}}, targets: [tools], {MARK}"], ["PC318"]),
    ],
)
def test_rules_that_apply_together(rules, expected):
    assert codes(policy(*rules)) == expected


def test_a_policy_of_a_thousand_rules_is_reviewed():
    text = policy(*[f"match: {{alias: a{i}}}, {SYSTEM}" for i in range(1_400)])
    assert codes(text) == []


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_shipped_policies_give_no_reason(file):
    assert codes(file.read_bytes()) == []
