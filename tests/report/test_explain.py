"""What `explain` says of each reason, and of each way in which a path can miss."""

from __future__ import annotations

import pytest

from policy_cache.engine.reasons import REASONS
from policy_cache.report.plan.explain import explain
from policy_cache.report.plan.verdicts import verdicts, why_missed
from policy_cache.request.targets import NAMED
from policy_cache.text.styled import plain
from tests.engine.requests import (
    BARE,
    BEDROCK_37,
    BIG,
    HOUR,
    add,
    chat,
    engine,
    native,
    native_tool,
    text,
    tool,
)


def explained(rules, request):
    return plain(explain(rules.rules, rules.facts(request), rules.plan(request)))


def targets(rules, request):
    """The lines about targets, without the word."""
    said = explained(rules, request)
    return [line.removeprefix("      target ") for line in said.splitlines() if "      target " in line]


THINKING = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
USER = {"role": "user", "content": "q"}
MARKED = native([USER], tools=[native_tool(cache_control=HOUR)])

CASES = {
    "applied": (engine(add("system", "1h")), chat(), "system  applied (1h)  $['messages'][0]['content']"),
    "moved": (
        engine(add("'$.messages[1].content[1]'")),
        chat([USER, {"role": "assistant", "content": [text(BIG), THINKING]}]),
        None,
    ),
    "kept_client_marker": (
        engine(add("tools")),
        MARKED,
        "tools  kept_client_marker  $['tools'][0]: the client's own marker or value stays",
    ),
    "duplicate": (
        engine(add("system"), add("system")),
        native(),
        "system  duplicate  $['system']: $['system'] is marked already",
    ),
    "no_target": (engine(add("tools")), chat(), "tools  no_target  the request has no tools"),
    "not_markable": (
        engine(add("'$.model'")),
        chat(),
        "$.model  not_markable  $['model']: outside tools, system and messages",
    ),
    "below_minimum": (
        engine(add("messages.last")),
        chat([USER]),
        "messages.last  below_minimum  $['messages'][0]: claude-sonnet-4-5 caches from 1,024 tokens on",
    ),
    "over_budget": (
        engine(add("tools, system, messages.last")),
        native([{"role": "user", "content": [text("q", cache_control=BARE)] * 4}]),
        "system         over_budget         $['system']: all 4 breakpoints are used",
    ),
    "ttl_lowered": (
        engine(add("tools"), add("system", "1h")),
        chat(tools=[tool()]),
        "system  ttl_lowered (5m)  $['messages'][0]['content']: a 5m marker comes before it",
    ),
    "ttl_unsupported": (engine(add("tools", "1h")), chat(model=BEDROCK_37, tools=[tool()]), None),
    "provider_automatic": (
        engine(add("system")),
        chat(model="gpt-4o"),
        "system  provider_automatic  openai caches by itself",
    ),
    "provider_unsupported": (
        engine(add("system")),
        chat(model="super"),
        "system  provider_unsupported  the catalog has no route for an unknown provider with super",
    ),
    "route_drops_marker": (
        engine(add("request")),
        chat(model="bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        "request  route_drops_marker  $: a marker on the request itself does not reach the provider",
    ),
    "stood_down": (
        engine(add("system"), client_markers="stand_down"),
        MARKED,
        "system  stood_down  the client placed 1",
    ),
    "observed": (
        engine(add("system"), mode="observe"),
        native(),
        "system  observed (5m)  $['system']: would be applied",
    ),
}


@pytest.mark.parametrize("reason", CASES)
def test_every_reason_appears(reason):
    rules, request, said = CASES[reason]
    shown = targets(rules, request)
    assert any(f"  {reason}" in line for line in shown)
    assert said is None or said in shown


def test_every_reason_has_a_case():
    # What is repaired is no target's, and what was refused is known in a running router alone.
    assert set(CASES) == set(REASONS) - {"repaired", "refused"}


def test_moved_says_from_where():
    _, request, _ = CASES["moved"]
    (line,) = targets(engine(add("'$.messages[1].content[1]'")), request)
    assert line == (
        "$.messages[1].content[1]  moved (5m)  $['messages'][1]['content'][0]: "
        "from $['messages'][1]['content'][1]: at the nearest earlier block that can carry a marker"
    )


REQUEST = {
    "model": "m",
    "empty": [],
    "nothing": None,
    "number": 7,
    "messages": [{"role": "user", "content": "text"}, {"role": "user", "content": [{"type": "text"}]}],
}


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("$.tools[-1]", "stopped at `.tools`: the request has no `tools`"),
        ("$['to ols']", "stopped at `['to ols']`: the request has no `to ols`"),
        ("$.messages[5]", "stopped at `[5]`: $['messages'] has 2 elements"),
        ("$.messages[-3].content", "stopped at `[-3]`: $['messages'] has 2 elements"),
        ("$.empty[0]", "stopped at `[0]`: $['empty'] is an empty list"),
        ("$.empty[*]", "stopped at `[*]`: $['empty'] is an empty list"),
        ("$.messages[7:]", "stopped at `[7:]`: $['messages'] is a list of 2, and none matches"),
        (
            "$.messages[?@.role=='x']",
            "stopped at `[?@.role=='x']`: $['messages'] is a list of 2, and none matches",
        ),
        (
            "$.messages.content",
            "stopped at `.content`: $['messages'] is a list of 2, not an object: add an index, as in `[-1]`",
        ),
        ("$.messages[0][0]", "stopped at `[0]`: $['messages'][0] is an object, not a list"),
        ("$.messages[0].content[-1]", "stopped at `[-1]`: $['messages'][0]['content'] is a text, not a list"),
        (
            "$.messages[0].content.text",
            "stopped at `.text`: $['messages'][0]['content'] is a text, not an object",
        ),
        ("$.nothing.x", "stopped at `.x`: $['nothing'] is null, not an object"),
        ("$.number[0]", "stopped at `[0]`: $['number'] is int, not a list"),
        ("$..absent", "stopped at `..absent`: the request has no such name at any depth"),
        ("$.model", "the target is not in this request"),
        ("tools", "the request has no tools"),
        ("system", "the request has no system prompt"),
        ("messages.last", "no message follows the system prompt"),
        ("messages.last_user", "no user turn that is more than tool results"),
        ("messages.last_tool_result", "the conversation has no tool result"),
        (
            "messages.previous_turn",
            "nothing stands before an assistant turn: the conversation begins here",
        ),
    ],
)
def test_why_a_path_missed(path, said):
    assert why_missed(path, engine(add("system")).facts(REQUEST)) == said


