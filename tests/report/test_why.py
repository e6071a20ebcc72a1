"""One place of a request: who wanted it, who got it, or why nobody."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from policy_cache import Engine
from policy_cache.report.plan.explain import explain_place
from policy_cache.report.plan.spot import SpotError, locate
from policy_cache.report.plan.why import why
from policy_cache.request.location import fields_of, normalized
from policy_cache.text.styled import plain
from tests.engine.requests import BARE, BIG, HOUR, add, chat, engine, native, native_tool, text, tool
from tests.policies import policies
from tests.prompts import requests

THINKING = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
USER = {"role": "user", "content": "q"}
REPLY = {"role": "assistant", "content": [text(BIG), THINKING]}
MARKED = native([USER], tools=[native_tool(cache_control=HOUR)])
GEMINI = chat(
    [
        {"role": "system", "content": BIG},
        {"role": "user", "content": BIG},
        {"role": "assistant", "content": "q"},
    ],
    model="gemini/gemini-2.5-pro",
)


def answered(rules, request, spot):
    return why(locate(spot, request), rules.rules, rules.facts(request), rules.plan(request))


CASES = {
    "marked": (engine(add("system")), native(), "$['system']", "a marks it (5m)"),
    "marked inside": (
        engine(add("messages.last, system")),
        chat([USER, {"role": "user", "content": [text(BIG)]}]),
        "$['messages'][1]",
        "a marks it at $['messages'][1]['content'][0] (5m)",
    ),
    "marked around": (
        engine(add("tools")),
        chat(tools=[tool()]),
        "$['tools'][0]['function']",
        "a marks it at $['tools'][0] (5m)",
    ),
    "observed": (
        engine(add("system"), mode="observe"),
        native(),
        "$['system']",
        "a would mark it, and the policy only observes",
    ),
    "a run": (
        engine("match: {provider: gemini, model: '*gemini*'}, " + add("messages.last")),
        GEMINI,
        "$['messages'][0]",
        "a marks it, as a part of the run up to its breakpoint",
    ),
    "moved": (
        engine(add("messages.last")),
        chat([USER, REPLY]),
        "$['messages'][1]['content'][1]",
        (
            "named, but the marker moved to $['messages'][1]['content'][0]: $['messages'][1]['content'][1] "
            "is a `thinking` block of the role `assistant`, which carries none there on this route"
        ),
    ),
    "client": (
        engine(add("system")),
        MARKED,
        "$['tools'][0]",
        "the client marked $['tools'][0] (1h), and that stays",
    ),
    "client, removed": (
        engine("targets: [tools], action: {remove_cache_control: {}}"),
        MARKED,
        "$['tools'][0]",
        "the client marked $['tools'][0] (1h), and a rule takes that away",
    ),
    "client, lost": (
        engine(add("system")),
        chat([{"role": "user", "content": [text("q")], "cache_control": BARE}]),
        "$['messages'][0]",
        "the client marked $['messages'][0] (5m), and that takes no effect here",
    ),
    "over budget": (
        engine(add("tools, system")),
        native([{"role": "user", "content": [text("q", cache_control=BARE)] * 3}], tools=[native_tool()]),
        "$['system']",
        (
            "nobody marks it: over_budget, all 4 breakpoints are used: $['tools'][0] (a), "
            "$['messages'][0]['content'][0] (the client), $['messages'][0]['content'][1] (the client), "
            "$['messages'][0]['content'][2] (the client)"
        ),
    ),
    "below the minimum": (
        engine(add("messages.last")),
        chat([USER]),
        "$['messages'][0]",
        "nobody marks it: below_minimum, claude-sonnet-4-5 caches from 1,024 tokens on",
    ),
    "lost by the route": (
        engine(add("request")),
        chat(model="bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        "$",
        "nobody marks it: route_drops_marker, a marker on the request itself does not reach the provider",
    ),
    "stood down": (
        engine(add("system"), client_markers="stand_down"),
        MARKED,
        "$['system']",
        "nobody marks it: stood_down, the client placed 1",
    ),
    "another provider": (
        engine(add("system")),
        chat(model="gpt-4o"),
        "$['messages'][0]",
        "nobody marks it: the provider caches by itself, and takes no marker",
    ),
    "a rule that does not match": (
        engine(add("system", extra=", match: {model: gpt-4}")),
        native(),
        "$['system']",
        "nobody marks it: the rule does not match: model claude-sonnet-4-5 ~ gpt-4",
    ),
    "an exception": (
        engine(add("system", extra=", except: {stream: false}")),
        native(),
        "$['system']",
        "nobody marks it: the rule is excepted: its `except` applies",
    ),
    "a rule behind a stop": (
        engine(add("tools", extra=", match: {messages: {min: 1}}, stop: true"), add("system")),
        native(),
        "$['system']",
        "nobody marks it: the rule is not reached: `stop: true` in [1]",
    ),
    "other hits": (
        engine(add("{at: '$.messages[*]', take: last}")),
        native([USER, {"role": "assistant", "content": "a"}, USER]),
        "$['messages'][0]",
        "nobody marks it: `take: last` takes other hits",
    ),
    "not named": (
        engine(add("system")),
        native(),
        "$['messages'][0]",
        "nobody marks it: it can carry a marker, and no target of a matching rule names it",
    ),
    "outside": (
        engine(add("system")),
        native(),
        "$['model']",
        "nobody marks it: it is outside tools, system and messages",
    ),
    "no block": (
        engine(add("system")),
        native(),
        "$['messages'][0]['role']",
        "nobody marks it: it is no block of the prompt",
    ),
    "blank": (
        engine(add("system")),
        native([{"role": "user", "content": " "}]),
        "$['messages'][0]",
        "nobody marks it: $['messages'][0]['content'] is blank text",
    ),
    "deferred": (
        engine(add("system")),
        native(tools=[native_tool(defer_loading=True)]),
        "$['tools'][0]",
        "nobody marks it: $['tools'][0] is deferred",
    ),
    "a tool elsewhere": (
        engine(add("system")),
        chat(tools=[tool()], model="databricks/databricks-claude-sonnet-4-5"),
        "$['tools'][0]",
        "nobody marks it: $['tools'][0] is a tool, which carries none on this route",
    ),
    "a billing header": (
        engine(add("messages.last")),
        native(system=[text("x-anthropic-billing-header: a"), text(BIG)]),
        "$['system'][0]",
        "nobody marks it: $['system'][0] is the client's billing header",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_conclusion(case):
    rules, request, spot, said = CASES[case]
    assert answered(rules, request, spot).conclusion == said


def test_every_verdict_has_a_case():
    verdicts = {answered(*CASES[case][:3]).verdict for case in CASES}
    assert verdicts == {
        "marked",
        "client",
        "observed",
        "moved",
        "refused",
        "idle",
        "not_named",
        "not_markable",
    }


def test_who_wanted_it_in_which_order():
    rules = engine(add("system"), add("$.system, tools"), add("system", extra=", match: {stream: true}"))
    request = native()
    answer = answered(rules, request, "$['system']")
    assert plain(explain_place(answer, rules.plan(request))).splitlines()[2:] == [
        "why $['system']  system prompt, prefix up to it about 1,429 tokens",
        "      a / system    applied (5m)  $['system']  (<policy>:4)",
        "      b / $.system  duplicate     $['system']: $['system'] is marked already  (<policy>:5)",
        "      c / system    idle          the rule does not match: stream false ~ true  (<policy>:6)",
        "result: a marks it (5m).",
    ]


def places(value, here=()):
    """Every location in a request."""
    yield here
    members = enumerate(value) if isinstance(value, (list, tuple)) else (fields_of(value) or {}).items()
    for key, item in members:
        yield from places(item, (*here, key))


@pytest.mark.property
@given(policies(splitting=True), requests(3, objects=False), st.data())
def test_every_place_has_an_answer_and_a_mark_is_said(policy, request, data):
    rules = Engine.from_text(yaml.safe_dump(policy))
    plan, facts = rules.plan(request), rules.facts(request)
    every = list(places(request))
    location = data.draw(st.sampled_from(every))
    assert locate(normalized(location), request) == location
    assert not location or locate(normalized(location).removeprefix("$"), request) == location
    answer = why(location, rules.rules, facts, plan)
    assert answer.conclusion
    for one in plan.placements:
        if one.reason in {"applied", "moved"} and one.ttl is not None and one.at is not None:
            assert why(one.at, rules.rules, facts, plan).verdict == "marked"


@pytest.mark.parametrize(
    ("spot", "said"),
    [
        ("foo", "`foo` is not a normalized path, as in $['messages'][4] or $['tools'][0]"),
        ("$.messages[-1]", "`$.messages[-1]` is not a normalized path, did you mean $['messages'][1]?"),
        (
            "$.messages[7]",
            "`$.messages[7]` is not a normalized path, as in $['messages'][4] or $['tools'][0]",
        ),
        ("$['messages'][-1]", "`$['messages'][-1]` is not a normalized path, did you mean $['messages'][1]?"),
        (
            "$['messages'][01]",
            "`$['messages'][01]` is not a normalized path, as in $['messages'][4] or $['tools'][0]",
        ),
        (
            "$['messages'][2]",
            (
                "`$['messages'][2]` is not in the request: $['messages'] has 2 elements; the nearest "
                "place is $['messages'][1]"
            ),
        ),
        (
            "$['mesages'][0]",
            (
                "`$['mesages'][0]` is not in the request: the request has no `mesages`; the nearest place is "
                "$['messages']"
            ),
        ),
        (
            "$['zzz']",
            "`$['zzz']` is not in the request: the request has no `zzz`; the nearest place is $",
        ),
        (
            "$['messages']['role']",
            (
                "`$['messages']['role']` is not in the request: $['messages'] is a list, not an object; "
                "the nearest place is $['messages']"
            ),
        ),
        (
            "$['model'][0]",
            (
                "`$['model'][0]` is not in the request: $['model'] is a text, not a list; the nearest "
                "place is $['model']"
            ),
        ),
    ],
)
def test_what_is_no_place(spot, said):
    with pytest.raises(SpotError) as error:
        locate(spot, chat())
    assert str(error.value) == said


@given(st.recursive(st.none(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner)))
def test_every_place_is_found_by_its_normalized_path(value):
    for location in places(value):
        assert locate(normalized(location), value) == location
