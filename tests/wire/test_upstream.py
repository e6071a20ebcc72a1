"""What is kept of the installed litellm is what it does."""

from __future__ import annotations

from policy_cache.providers.catalog import packaged_catalog
from tests.wire import upstream


def test_the_state_that_is_kept_is_current():
    assert upstream.text(upstream.state()) == upstream.KEPT.read_text(encoding="utf-8")


def test_every_model_that_caches_has_a_route():
    assert upstream.scan(packaged_catalog())["models that cache, and have no route"] == {}