def test_every_named_target_that_can_miss_says_why():
    facts = engine(add("system")).facts({"model": "m", "messages": []})
    missing = {name for name, find in NAMED.items() if not find(facts.prompt)}
    assert missing == set(NAMED) - {"request"}
    assert len({why_missed(name, facts) for name in missing}) == len(missing)


def test_many_alike_are_counted():
    blocks = [text("q") for _ in range(100)]
    request = native([{"role": "user", "content": blocks}])
    shown = targets(engine(add("'$.messages[0].content[*]'")), request)
    assert len(shown) == 4 + 3 + 1
    assert shown[4] == (
        "$.messages[0].content[*]  over_budget   $['messages'][0]['content'][95]: all 4 breakpoints are used"
    )
    assert shown[-1] == "$.messages[0].content[*]  over_budget   … and 93 more"


def test_a_rule_for_the_whole_request():
    request = native(system=[text(BIG, cache_control=HOUR)])
    rules = engine("action: {remove_cache_control: {}}")
    assert targets(rules, request) == ["the request  applied  1 removed"]
    assert explained(rules, request).endswith(
        "\nresult: 0 breakpoints added, 1 already present, 1 removed; 0 of 4 used.\n"
    )


def test_the_clients_markers_come_first():
    message = {"role": "user", "content": [text("q")], "cache_control": BARE}
    request = chat([{"role": "system", "content": [text(BIG, cache_control=HOUR)]}, message])
    said = explained(engine(add("system")), request).splitlines()
    assert said[1:3] == [
        "client marker at $['messages'][0]['content'][0] (1h)",
        "client marker at $['messages'][1] (takes no effect here)",
    ]


def test_the_verdicts_as_values():
    rules = engine(
        add("system", extra=", match: {provider: anthropic, model: gpt-*, messages: {min: 9}}"),
        add("system", extra=", except: {metadata: {kind: x}}, stop: true"),
        add("system"),
    )
    request = chat(metadata={"kind": "y"})
    first, second, third = verdicts(rules.rules, rules.facts(request), rules.plan(request))
    assert (first.outcome, [(v.name, v.holds) for v in first.match]) == (
        "no match",
        [("provider", True), ("model", False)],
    )
    assert (first.match[1].expected, first.match[1].seen) == ("gpt-*", "claude-sonnet-4-5")
    assert (second.outcome, [v.holds for v in second.veto]) == ("match", [False])
    assert [one.reason for one in second.placements] == ["applied"]
    assert (third.outcome, third.placements, third.stopper) == ("not reached", (), second.rule)


def test_long_and_hidden_values_are_cut_and_spelled_out():
    request = chat(metadata={"kind": "\x1b[31m" + "x" * 500})
    said = explained(engine(add("system", extra=", match: {metadata: {kind: y}}")), request)
    assert r"metadata.kind  '\x1b[31mx" in said
    assert "characters)  ~  y  NO (stopped here)\n" in said
    assert max(map(len, said.splitlines())) < 120


def test_no_text_of_the_prompt():
    secret = "hunter2 " * 700
    request = native(
        [
            {"role": "user", "content": secret},
            {"role": "user", "content": [text(secret, cache_control=BARE)]},
        ],
        system=secret,
        tools=[native_tool(description=secret)],
    )
    rules = engine(
        add(
            "tools, system, messages.last, '$.messages[1].content[1]', '$.system.x', request",
            extra=", match: {exists: '$.system', missing: '$.messages[?@.content==1]', tokens: {min: 1}}",
        )
    )
    assert "hunter2" not in explained(rules, request)


def test_a_split_says_what_it_risks():
    warning = (
        "      a split changes what is sent: begun in mid-conversation, it fails the provider's check of the "
        "prefix before thinking blocks\n"
    )
    split = "targets: [system], action: {split_text: {at: '## Today'}}"
    request = chat([{"role": "system", "content": BIG + "## Today"}, {"role": "user", "content": "q"}])
    assert warning in explained(engine(split), request)
    assert warning not in explained(engine(split), chat())
    assert warning not in explained(engine(add("system")), request)
