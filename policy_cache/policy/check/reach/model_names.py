"""Models that a rule asks for and that none of its providers has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy_cache.policy.check.cover import texts_of
from policy_cache.policy.check.finding import Finding
from policy_cache.policy.check.models import is_foreign, known_models, matching, meant_model, models_of
from policy_cache.policy.check.rules import rules_of
from policy_cache.policy.check.walk import texts
from policy_cache.text.words import listed, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policy_cache.policy.text.source import Source


def unknown_models(source: Source) -> Iterator[Finding]:
    """PC326: a model glob matches no known model, and a similar one does.

    Known are the models of litellm's own map. Of a version that is merely unknown, nothing is said, and
    nothing where names are free, as for deployments on Azure.

    Bad:
        match: {provider: anthropic, model: "claude-opus-4.5*"}
    Good:
        match: {provider: anthropic, model: "claude-opus-4-5*"}
    """
    for rule in rules_of(source):
        providers = texts_of(rule.match["provider"]) if rule.match.get("provider") else ()
        models = models_of(providers)
        if models is None:
            continue
        for at, glob in texts(rule.match.get("model"), (*rule.path, "match", "model")):
            if matching((glob,), models) or (providers and glob.partition("/")[0] in providers):
                continue
            if not glob.startswith("re:") and (close := meant_model(glob, models)):
                message = f"no known model matches {quoted(glob)}"
                yield Finding("PC326", message, at, f"did you mean {quoted(close)}?")
            elif others := _who_has(glob) if providers and is_foreign(glob, models) else ():
                many = len(providers) > 1
                whose = f"none of {listed(providers)} has a" if many else f"{quoted(providers[0])} has no"
                message = f"{whose} model {quoted(glob)}: this never matches"
                yield Finding("PC313", message, at, f"such models are at {listed(others)}")


def _who_has(glob: str) -> tuple[str, ...]:
    return tuple(provider for provider, models in known_models().items() if matching((glob,), models))
