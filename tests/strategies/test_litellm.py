"""litellm's own marking, and the policies that say the same."""

from __future__ import annotations

import pytest

from policy_cache.integrations.litellm import wire
from tests.strategies.conversations import (
    AGENT,
    BLANK,
    BLANK_END,
    CONVERSATIONS,
    SMALL,
    assistant,
    marked,
    on_bedrock,
    ours,
    request,
    result,
    sent_under,
    system,
    text,
    user,
)
from tests.strategies.marks import marks

RULE = """
version: 1
name: points
rules:
  - name: points
    targets: {targets}
    action: {{add_cache_control: {{}}}}
"""


def theirs(given):
    return marks(wire({**given, "enable_prompt_caching": True}).sent[-1].body)


def with_points(given, *points):
    return marks(wire({**given, "cache_control_injection_points": list(points)}).sent[-1].body)


@pytest.mark.parametrize("route", ["anthropic", "azure_ai", "bedrock", "vertex_ai"])
@pytest.mark.parametrize("name", CONVERSATIONS)
def test_automatic_marks_what_the_policy_marks(name, route):
    given = CONVERSATIONS[name]
    if route == "bedrock":
        given = on_bedrock(given)
    elif route != "anthropic":
        given = {**given, "model": f"{route}/claude-sonnet-4-5"}
    found = theirs(given)
    assert found
    assert ours("litellm-automatic", given) == found


def test_automatic_stands_down_as_the_policy_does():
    given = request(system(text("SYSTEM")), user(marked("QUESTION")), assistant("ANSWER"), user("NEXT"))
    assert ours("litellm-automatic", given) == theirs(given) == [("user QUESTION", "5m")]


# Each conversation, the policy's marks, and litellm's.
FAULTS = {
    "litellm_marks_inside_a_result_of_blocks": (
        {**AGENT, "messages": [*AGENT["messages"][:3], result("call_1", text("RESULT", "MORE"))]},
        ["system SYSTEM", "result call_1"],
        ["system SYSTEM", "result call_1 inside MORE"],
    ),
    "litellm_marks_a_prompt_below_the_minimum": (SMALL, [], ["system SYSTEM", "user QUESTION"]),
    "litellm_marks_a_blank_system_block": (
        BLANK_END,
        ["system SECOND", "user QUESTION"],
        ["system BLANK", "user QUESTION"],
    ),
    "litellm_loses_the_marker_of_an_empty_system_block": (
        request(system([*text("FIRST", "SECOND"), {"type": "text", "text": ""}]), user("QUESTION")),
        ["system SECOND", "user QUESTION"],
        ["user QUESTION"],
    ),
    "litellm_marks_the_text_that_it_writes_for_a_blank_question": (
        request(system(text("SYSTEM")), user("QUESTION"), assistant("ANSWER"), user([BLANK])),
        ["system SYSTEM", "assistant ANSWER"],
        ["system SYSTEM", "user [System:"],
    ),
    "litellm_does_not_mark_a_developers_prompt": (
        request({"role": "developer", "content": text("DEVELOPER")}, user("QUESTION")),
        ["system DEVELOPER", "user QUESTION"],
        ["user QUESTION"],
    ),
    "litellm_marks_each_of_two_system_messages": (
        request(system(text("FIRST")), system(text("SECOND")), user("QUESTION")),
        ["system SECOND", "user QUESTION"],
        ["system FIRST", "system SECOND", "user QUESTION"],
    ),
    "litellm_marks_reminders_until_none_is_left_for_the_last_message": (
        request(
            system(text("SYSTEM")),
            *(
                turn
                for number in range(3)
                for turn in (user(f"Q{number}"), system(f"S{number}"), assistant(f"A{number}"))
            ),
            user("LAST"),
        ),
        ["system SYSTEM", "user LAST"],
        ["system SYSTEM", "user S0", "user S1", "user S2"],
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_automatic_differs(fault):
    given, policy, litellm = FAULTS[fault]
    assert ours("litellm-automatic", given) == [(name, "5m") for name in policy]
    assert theirs(given) == [(name, "5m") for name in litellm]


def test_litellm_marks_the_oldest_four_users():
    given = CONVERSATIONS["twelve_turns"]
    policy = RULE.format(targets="[\"$.messages[?@.role=='user']\"]")
    found = with_points(given, {"location": "message", "role": "user"})
    assert [name for name, _ in found] == ["user Q0", "user Q1", "user Q2", "user Q3"]
    planned = sent_under(policy, given)
    assert [name for name, _ in planned] == ["user Q9", "user Q10", "user Q11", "user LAST"]


def test_litellm_sends_a_5m_marker_before_a_1h_one():
    hour = {"location": "message", "role": "system", "control": {"type": "ephemeral", "ttl": "1h"}}
    policy = RULE.format(targets="[tools, {at: system, ttl: 1h}]")
    found = with_points(AGENT, {"location": "tool_config"}, hour)
    assert found == [("tool run_tests", "5m"), ("system SYSTEM", "1h")]
    assert sent_under(policy, AGENT) == [("tool run_tests", "5m"), ("system SYSTEM", "5m")]
