"""What `validate` warns of: rules that ask of providers what they do not take."""

from __future__ import annotations

import pytest

POLICY = "version: 1\nname: p\nrules:\n  - name: r\n    match: {match}\n{rest}"
MARK = "    targets: [system]\n    action: {add_cache_control: {}}\n"
HOUR = "    targets: [system]\n    action: {add_cache_control: {ttl: 1h}}\n"
TARGET = "    targets: [{at: system, ttl: 1h}]\n    action: {add_cache_control: {}}\n"
SPLIT = "    targets: [system]\n    action: {split_text: {at: x}}\n"
KEY = "    action: {set: {prompt_cache_key: k}}\n"
RETENTION = "    action: {set: {prompt_cache_retention: 24h}}\n"
CATALOG = """
version: 1
providers: {acme: {}}
routes:
  - {name: acme, providers: [acme], mechanism: none}
  - name: openai-automatic
    parameters: {prompt_cache_retention: {send: extra_body, values: [in_memory]}}
"""

WARNED = {
    "a prefixed model": (
        '{provider: openrouter, model: ["*x*", "openrouter/claude*"]}',
        MARK,
        "5:50: warning[PC319]: a model is named without its provider, so `openrouter/claude*` never matches",
    ),
    "a typo": (
        "{provider: [anthropic, anthropc]}",
        MARK,
        "5:35: warning[PC320]: the catalog has no provider `anthropc`, and nothing is done for it",
    ),
    "an unknown glob": (
        "{provider: acme*}",
        MARK,
        "5:23: warning[PC320]: the catalog has no provider `acme*`, and nothing is done for it",
    ),
    "a marker": (
        "{provider: [groq, xai]}",
        MARK,
        "7:33: warning[PC321]: no marker is sent to `groq`, `xai`",
    ),
    "caching that takes no marker": (
        "{caching: [automatic, none]}",
        MARK,
        "5:22: warning[PC321]: no marker is sent where caching is not `explicit`",
    ),
    "caching of no such provider": (
        "{provider: [groq, xai], caching: none}",
        KEY,
        "5:45: warning[PC330]: caching on `groq`, `xai` is `automatic`, so the rule never matches",
    ),
    "a split": ("{provider: groq}", SPLIT, "7:26: warning[PC321]: no marker is sent to `groq`"),
    "an hour": (
        "{provider: snowflake}",
        HOUR,
        "7:39: warning[PC322]: no route of `snowflake` takes `1h`: the marker is sent with `5m`",
    ),
    "an hour at a target": (
        "{provider: snowflake}",
        TARGET,
        "6:33: warning[PC322]: no route of `snowflake` takes `1h`: the marker is sent with `5m`",
    ),
    "a parameter": (
        "{provider: anthropic}",
        KEY,
        "6:38: warning[PC323]: `prompt_cache_key` does not reach `anthropic`",
    ),
    "a value": (
        "{provider: azure}",
        RETENTION,
        "6:44: warning[PC323]: no route of `azure`, `openai` takes `24h` for `prompt_cache_retention`",
    ),
}


@pytest.mark.parametrize("case", WARNED)
def test_warns(run, save, case):
    match, rest, expected = WARNED[case]
    file = save("p.yaml", POLICY.replace("{match}", match).replace("{rest}", rest))
    catalog = ["--catalog", save("catalog.yaml", CATALOG)] if case == "a value" else []
    ran = run("validate", "--output-format", "concise", *catalog, file)
    assert (ran.code, ran.out) == (0, f"p.yaml:{expected}\n")


@pytest.mark.parametrize(
    ("match", "rest"),
    [
        ("{model: gpt-4o}", MARK),
        ("{}", HOUR),
        ('{provider: "*"}', HOUR),
        ("{provider: bedrock}", HOUR),
        ("{provider: dashscope}", HOUR),
        ("{provider: [groq, anthropic]}", MARK),
        ("{provider: [anthropic, openai]}", KEY),
        ("{provider: deepinfra}", "    action: {remove_cache_control: {}}\n"),
        (
            "{provider: snowflake}",
            "    targets: [{at: system, ttl: 5m}]\n    action: {add_cache_control: {ttl: 1h}}\n",
        ),
        ("{provider: AZURE}", RETENTION),
        ("{provider: vertex_*}", MARK),
        ('{provider: openrouter, model: "anthropic/claude*"}', MARK),
    ],
)
def test_is_silent(run, save, match, rest):
    file = save("p.yaml", POLICY.replace("{match}", match).replace("{rest}", rest))
    assert run("validate", file).out == "Valid: 1 rule in 1 file.\n"


def test_an_operators_provider_is_known(run, save):
    file = save("p.yaml", POLICY.replace("{match}", "{provider: acme}").replace("{rest}", KEY))
    ran = run("validate", "--output-format", "concise", "--catalog", save("catalog.yaml", CATALOG), file)
    assert ran.out == "p.yaml:6:38: warning[PC323]: `prompt_cache_key` does not reach `acme`\n"


def test_an_invalid_policy_is_not_asked_further(run, save):
    file = save(
        "p.yaml", "version: 1\nname: p\nrules:\n  - {name: r, match: {provider: anthropc}, action: {}}\n"
    )
    assert "PC320" not in run("validate", file).out
