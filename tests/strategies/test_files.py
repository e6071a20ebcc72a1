"""Each strategy is a short, valid policy that places exactly the markers it is known for."""

from __future__ import annotations

import pytest

from policy_cache import Engine
from policy_cache.policy.load import load
from policy_cache.request.location import normalized
from tests.strategies.conversations import AGENT, STRATEGIES, marked, ours, system, text, user

MARKER = {"type": "ephemeral"}
TOOL = "$['tools'][2]"
SYSTEM = "$['messages'][0]['content'][0]"
RESULT = "$['messages'][3]"
ANSWER = "$['messages'][4]['content'][0]"
LAST = "$['messages'][5]['content'][0]"
REQUEST = "$"
PLACES = {
    "anthropic-automatic": [REQUEST],
    "bifrost": [SYSTEM],
    "hermes": [SYSTEM, RESULT, ANSWER, LAST],
    "langchain": [TOOL, SYSTEM, REQUEST],
    "litellm-automatic": [SYSTEM, LAST],
    "pydantic-ai": [TOOL, SYSTEM, REQUEST],
    "seed": [TOOL, SYSTEM],
    "strands": [TOOL, SYSTEM, LAST],
}
FILES = sorted(file for file in STRATEGIES.glob("*.yaml") if ".test." not in file.name)


def markers(value, here=()):
    """Every marker in a request, and the location of what carries it."""
    if isinstance(value, dict) and "cache_control" in value:
        yield normalized(here), value["cache_control"]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from markers(item, (*here, key))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_strategy_is_valid_and_has_at_most_fifteen_lines(file):
    loaded = load(file)
    assert loaded.warnings == ()
    assert loaded.policy.name == file.stem
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 15


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_strategy_marks_its_places_on_an_agents_request(file):
    plan = Engine.from_file(file).plan(AGENT)
    assert dict(markers(plan.request)) == dict.fromkeys(PLACES[file.stem], MARKER)
    assert not list(markers(AGENT))


def test_every_strategy_is_among_these():
    assert [file.stem for file in FILES] == sorted(PLACES)


def test_a_strategy_that_stands_down_leaves_a_marked_request_alone():
    messages = [AGENT["messages"][0], user(marked("QUESTION")), *AGENT["messages"][2:]]
    for strategy in ("litellm-automatic", "bifrost"):
        plan = Engine.from_file(STRATEGIES / f"{strategy}.yaml").plan({**AGENT, "messages": messages})
        assert not plan.changed
        assert {placement.reason for placement in plan.placements} == {"stood_down"}


def test_hermes_takes_four_messages_where_there_is_no_system_prompt_and_none_of_the_clients_markers():
    messages = [user(marked("QUESTION")), *AGENT["messages"][2:]]
    given = {**AGENT, "messages": messages}
    expected = ["call call_1", "result call_1", "assistant ANSWER", "user NEXT"]
    assert [name for name, _ in ours("hermes", given)] == expected


def test_bifrost_takes_the_first_of_two_blocks():
    given = {**AGENT, "messages": [system(text("FIRST", "SECOND")), *AGENT["messages"][1:]]}
    assert ours("bifrost", given) == [("system FIRST", "5m")]
