"""The diff of a plan: its heading, its edits, its summary."""

from __future__ import annotations

import pytest

from policy_cache import Engine
from policy_cache.engine.diff import diff, name_at, unified
from policy_cache.text.styled import ansi, plain
from tests.engine.requests import (
    BARE,
    BEDROCK,
    BIG,
    FIVE,
    HOUR,
    add,
    chat,
    engine,
    native,
    native_tool,
    policy,
    result,
    text,
    tool,
    tool_use,
)

CUT = "word word word word word word word word word wor… (5,000 characters)"
LONG = "the secret is hunter2 and must not be shown to anyone at all, ever, anywhere. " * 80


def whole(plan):
    return unified(plan.original, plan.request, ("request", "rewritten"))


def lines(plan):
    """The diff without its heading."""
    return plan.diff().split("\n\n", 1)[1].splitlines()


@pytest.mark.parametrize(
    ("model", "more", "said"),
    [
        (BEDROCK, {}, f"  {BEDROCK}  route bedrock-claude, chat"),
        ("gpt-4o", {}, "  openai/gpt-4o  route openai-automatic, chat"),
        ("claude-sonnet-4-5", {"system": "s"}, "  anthropic/claude-sonnet-4-5  route anthropic, messages"),
        ("super", {}, "  super  unknown provider, chat"),
        (
            "m\x1b[31m\n" + "x" * 100,
            {},
            f"  m\\x1b[31m\\n{'x' * 41}… (107 characters)  unknown provider, chat",
        ),
    ],
)
def test_heading(model, more, said):
    head = engine(add("system")).plan({"model": model, "messages": [], **more}).diff().split("\n\n")[0]
    assert head.startswith("policy <policy>@sha256:")
    assert len(head.split()[1]) == len("<policy>@sha256:") + 12
    assert head.endswith(said)


def test_the_heading_names_the_file_without_its_folders():
    rules = Engine.from_text(policy(add("system")), "/etc/router/policies/team.yaml")
    assert rules.plan(chat()).diff().startswith("policy team.yaml@sha256:")
    assert "a / system  (team.yaml:4)" in rules.plan(chat()).diff()


def test_blocks_have_names_and_columns_line_up():
    request = chat(
        [
            {"role": "developer", "content": BIG},
            {"role": "user", "content": "q"},
            {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "function": {"name": "g"}}]},
            result(0, name="g"),
        ],
        tools=[tool("look_up")],
    )
    plan = engine(add("tools, system, messages.previous_turn, messages.last")).plan(request)
    assert [line for line in lines(plan) if line.startswith("~")] == [
        "~ $['tools'][0]                \"look_up\"          a / tools  (<policy>:4)",
        "~ $['messages'][0]['content']  developer message  a / system  (<policy>:4)",
        "~ $['messages'][1]['content']  user message       a / messages.previous_turn  (<policy>:4)",
        "~ $['messages'][3]             \"g\"                a / messages.last  (<policy>:4)",
    ]


def test_names_of_every_kind_of_block():
    request = native(
        [{"role": "user", "content": [text("q")]}, {"role": "assistant", "content": [tool_use(0)]}],
        tools=[native_tool("g"), {"type": "function", "function": {"name": 7}}],
    )
    plan = engine(add("system")).plan(request)
    assert [
        name_at(plan, location)
        for location in [
            ("tools", 0),
            ("tools", 1),
            ("system",),
            ("messages", 0, "content", 0),
            ("messages", 1, "content", 0),
            (),
            ("prompt_cache_key",),
            ("extra_body", "prompt_cache_key"),
        ]
    ] == ['"g"', "", "system prompt", "user message", '"f"', "the request", "", ""]


def test_names_do_not_reach_the_terminal_raw():
    request = chat(
        [{"role": "user\x1b[31m\n" + "x" * 100, "content": [text(BIG)]}], tools=[tool("\x1b]0;t\x07\n")]
    )
    shown = engine(add("tools, messages.last")).plan(request).diff()
    assert "\x1b" not in shown
    assert r'"\u001b]0;t\u0007\n"' in shown
    assert r"user\x1b[31m\nx" in shown


def test_a_text_becomes_a_block():
    assert lines(engine(add("system", "1h")).plan(chat())) == [
        "~ $['messages'][0]['content']  system message  a / system  (<policy>:4)",
        f'  - "{CUT}"',
        f'  + [{{"type": "text", "text": "{CUT}",',
        '  +   "cache_control": {"type": "ephemeral", "ttl": "1h"}}]',
        "",
        "1 breakpoint added, 0 already present; 1 of 4 used.",
    ]


