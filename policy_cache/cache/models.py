"""The model of a route's cache, and a prompt as that cache sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from policy_cache.cache.automatic import AutomaticModel
from policy_cache.cache.explicit import CacheModel
from policy_cache.cache.openai import OpenAIModel, openai_prompt
from policy_cache.cache.reading import marked
from policy_cache.providers.cache_rules import AutomaticRules, BreakpointRules, CacheRules, ExplicitRules

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from policy_cache.cache.entries import Entry
    from policy_cache.cache.explicit import CachePlan
    from policy_cache.cache.prompt import CachedPrompt
    from policy_cache.providers.resolve import Route
    from policy_cache.request.markers import ClientMarker
    from policy_cache.request.prompt import Prompt


class Model(Protocol):
    """A provider's cache."""

    entries: dict[bytes, Entry]

    def plan(self, prompt: CachedPrompt, now: float) -> CachePlan:
        """What a prompt would read and write."""

    def commit(self, plan: CachePlan, available: float) -> None:
        """It does, once the reply begins."""


def rules_for(route: Route, request: Mapping[str, object]) -> CacheRules | None:
    """How what is sent there is cached, as the request chooses; None where that is not known."""
    rules = route.cache
    return rules.chosen(request) if isinstance(rules, AutomaticRules) else rules


def caches(rules: CacheRules | None, request: Mapping[str, object]) -> bool:
    """Whether a request is cached at all."""
    return rules is not None and (not isinstance(rules, AutomaticRules) or rules.caches(request))


def model_of(rules: CacheRules) -> Model:
    """An empty cache that behaves so."""
    match rules:
        case ExplicitRules():
            return CacheModel(rules)
        case BreakpointRules():
            return OpenAIModel(rules)
        case AutomaticRules():
            return AutomaticModel(rules)


def as_sent(
    rules: CacheRules | None,
    prompt: CachedPrompt,
    sent: Prompt,
    markers: Sequence[ClientMarker],
    route: Route,
) -> CachedPrompt:
    """A prompt with the breakpoints that it has once a request was sent, which has these markers."""
    found = marked(prompt, markers, route)
    if not isinstance(rules, BreakpointRules):
        return found
    return openai_prompt(found, sent)
