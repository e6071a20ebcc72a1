"""A proposed policy as a file, whatever clients call their models."""

from __future__ import annotations

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from policy_cache.forecast.candidates import Candidate
from policy_cache.forecast.counting import Counted
from policy_cache.forecast.pauses import Pauses
from policy_cache.forecast.proposal import proposal
from policy_cache.forecast.tune import Choice
from policy_cache.policy.load import loads
from policy_cache.request.names import Names
from policy_cache.usage.totals import Totals

EVIL = "x\n  - name: evil\n    match: {}\n    action: {remove_cache_control: {}}\n# "
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


def choice(provider, model, prefix="1h", tail="always", requests=3):
    pauses = Pauses(requests=requests, sessions=2, short=1)
    return Choice(provider, model, Candidate(prefix, tail), pauses, Totals(), Totals(), (), None)


def rules(name):
    """What is proposed where a client chose a name: its rules, and its text."""
    choices = [
        choice("anthropic", name),
        choice("anthropic", "b"),
        choice(name, "c"),
        choice("openai", name, None),
    ]
    models = [Counted(name, missing=name), Counted(name, way=name, prompts=1)]
    text = proposal(choices, "t.jsonl", models)
    return loads(text).policy.rules, text


def done(rules):
    """What rules do, to whatever they match."""
    return sorted(f"{rule.targets} {rule.action} {len(rule.match.model)}" for rule in rules)


@pytest.mark.property
@example(EVIL)
@example("*")
@example("re:.*")
@example("[!a]")
@example("\u2028\x85\r\x00\ufeff\U0001f600")
@given(NAMES)
def test_a_models_name_is_no_more_than_a_name(name):
    assume(name.lower() not in {"b", "another"})
    found, text = rules(name)
    harmless, plain = rules("a")
    assert done(found) == done(harmless)
    assert len(text.splitlines()) == len(plain.splitlines())
    for match in (rule.match for rule in found):
        models, provider = Names(match.model, expressions=True), Names(match.provider)
        if len(match.model) == 1:
            assert (models.match("c"), provider.match(name), provider.match("another")) == (True, True, False)
        else:
            assert [models.match(other) for other in (name, "b", "another")] == [True, True, False]


def test_a_model_without_a_name_has_no_rule():
    assert loads(proposal([choice("anthropic", "")], "t.jsonl")).policy.rules == ()