def test_one_is_replaced():
    request = native(system=[text(BIG, cache_control=HOUR)])
    assert lines(engine(add("system"), client_markers="replace").plan(request)) == [
        "~ $['system'][0]  system prompt  a / system  (<policy>:5)",
        '  - "cache_control": {"type": "ephemeral", "ttl": "1h"}',
        '  + "cache_control": {"type": "ephemeral"}',
        "",
        "0 breakpoints added, 1 already present, 1 replaced; 1 of 4 used.",
    ]


def test_one_is_removed():
    request = native(system=[text(BIG, cache_control=FIVE)])
    assert lines(engine("action: {remove_cache_control: {}}").plan(request)) == [
        "~ $['system'][0]  system prompt  a  (<policy>:4)",
        '  - "cache_control": {"type": "ephemeral", "ttl": "5m"}',
        "",
        "0 breakpoints added, 1 already present, 1 removed; 0 of 4 used.",
    ]


def test_one_that_litellm_loses_was_never_used():
    message = {"role": "user", "content": [text("q")], "cache_control": BARE}
    request = chat([{"role": "system", "content": BIG}, message])
    assert lines(engine("action: {remove_cache_control: {}}").plan(request))[-1] == (
        "0 breakpoints added, 0 already present, 1 removed; 0 of 4 used."
    )
    assert lines(engine(add("system")).plan(request))[-1] == (
        "1 breakpoint added, 0 already present, 1 without effect; 1 of 4 used."
    )


def test_a_split():
    request = native(system=f"{BIG}## Today is Monday")
    assert lines(engine('targets: [system], action: {split_text: {at: "## Today"}}').plan(request)) == [
        "~ $['system']  system prompt  a / system  (<policy>:4)",
        '  - "word word word word word word word word word wor… (5,018 characters)"',
        f'  + [{{"type": "text", "text": "{CUT}"}},',
        '  +  {"type": "text", "text": "## Today is Monday"}]',
        "",
        "0 breakpoints added, 0 already present, 1 text split; 0 of 4 used.",
    ]


def test_a_split_under_a_new_marker():
    request = native(system=[text(f"{BIG}## Today")])
    split = 'targets: [system], action: {split_text: {at: "## Today"}}'
    assert lines(engine(split, add("system")).plan(request)) == [
        "~ $['system'][0]  system prompt  b / system  (<policy>:5)",
        '  + "cache_control": {"type": "ephemeral"}',
        "~ $['system'][0]  system prompt  a / system  (<policy>:4)",
        f'  - {{"type": "text", "text": "{CUT.replace("5,000", "5,008")}"}}',
        f'  + [{{"type": "text", "text": "{CUT}"}},',
        '  +  {"type": "text", "text": "## Today"}]',
        "",
        "1 breakpoint added, 0 already present, 1 text split; 1 of 4 used.",
    ]


def test_a_split_keeps_the_clients_marker():
    request = native(system=[text("a ## Today", cache_control=HOUR)])
    assert lines(engine('targets: [system], action: {split_text: {at: "## Today"}}').plan(request))[1:] == [
        '  - {"type": "text", "text": "a ## Today",',
        '  -  "cache_control": {"type": "ephemeral", "ttl": "1h"}}',
        '  + [{"type": "text", "text": "a "},',
        '  +  {"type": "text", "text": "## Today",',
        '  +   "cache_control": {"type": "ephemeral", "ttl": "1h"}}]',
        "",
        "0 breakpoints added, 1 already present, 1 text split; 1 of 4 used.",
    ]


def test_a_split_takes_a_removed_marker_away():
    request = native(system=[text("a ## Today", cache_control=HOUR)])
    split = 'targets: [system], action: {split_text: {at: "## Today"}}'
    assert lines(engine(split, "action: {remove_cache_control: {}}").plan(request))[1:] == [
        '  - {"type": "text", "text": "a ## Today",',
        '  -  "cache_control": {"type": "ephemeral", "ttl": "1h"}}',
        '  + [{"type": "text", "text": "a "},',
        '  +  {"type": "text", "text": "## Today"}]',
        "",
        "0 breakpoints added, 1 already present, 1 removed, 1 text split; 0 of 4 used.",
    ]


