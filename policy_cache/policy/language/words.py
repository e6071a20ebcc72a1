"""The fixed words of the policy language, each with its meaning, for the model, the checks and editors.

They stand apart from the model, which needs pydantic: to import that takes longer than to check a file.
"""

from __future__ import annotations

TARGETS = {
    "system": "The end of the system prompt, in any shape.",
    "system.stable": "The last block of the system prompt before the first with the target's `boundary`.",
    "tools": "The last tool that can carry a marker.",
    "messages.last": "The end of the conversation.",
    "messages.stable": "The end of the conversation before its volatile tail: system messages and reminders.",
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
    "auto": "Five minutes or an hour, whichever costs less by the pauses that were seen.",
}

MODES = {
    "enforce": "Send what the rules make of a request.",
    "observe": "Plan, log and count, and send every request untouched.",
}

CLIENT_MARKERS = {
    "keep": "The client's markers stay, and the policy adds to them.",
    "repair": "As `keep`, and what the provider would refuse or ignore is put right.",
    "stand_down": "A request that has markers is left alone.",
    "replace": "The client's markers are removed, and the policy's take their place.",
}

INJECTIONS = {
    "stand_down": "They are left to litellm, and the policy marks nothing.",
    "replace": "They go where the policy places a marker.",
}

SHAPES = {
    "chat": "The OpenAI format, with the system prompt among the messages.",
    "messages": "The Anthropic Messages API, with `system` beside the messages.",
    "responses": "OpenAI's Responses API, with `input` and `instructions`.",
}

CACHING = {
    "explicit": "It caches where a marker stands, and the marker reaches it.",
    "automatic": "It caches by itself, and takes no marker.",
    "none": "It caches nothing, or no marker reaches it.",
    "unknown": "The catalog does not know the model.",
}

RETENTIONS = {
    "in_memory": "Minutes, up to an hour.",
    "24h": "Up to a day.",
}

CACHE_MODES = {
    "implicit": "OpenAI chooses where to cache, beside the breakpoints.",
    "explicit": "Only breakpoints are cached; without one, nothing is.",
}

NAMED_TARGETS = tuple(TARGETS)

NEED_TARGETS = frozenset({"add_cache_control", "split_text"})
"""The actions that act at targets and nowhere else."""

TAKE_NO_TARGETS = frozenset({"set"})
"""The actions that are about the whole request."""

MAY_BE_BARE = frozenset({"add_cache_control", "remove_cache_control"})
"""The actions that have defaults for all they take: `add_cache_control:` alone is one."""
