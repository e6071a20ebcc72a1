"""The known models: litellm's own, and what is made of a name that is none of them."""

from __future__ import annotations

import pytest

from policy_cache.packaged import packaged_data
from policy_cache.policy.check.models import is_foreign, known_models, matching, meant_model, models_of
from tests.conftest import REPOSITORY
from tests.policy.known_models import page


def test_the_list_is_current():
    text = (REPOSITORY / "policy_cache" / "policy" / "check" / "models.txt").read_text(encoding="utf-8")
    assert text == page(), "make docs"


def test_their_providers_are_the_catalogs():
    assert set(known_models()) <= set(packaged_data()["providers"])


@pytest.mark.parametrize(
    ("glob", "meant"),
    [
        ("claude-opus-4.5*", "claude-opus-4-5*"),
        ("*cluade*", "*claude*"),
        ("claud-opus-*", "claude-opus-*"),
        ("*claude-sonett*", "*claude-sonnet*"),
        ("claude-opus-9*", None),
        ("*clau*", None),
        ("my-own-model", None),
    ],
)
def test_what_a_glob_was_meant_to_be(glob, meant):
    models = models_of(("anthropic",))
    assert meant_model(glob, models) == meant
    assert meant is None or matching((meant,), models)


@pytest.mark.parametrize(
    ("glob", "foreign"), [("gpt-4o*", True), ("claude-2*", False), ("*", False), ("o[1-9]*", False)]
)
def test_a_model_of_another_family(glob, foreign):
    assert is_foreign(glob, models_of(("anthropic",))) is foreign


@pytest.mark.parametrize("providers", [("azure",), ("anthropic", "hosted_vllm"), ("vertex_*",), ("acme",)])
def test_where_names_are_free_nothing_is_known(providers):
    assert models_of(providers) is None
