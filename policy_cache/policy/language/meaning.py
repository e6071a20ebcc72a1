"""What the fixed words of the policy language mean: shown by editors, and on the reference page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

TARGETS = {
    "system": "The end of the system prompt, in either shape.",
    "tools": "The last tool that can carry a marker.",
    "messages.last": "The end of the conversation.",
    "messages.last_user": "The last turn of the user, never a tool result.",
    "messages.last_tool_result": "The last tool result.",
    "messages.previous_turn": "Where the request before this one ended: before the last assistant turn.",
    "request": "The request itself: Anthropic's automatic caching.",
}

TAKES = {
    "first": "The hit nearest the beginning.",
    "last": "The hit nearest the end.",
    "all": "Every hit.",
}

TTLS = {
    "5m": "Kept for five minutes after each use. Writing costs 1.25 times the input price on Claude.",
    "1h": "Kept for an hour after each use. Writing costs twice the input price on Claude.",
}

MODES = {
    "enforce": "Send what the rules make of a request.",
    "observe": "Plan, log and count, and send every request untouched.",
}

CLIENT_MARKERS = {
    "keep": "The client's markers stay, and the policy adds to them.",
    "stand_down": "A request that has markers is left alone.",
    "replace": "The client's markers are removed, and the policy's take their place.",
}

SHAPES = {
    "chat": "The OpenAI format, with the system prompt among the messages.",
    "messages": "The Anthropic Messages API, with `system` beside the messages.",
}

RETENTIONS = {
    "in_memory": "Minutes, up to an hour.",
    "24h": "Up to a day.",
}

CACHE_MODES = {
    "implicit": "OpenAI chooses where to cache, beside the breakpoints.",
    "explicit": "Only breakpoints are cached; without one, nothing is.",
}


def explained(meanings: Mapping[str, str]) -> dict[str, Any]:
    """The keyword by which editors explain an enum's values, in their order."""
    return {"enumDescriptions": list(meanings.values())}


def offered(meanings: Mapping[str, str]) -> dict[str, Any]:
    """The keyword by which editors offer words, each with its meaning, where other texts are valid too."""
    snippets = [{"label": word, "description": text, "body": word} for word, text in meanings.items()]
    return {"defaultSnippets": snippets}


def listed(meanings: Mapping[str, str]) -> str:
    """A Markdown list of words and their meanings."""
    return "\n".join(f"- `{word}`: {text}" for word, text in meanings.items())
