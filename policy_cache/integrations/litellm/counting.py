"""Counting prompts: GPT's with litellm's own tokenizer, Claude's at Anthropic's endpoint."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import litellm
import tiktoken

from policy_cache.forecast.counting import CountError, Uncountable
from policy_cache.integrations.litellm.wire import WireError, wire
from policy_cache.text.words import visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policy_cache.providers.resolve import Route

_KEY = "ANTHROPIC_API_KEY"
_BASES = ("ANTHROPIC_API_BASE", "ANTHROPIC_BASE_URL")
_KEY_CHARACTERS = re.compile(r"[!-~]+")
_VERSION = "2023-06-01"
_SECONDS = 60.0
_LONGEST_REASON = 200
# More than any prompt has; JSON has numbers that cannot be reckoned with.
_MOST_TOKENS = 10**9
# What the endpoint takes (anthropic's SDK, `MessageCountTokensParams`).
_COUNTED = frozenset(
    {
        *("model", "messages", "system", "tools", "tool_choice"),
        *("cache_control", "output_config", "speed", "thinking"),
    }
)
# Those that come with litellm; tiktoken would fetch others.
_PACKAGED = frozenset({"cl100k_base", "o200k_base"})
# Where a request went is the trace's word: a prompt and a key go where this process sends its own.
_ELSEWHERE = frozenset({"api_base", "base_url", "custom_llm_provider"})


class LitellmCounter:
    """Counts with what litellm brings: OpenAI's tokenizer, and what it would send to Anthropic.

    A prompt is sent to Anthropic, or where `ANTHROPIC_API_BASE` says, when it is counted, and never before.
    """

    def way(self, route: Route) -> str | None:
        """What counts the prompts on a route; None where nothing does so exactly.

        Raises:
            CountError: `ANTHROPIC_API_BASE` is no address.
        """
        if route.provider == "anthropic":
            host = _own_host()
            return "Anthropic's count_tokens" if host is None else f"count_tokens at {host}"
        if route.provider in ("openai", "azure") and _encoding(route.model) in _PACKAGED:
            return "litellm.token_counter"
        return None

    def count(self, request: Mapping[str, Any], route: Route) -> int:
        """The tokens of a request's prompt.

        Raises:
            Uncountable: litellm or Anthropic refuses this prompt.
            CountError: There is no key, or none that can be sent, or Anthropic does not answer.
        """
        return _at_anthropic(request, route) if route.provider == "anthropic" else _here(request, route)


def _encoding(model: str) -> str | None:
    try:
        return tiktoken.encoding_name_for_model(model)
    except KeyError:
        return None


def _here(request: Mapping[str, Any], route: Route) -> int:
    if route.shape != "chat":
        raise Uncountable("litellm.token_counter takes requests of the chat completions API alone")
    asked = {name: request.get(name) for name in ("messages", "tools", "tool_choice")}
    try:
        tokens: int = litellm.token_counter(model=route.model, **asked)
    except Exception as error:  # noqa: BLE001, whatever it meets with in a client's request
        raise Uncountable(f"litellm.token_counter refuses them ({type(error).__name__})") from None
    if tokens <= 0:
        raise Uncountable("litellm.token_counter is switched off")
    return tokens


def _at_anthropic(request: Mapping[str, Any], route: Route) -> int:
    key = os.environ.get(_KEY)
    if not key:
        raise CountError(
            f"--count-tokens has Anthropic count prompts of {visible(route.model)}, and found no {_KEY}: "
            f"set it, and {_BASES[0]} where another address shall count, or leave out --count-tokens"
        )
    if not _KEY_CHARACTERS.fullmatch(key):  # which is not shown, nor any part of it
        expected = "letters, digits and signs of ASCII"
        raise CountError(f"{_KEY} has a character that no key has: expected {expected}")
    asked = {name: value for name, value in request.items() if name not in _ELSEWHERE}
    try:
        sent = wire(asked, provider="anthropic", shape=route.shape).sent[-1]
    except WireError as error:
        raise Uncountable(str(error)) from None
    body = {name: value for name, value in sent.body.items() if name in _COUNTED}
    url = f"{sent.url}/count_tokens"
    try:
        with httpx.Client(timeout=_SECONDS) as client:
            answer = client.post(url, json=body, headers={"x-api-key": key, "anthropic-version": _VERSION})
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise CountError(f"{_host(url)}: no answer to count_tokens: {type(error).__name__}") from None
    return _counted(answer, _host(url))


def _counted(answer: httpx.Response, host: str) -> int:
    try:
        told = answer.json()
    except ValueError:
        told = None
    tokens = told.get("input_tokens") if isinstance(told, dict) else None
    if answer.is_success and type(tokens) is int and 0 < tokens <= _MOST_TOKENS:
        return tokens
    error = told.get("error") if isinstance(told, dict) else None
    said = error.get("message") if isinstance(error, dict) else None
    reason = f"{answer.status_code}" + (f": {visible(str(said)[:_LONGEST_REASON])}" if said else "")
    if answer.status_code in (400, 413):  # this prompt's own fault
        raise Uncountable(f"Anthropic's count_tokens answers {reason}")
    found = f"{reason} without one that can be right" if answer.is_success else reason
    raise CountError(f"{host}: expected a number from count_tokens, found {found}")


def _own_host() -> str | None:
    """The host that this process has count its prompts; None for Anthropic's own."""
    name = next(filter(os.environ.get, _BASES), None)
    if name is None:
        return None
    base = os.environ[name]
    try:
        _ = urlsplit(base).port  # which tells of brackets and ports that httpx takes
        url = httpx.URL(base)
    except (ValueError, httpx.InvalidURL):
        url = httpx.URL()
    if url.scheme not in ("http", "https") or not url.host:
        # It is not shown: an address may have a password.
        raise CountError(f"{name} is not the URL of a server: expected one as https://api.anthropic.com")
    return visible(url.host)


def _host(url: str) -> str:
    return visible(httpx.URL(url).host)