def test_parameters():
    request = {"model": "gpt-4o", "messages": [], "prompt_cache_key": "j"}
    rule = "action: {set: {prompt_cache_key: k, prompt_cache_retention: 24h}}"
    assert lines(engine(rule, client_markers="replace").plan(request)) == [
        "~ $['prompt_cache_key']                      a  (<policy>:5)",
        '  - "j"',
        '  + "k"',
        "~ $['extra_body']['prompt_cache_retention']  a  (<policy>:5)",
        '  + "24h"',
        "",
        "0 breakpoints added, 0 already present, 2 parameters set.",
    ]


def test_observed():
    plan = engine(add("system"), mode="observe").plan(chat())
    assert lines(plan)[-1] == (
        "1 breakpoint added, 0 already present; 1 of 4 used. (observed only: the request is sent unchanged)"
    )
    assert whole(plan) == []


def test_five_of_the_clients():
    request = native([{"role": "user", "content": [text("q", cache_control=BARE) for _ in range(5)]}])
    refused = "The client placed 5 markers; the provider refuses a request with more than 4"
    assert lines(engine(add("system")).plan(request)) == [
        "0 breakpoints added, 5 already present; 5 of 4 used.",
        f"{refused}: `client_markers: replace` places the policy's instead.",
        "Not placed: 1 over_budget; `policy-cache explain` says why.",
    ]
    replaced = engine(add("system"), client_markers="replace").plan(request)
    assert lines(replaced)[-1] == "1 breakpoint added, 5 already present, 5 removed; 1 of 4 used."


def test_what_was_not_placed():
    plan = engine(add("messages.last_tool_result, system, '$.tools[3]', '$.model'")).plan(chat())
    assert lines(plan)[-1] == "Not placed: 2 no_target, 1 not_markable; `policy-cache explain` says why."


def test_no_rule_matches():
    plan = engine(add("system", extra=", match: {model: x}")).plan(chat())
    assert lines(plan) == [
        "0 breakpoints added, 0 already present; 0 of 4 used.",
        "No rule matches this request; `policy-cache explain` says why.",
    ]


def test_no_long_text_is_shown():
    request = native(
        [
            {"role": "user", "content": LONG},
            {"role": "assistant", "content": [tool_use(0, name=LONG)]},
            {"role": "user", "content": [text(LONG, cache_control={"type": LONG})]},
        ],
        system=LONG,
        tools=[native_tool(LONG, description=LONG)],
        metadata={"kind": LONG},
    )
    split = "targets: ['$.messages[0]'], action: {split_text: {at: 'anyone'}}"
    plan = engine(
        split, add("tools, system, '$.messages[0:2]', messages.last"), client_markers="replace"
    ).plan(request)
    assert len(plan.edits) == 6
    for shown in (plan.diff(), plain(whole(plan))):
        assert LONG[:40] in shown
        assert LONG[:65] not in shown


def test_a_plan_prints_the_same():
    plan = engine(add("system")).plan(chat())
    assert plan.diff() == plain(diff(plan))
    assert "\x1b[32m  + [" in ansi(diff(plan))


def test_messages_that_are_objects():
    from litellm.types.utils import Message

    message = Message(role="assistant", content=BIG)
    plan = engine(add("messages.last")).plan(chat([{"role": "user", "content": "q"}, message]))
    assert lines(plan)[0].startswith("~ $['messages'][1]['content']  assistant message  ")
    assert any('"cache_control"' in span.text and span.style == "added" for span in whole(plan))


def test_markers_that_share_a_block_use_one_breakpoint():
    tool = {"type": "function", "function": {"name": "f", "parameters": {}, "cache_control": BARE}}
    request = chat([{"role": "user", "content": "q"}], tools=[tool | {"cache_control": BARE}])
    plan = engine("match: {alias: none}, targets: [system], action: {add_cache_control: {}}").plan(request)
    assert "2 already present; 1 of 4 used." in plan.diff()


def test_a_clients_marker_beside_ours_that_has_no_effect_is_counted():
    own = [{"type": "text", "text": BIG, "cache_control": {"type": "ephemeral"}}]
    request = chat(
        [{"role": "system", "content": own}, {"role": "user", "content": "q"}], model="azure/gpt-5.6"
    )
    plan = engine(add("system")).plan(request)
    assert "1 breakpoint added, 0 already present, 1 without effect" in plan.diff()
