"""What differs between two plans of one request, on every route and shape."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy_cache import Engine
from policy_cache.providers.catalog import packaged_catalog
from policy_cache.review.change import changes, worse
from policy_cache.review.review import samples
from tests.policies import policies

ASKED = tuple(samples(packaged_catalog()))
OPPOSITE = {
    "added": "removed",
    "removed": "added",
    "set": "unset",
    "unset": "set",
    "split": "joined",
    "joined": "split",
}

LONG = "word " * 3_000


def engine(*rules, **more):
    return Engine.from_text(json.dumps({"version": 1, "name": "t", "rules": list(rules), **more}))


def mark(name, *targets, **action):
    return {"name": name, "targets": list(targets), "action": {"add_cache_control": action}}


def chat(*content, model="anthropic/claude-sonnet-4-5", **more):
    messages = [{"role": "system", "content": LONG}, *({"role": "user", "content": c} for c in content)]
    return {"model": model, "messages": messages, **more}


def differ(old, new, request):
    before, after = old.plan(request), new.plan(request)
    return [change[:5] for change in changes(before, after)], worse(before, after)


def test_every_route_with_an_example_is_asked_in_each_shape():
    asked = {
        (route.name, shape) for route in packaged_catalog().routes if route.example for shape in route.blocks
    }
    assert asked <= {tuple(where.split(", ")[:2]) for where, _, _ in ASKED}


@given(st.sampled_from(ASKED), policies(splitting=True), policies(splitting=True))
def test_something_differs_exactly_where_what_is_sent_does(asked, old, new):
    _, request, context = asked
    before, after = (Engine.from_text(json.dumps(data)).plan(request, **context) for data in (old, new))
    there, back = changes(before, after), changes(after, before)
    assert bool(there) is (before.request != after.request)
    assert len(set(there)) == len(there)
    for change in there:
        mirrored = (OPPOSITE.get(change.kind, change.kind), change.what)
        assert mirrored in {(other.kind, other.what) for other in back} or change.kind in (
            "ttl",
            "set",
            "split",
        )


@given(st.sampled_from(ASKED), policies())
def test_nothing_differs_from_the_same_policy_in_another_order_of_words(asked, data):
    _, request, context = asked
    renamed = {**data, "name": "other", "rules": [dict(reversed(rule.items())) for rule in data["rules"]]}
    before, after = (
        Engine.from_text(json.dumps(given)).plan(request, **context) for given in (data, renamed)
    )
    assert changes(before, after) == ()


def test_a_breakpoint_is_added_and_another_removed():
    old, new = engine(mark("a", "system")), engine(mark("b", "messages.last", ttl="1h"))
    assert differ(old, new, chat("q")) == (
        [("added", "messages.last", "b", "1h", ""), ("removed", "system", "a", "5m", "")],
        (),
    )


def test_a_lifetime():
    old, new = engine(mark("a", "system")), engine(mark("a", "system", ttl="1h"))
    assert differ(old, new, chat("q")) == ([("ttl", "system", "a", "1h", "5m")], ())


def test_another_rule_that_does_the_same_changes_nothing():
    old, new = engine(mark("a", "system")), engine(mark("b", "$.messages[0]"))
    assert differ(old, new, chat("q")) == ([], ())


def test_what_is_only_observed_is_not_sent():
    old, new = engine(), engine(mark("a", "system"), mode="observe")
    assert differ(old, new, chat("q")) == ([], ())


def test_a_clients_marker():
    marked = {"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}
    old, new = engine(), engine({"name": "r", "action": {"remove_cache_control": {}}})
    assert differ(old, new, chat([marked])) == (
        [("removed", "a client's marker on messages", "", "5m", "")],
        (),
    )


def test_a_parameter():
    old = engine()
    new = engine({"name": "k", "action": {"set": {"prompt_cache_key": "{metadata.user}"}}})
    request = chat("q", model="openai/gpt-5.1", metadata={"user": "secret"})
    assert differ(old, new, request) == ([("set", "prompt_cache_key", "k", "", "")], ())
    assert differ(new, old, request) == ([("unset", "prompt_cache_key", "k", "", "")], ())


def test_a_split_text():
    old = engine()
    new = engine({"name": "s", "targets": ["system"], "action": {"split_text": {"at": "## Today"}}})
    request = {
        "model": "anthropic/claude-sonnet-4-5",
        "messages": [{"role": "system", "content": f"{LONG}## Today"}, {"role": "user", "content": "q"}],
    }
    assert differ(old, new, request)[0] == [("split", "system", "s", "", "")]
    assert differ(new, old, request)[0] == [("joined", "system", "s", "", "")]


def marked(ttl="5m"):
    return [{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral", "ttl": ttl}}]


DEFERRED = {
    "type": "function",
    "function": {"name": "f", "parameters": {}},
    "defer_loading": True,
    "cache_control": {"type": "ephemeral"},
}
SHORT = "bedrock/anthropic.claude-3-7-sonnet-20250219-v1:0"


@pytest.mark.parametrize(
    ("request_", "fault"),
    [
        (chat(*[marked()] * 5), "refused"),
        (chat("q", tools=[DEFERRED]), "refused"),
        (chat(marked("1h"), model=SHORT), "lowered"),
        (chat(marked(), model="mistral/mistral-large-latest"), "lost"),
    ],
    ids=["five markers", "a deferred tool", "an hour where there is none", "nobody heeds it"],
)
def test_what_the_provider_would_no_longer_take(request_, fault):
    old = engine({"name": "r", "action": {"remove_cache_control": {}}}, client_markers="repair")
    new = engine(client_markers="keep")
    assert differ(old, new, request_)[1] == (fault,)
    assert differ(new, old, request_)[1] == ()


def test_a_lifetime_that_the_route_lowers():
    old, new = engine(mark("a", "system")), engine(mark("a", "system", ttl="1h"), mark("b", "messages.last"))
    assert differ(old, new, chat(LONG, model=SHORT))[1] == ("lowered",)
