"""Conditions that no request meets, or that say something else than was meant."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from policy_cache.diagnostics import Label
from policy_cache.policy.check.cover import covers, texts_of
from policy_cache.policy.check.meaning.walk import matches, rules, texts, warning
from policy_cache.policy.check.models import is_foreign, known_models, matching, meant_model, models_of
from policy_cache.text.words import listed, quoted, suggest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from policy_cache.diagnostics import Diagnostic
    from policy_cache.policy.text.source import Data, Source
    from policy_cache.text.span import Path

_FIRST_NAME = re.compile(r"\$(?:\.|\[['\"])([A-Za-z_]\w*)")
REQUEST_FIELDS = frozenset(
    {
        "api_base",
        "api_key",
        "audio",
        "betas",
        "container",
        "context_management",
        "extra_body",
        "extra_headers",
        "frequency_penalty",
        "function_call",
        "functions",
        "headers",
        "inference_geo",
        "litellm_metadata",
        "logit_bias",
        "logprobs",
        "max_completion_tokens",
        "max_tokens",
        "mcp_servers",
        "messages",
        "metadata",
        "modalities",
        "model",
        "n",
        "output_config",
        "parallel_tool_calls",
        "prediction",
        "presence_penalty",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "reasoning_effort",
        "response_format",
        "safety_identifier",
        "seed",
        "service_tier",
        "speed",
        "stop",
        "stop_sequences",
        "store",
        "stream",
        "stream_options",
        "system",
        "temperature",
        "thinking",
        "timeout",
        "tool_choice",
        "tools",
        "top_k",
        "top_logprobs",
        "top_p",
        "user",
        "verbosity",
        "web_search_options",
    }
)
"""What a chat completion or a Messages request may hold at its top."""


def conditions(source: Source) -> Iterator[Diagnostic]:
    """Review every match block."""
    for path, rule in rules(source):
        match, veto = rule.get("match"), rule.get("except")
        if isinstance(match, dict):
            yield from _contradictions(source, path, match, veto)
            yield from _models(source, path, match)
    for path, match in matches(source):
        yield from _fields(source, path, match)


def _contradictions(
    source: Source, path: Path, match: Mapping[str, Data], veto: Data
) -> Iterator[Diagnostic]:
    """PC313: conditions exclude each other, so that the rule never acts.

    A path both in `exists` and in `missing`; an `except` that holds wherever the `match` does; a share of
    0 percent; tools asked for where `tools` allows none; a model that none of the providers has.

    Bad:
        match: {model: "claude-3*"}
        except: {model: "*claude*"}
    Good:
        match: {model: "*claude*"}
        except: {model: "claude-3*"}
    """
    here = (*path, "match")
    missing = {text: at for at, text in texts(match.get("missing"), (*here, "missing"))}
    for at, text in texts(match.get("exists"), (*here, "exists")):
        if text in missing:
            span = source.span(missing[text])
            labels = (Label(span, "and must be missing"),) if span else ()
            yield warning(source, "PC313", f"{quoted(text)} must exist, and be missing", at, labels=labels)
        tools = match.get("tools")
        if text.startswith("$.tools[") and isinstance(tools, dict) and tools.get("max") == 0:
            span = source.span((*here, "tools", "max"))
            labels = (Label(span, "no tools"),) if span else ()
            message = f"{quoted(text)} is a tool, and `max` allows none"
            yield warning(source, "PC313", message, at, labels=labels)
    sample = match.get("sample")
    if isinstance(sample, dict) and sample.get("percent") == 0:
        at = (*here, "sample", "percent")
        yield warning(source, "PC313", "a share of 0 percent: the rule never acts", at)
    if isinstance(veto, dict) and veto and covers(veto, match):
        message = "`except` holds wherever `match` does: the rule never acts"
        yield warning(
            source, "PC313", message, (*path, "except"), "except less than what is matched", at_key=True
        )


def _models(source: Source, path: Path, match: Mapping[str, Data]) -> Iterator[Diagnostic]:
    """PC326: a model glob matches no known model, and a similar one does.

    Known are the models of litellm's own map. Of a version that is merely unknown, nothing is said, and
    nothing where names are free, as for deployments on Azure.

    Bad:
        match: {provider: anthropic, model: "claude-opus-4.5*"}
    Good:
        match: {provider: anthropic, model: "claude-opus-4-5*"}
    """
    providers = texts_of(match["provider"]) if match.get("provider") else ()
    models = models_of(providers)
    if models is None:
        return
    for at, glob in texts(match.get("model"), (*path, "match", "model")):
        if matching((glob,), models) or (providers and f"{glob.partition('/')[0]}" in providers):
            continue
        if not glob.startswith("re:") and (close := meant_model(glob, models)):
            message = f"no known model matches {quoted(glob)}"
            yield warning(source, "PC326", message, at, f"did you mean {quoted(close)}?")
        elif others := _who_has(glob) if providers and is_foreign(glob, models) else ():
            who = (
                f"none of {listed(providers)} has a"
                if len(providers) > 1
                else f"{quoted(providers[0])} has no"
            )
            message = f"{who} model {quoted(glob)}: this never matches"
            yield warning(source, "PC313", message, at, f"such models are at {listed(others)}")


def _who_has(glob: str) -> tuple[str, ...]:
    return tuple(provider for provider, models in known_models().items() if matching((glob,), models))


def _fields(source: Source, path: Path, match: Mapping[str, Data]) -> Iterator[Diagnostic]:
    """PC324: a path begins with a field that no request has.

    A request is what `litellm.completion` or Anthropic's Messages API takes. A field that neither has is
    reported where it is close to one that they have, and in a target always: markers go on tools, on the
    system prompt and on messages, and nowhere else.

    Bad:
        match: {exists: "$.tool[0]"}
    Good:
        match: {exists: "$.tools[0]"}
    """
    for field in ("exists", "missing"):
        for at, text in texts(match.get(field), (*path, field)):
            name = _FIRST_NAME.match(text)
            if name is None or name.group(1) in REQUEST_FIELDS:
                continue
            if close := suggest(name.group(1), REQUEST_FIELDS, cutoff=0.75):
                message = f"no request has {quoted(name.group(1))}"
                yield warning(source, "PC324", message, at, f"did you mean `$.{close}`?")
