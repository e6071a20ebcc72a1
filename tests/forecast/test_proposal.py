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


def choice(provider, model, prefix="1h", until=None):
    pauses = Pauses(requests=3, sessions=2, short=1)
    return Choice(
        provider, model, Candidate(prefix, "always", until=until), pauses, Totals(), Totals(), (), None
    )


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


@pytest.mark.parametrize("provider", ["anthropic", "{}"])
@pytest.mark.parametrize("name", ["model-{}", "\U000f0000" * 150 + "{}", "x" * 300 + "{}"])
@pytest.mark.parametrize(("prefix", "until"), [("1h", 44), ("5m", None), (None, None)])
def test_thousands_of_models_make_no_policy_that_is_too_large(provider, name, prefix, until):
    choices = [choice(provider.format(n), name.format(n), prefix, until) for n in range(3_000)]
    models = [Counted(name.format(n), missing="x" * 10_000) for n in range(3_000)]
    text = proposal(choices, "t.jsonl", models)
    found = loads(text).policy.rules
    assert bool(found) == (prefix is not None)
    assert "# Of 2,950 more models the reasons are left out.\n" in text
    assert "# Of 2,950 more models the same could be said.\n" in text
    assert text.count("requests in 2 sessions") <= 50


def test_those_with_the_most_requests_are_explained_and_all_that_there_is_room_for_have_rules():
    text = proposal([choice("anthropic", f"model-{n}") for n in range(60)], "t.jsonl")
    (of_all,) = {rule.match.model for rule in loads(text).policy.rules}
    assert sorted(of_all) == sorted(f"model-{n}" for n in range(60))
    assert [f"# anthropic/model-{n}: " in text for n in (0, 49, 50)] == [True, True, False]
    assert text.endswith("# Of 10 more models the reasons are left out.\n")


def test_a_model_whose_name_has_no_room_has_no_rule():
    text = proposal([choice("anthropic", "x" * 200_000), choice("anthropic", "b")], "t.jsonl")
    assert {rule.match.model for rule in loads(text).policy.rules} == {("b",)}
    assert text.endswith("# Of 1 more model there is no room for a rule.\n")
