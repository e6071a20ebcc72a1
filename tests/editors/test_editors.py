"""What an editor offers and shows: by completion and hover alone, one can write a policy."""

from __future__ import annotations

from pathlib import Path

import pytest

from policy_cache.policy.language.model import Action, Match
from policy_cache.policy.language.words import MODES, TARGETS, TTLS

POLICIES = sorted(
    file
    for file in (Path(__file__).parents[2] / "policies").rglob("*.yaml")
    if not file.name.endswith(".test.yaml")
)
RULE = "version: 1\nname: team\nrules:\n  - name: prefix\n"
PATHS = ["$.tools[-1]", "$.messages[0].content[-1]"]
TEMPLATE = "policy-cache policy"  # all that a policy must have, with a place to fill in for each


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("|", ["version", "name", "enabled", "mode", "client_markers", "injection", "rules", TEMPLATE]),
        ("version: |", ["1"]),
        ("version: 1\nmode: |", ["enforce", "observe"]),
        ("version: 1\nclient_markers: |", ["keep", "repair", "stand_down", "replace"]),
        (RULE + "    |", ["description", "match", "except", "targets", "action", "stop", "Rule"]),
        (RULE + "    match:\n      |", list(Match.model_fields)),
        (RULE + "    except:\n      |", list(Match.model_fields)),
        (
            RULE + "    match:\n      provider: |",
            ["anthropic", '["anthropic","bedrock","vertex_ai","azure_ai"]'],
        ),
        (RULE + "    match:\n      model: |", ['"*claude*"', "re:claude-(opus|sonnet)-4.*"]),
        (RULE + "    match:\n      shape: |", ["chat", "messages", "responses"]),
        (RULE + "    match:\n      stream: |", ["true", "false"]),
        (RULE + "    match:\n      tokens:\n        |", ["min", "max"]),
        (
            RULE + "    match:\n      sample:\n        by: |",
            ["metadata.session_id", "headers.x-session-id", "alias", "model"],
        ),
        (RULE + "    targets: [|]", [*TARGETS, *PATHS]),
        (RULE + "    targets:\n      - |", ["at", "take", "ttl", "boundary", "Target", *TARGETS, *PATHS]),
        (RULE + "    targets:\n      - at: |", [*TARGETS, *PATHS]),
        (RULE + "    targets:\n      - at: system\n        take: |", ["first", "last", "all", "2"]),
        (RULE + "    action:\n      |", list(Action.model_fields)),
        (RULE + "    action:\n      add_cache_control: {ttl: |}", ["5m", "1h", "auto"]),
        (RULE + "    action:\n      split_text:\n        |", ["at", "Split a text"]),
        (
            RULE + "    action:\n      set:\n        |",
            [
                "prompt_cache_key",
                "prompt_cache_retention",
                "prompt_cache_options",
                "session_id",
                "providerOptions",
                "cache_salt",
                "headers",
            ],
        ),
        (RULE + "    action:\n      set:\n        prompt_cache_retention: |", ["in_memory", "24h"]),
        (RULE + "    stop: |", ["true", "false"]),
    ],
)
def test_what_may_be_written_is_offered(server, text, labels):
    assert sorted(server.complete(text)) == sorted(labels)


@pytest.mark.parametrize(
    "text",
    [
        "name: team\n|",
        "version: 1\nmode: |",
        "version: 1\nclient_markers: |",
        RULE + "    |",
        RULE + "    match:\n      |",
        RULE + "    match:\n      shape: |",
        RULE + "    match:\n      sample:\n        |",
        RULE + "    targets:\n      - |",
        RULE + "    action:\n      |",
        RULE + "    action:\n      add_cache_control: {ttl: |}",
        RULE + "    action:\n      set:\n        |",
        RULE + "    action:\n      set:\n        prompt_cache_options: {mode: |}",
    ],
)
def test_what_is_offered_is_explained(server, text):
    offers = server.complete(text)
    assert offers
    assert [label for label, said in offers.items() if not said and label not in PATHS] == []


def values(meanings, *words):
    return "Allowed Values:\n\n" + "".join(f"* `{word}`: {meanings[word]}\n" for word in words) + "\n"


def example(*texts):
    return "".join(f"Example:\n\n```yaml\n{value}\n```\n\n" for value in texts)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "version: 1\nmo|de: observe",
            "#### Mode\n\n`observe` plans, logs and counts, and sends every request untouched.\n\n"
            + values(MODES, "observe", "enforce"),
        ),
        (
            RULE + "    match: {mess|ages: {min: 3}}",
            "#### Messages\n\nHow many messages the request has.\n\n" + example("min: 2"),
        ),
        (
            RULE + '    match: {mo|del: "*claude*"}',
            "#### Model\n\n"
            "The model without its provider's prefix: a glob, or `re:` and an expression for RE2.\n\n"
            + example('"*claude*"', "re:claude-(opus|sonnet)-4.*"),
        ),
        (
            RULE + "    targets: [messages.pre|vious_turn]",
            "#### Target\n\n"
            "A place in the request: one of the named ones, a JSONPath, or a mapping that says more.\n\n"
            + "\n".join(f"- `{name}`: {meaning}" for name, meaning in TARGETS.items())
            + "\n\n"
            + example(*TARGETS, *PATHS),
        ),
        (
            RULE + "    action:\n      add_cache|_control: {}",
            "#### Add markers\n\nMark the targets as ends of cacheable prefixes.\n\n"
            + example("ttl: 1h", "{}"),
        ),
        (
            RULE + "    action:\n      add_cache_control: {t|tl: 1h}",
            "#### Lifetime\n\nHow long the provider keeps the entry; five minutes when left out.\n\n"
            + values(TTLS, "1h", "5m", "auto")
            + example("1h"),
        ),
    ],
)
def test_what_is_written_is_explained(server, text, shown):
    assert server.hover(text).partition("Source: ")[0] == shown


@pytest.mark.parametrize("file", POLICIES, ids=lambda file: file.stem)
def test_nothing_is_marked_in_a_packaged_policy(server, file):
    assert server.problems(file.read_text(encoding="utf-8"), file.as_uri()) == []


def test_mistakes_are_marked_where_they_are(server):
    text = (
        RULE + "    targets: [system, sytem]\n    action: {add_cache_control: {ttl: 2h}}\n    stopp: true\n"
    )
    assert sorted(line for line, _ in server.problems(text)) == [5, 6, 7]


def test_a_second_action_is_marked(server):
    text = RULE + "    action:\n      remove_cache_control: {}\n      set: {prompt_cache_key: team}\n"
    assert [line for line, _ in server.problems(text)] != []
    assert server.problems(text.replace("      set: {prompt_cache_key: team}\n", "")) == []
