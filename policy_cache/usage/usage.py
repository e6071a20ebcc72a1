"""Cache usage: what a response says was read from the provider's cache and written to it.

Providers name these figures differently, and differ in which of them include which:

| usage of | reads and writes |
|---|---|
| litellm, OpenAI and what speaks like it, DeepSeek, DashScope, Moonshot | are part of `prompt_tokens` |
| OpenAI Responses, told by `input_tokens_details` | are part of `input_tokens` |
| Gemini | reads are part of `promptTokenCount` |
| Anthropic, and each of its `iterations` | come on top of `input_tokens` |
| Bedrock Converse | come on top of `inputTokens` |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from policy_cache.cache.explicit import CacheOutcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

Unreadable: TypeAlias = Literal["negative", "not_a_whole_number", "parts_exceed_prompt", "too_large"]
"""Why a figure was not taken as it stands."""

# No prompt is as large.
_MOST_TOKENS = 1_000_000_000

_Figure: TypeAlias = Literal[
    "read", "written", "write_5m", "write_1h", "prompt", "beside", "output", "thoughts"
]
_Path: TypeAlias = tuple[str, ...]


def _paths(*dotted: str) -> tuple[_Path, ...]:
    return tuple(tuple(path.split(".")) for path in dotted)


# Where a response, a chunk, an event or a callback's payload has its usage. The empty path: it is one.
_USAGES = (
    *_paths(
        "standard_logging_object.metadata.usage_object",  # what litellm's callbacks are given
        "metadata.usage_object",  # the standard logging object itself, whose own totals say less
        "usage",
        "usageMetadata",
        "usage_metadata",
        "message.usage",  # Anthropic's message_start
        "response.usage",  # OpenAI's response.completed
        "metadata.usage",  # the last event of a Converse stream
    ),
    (),
)

# A usage may give a figure under several names; the largest counts.
_FIGURES: Mapping[_Figure, tuple[_Path, ...]] = {
    "read": _paths(
        "cache_read_input_tokens",
        "prompt_tokens_details.cached_tokens",
        "input_tokens_details.cached_tokens",
        "prompt_cache_hit_tokens",
        "cached_tokens",
        "cacheReadInputTokens",
        "cachedContentTokenCount",
        "cached_content_token_count",
    ),
    "written": _paths(
        "cache_creation_input_tokens",
        "prompt_tokens_details.cache_write_tokens",
        "prompt_tokens_details.cache_creation_tokens",
        "prompt_tokens_details.cache_creation_input_tokens",
        "input_tokens_details.cache_write_tokens",
        "cacheWriteInputTokens",
    ),
    "write_5m": _paths(
        "cache_creation.ephemeral_5m_input_tokens",
        "prompt_tokens_details.cache_creation.ephemeral_5m_input_tokens",
        "prompt_tokens_details.cache_creation_token_details.ephemeral_5m_input_tokens",
    ),
    "write_1h": _paths(
        "cache_creation.ephemeral_1h_input_tokens",
        "prompt_tokens_details.cache_creation.ephemeral_1h_input_tokens",
        "prompt_tokens_details.cache_creation_token_details.ephemeral_1h_input_tokens",
    ),
    "prompt": _paths("prompt_tokens", "promptTokenCount", "prompt_token_count"),
    "beside": _paths("input_tokens", "inputTokens", "prompt_cache_miss_tokens"),
    "output": _paths(
        "completion_tokens",
        "output_tokens",
        "outputTokens",
        "candidatesTokenCount",
        "candidates_token_count",
    ),
    "thoughts": _paths("thoughtsTokenCount", "thoughts_token_count"),
}


# Where a usage counts the tools that the provider ran.
_TOOLS = ((), *_paths("server_tool_use", "prompt_tokens_details", "server_side_tool_usage_details"))
_RUNS = (
    *("web_search_requests", "web_fetch_requests", "code_execution_requests", "tool_search_requests"),
    *("web_search_calls", "x_search_calls", "code_interpreter_calls", "num_sources_used"),
)


# Anthropic's `iterations`, by their type: calls of the model that was asked, and of another one beside it.
# Behind any other, such as a compaction, calls have another prompt than the request's (anthropic's SDK,
# `BetaIterationsUsage`).
_CALL, _ADVICE = "message", "advisor_message"
_MOST_CALLS = 1_000


@dataclass(frozen=True, slots=True)
class CacheUsage:
    """The tokens of one request, by what they were billed as. Every token counts in one field.

    Attributes:
        read: Prompt tokens read from the cache.
        write_5m: Prompt tokens written for five minutes, or for as long as the provider does unasked.
        write_1h: Prompt tokens written for an hour.
        uncached: The rest of the prompt.
        output: Tokens of the reply, thinking included.
        summed: Whether it is the sum of several calls of the model: with tools that the provider runs, such
            as web search, each call reads what those before it wrote, and no figure is the prompt's size.
        calls: Each of those calls, in order; empty where that is not said.
        unreadable: What was wrong with the figures, each kind once. A figure that could not be read
            counts as 0.
    """

    read: int = 0
    write_5m: int = 0
    write_1h: int = 0
    uncached: int = 0
    output: int = 0
    summed: bool = False
    calls: tuple[CacheUsage, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()

    @property
    def first(self) -> CacheUsage | None:
        """The usage of the call whose prompt is the request's own; None where that is not known."""
        if self.calls:
            return self.calls[0]
        return None if self.summed else self

    @property
    def growths(self) -> tuple[int, ...]:
        """By how many tokens the prompt of each later call exceeds that of the first."""
        return tuple(max(0, call.prompt - self.calls[0].prompt) for call in self.calls[1:])

    @property
    def written(self) -> int:
        """Prompt tokens written to the cache."""
        return self.write_5m + self.write_1h

    @property
    def prompt(self) -> int:
        """The size of the whole prompt in tokens."""
        return self.read + self.written + self.uncached

    @property
    def outcome(self) -> CacheOutcome:
        """The prompt's tokens, by what happened to them."""
        return CacheOutcome(self.read, self.write_5m, self.write_1h, self.uncached)

    @classmethod
    def from_response(cls, response: object) -> CacheUsage | None:
        """The usage that a response reports; None where it reports none. Never raises.

        Args:
            response: A response, a usage, a stream's last chunk, the list of a stream's chunks or events,
                or what litellm gives its callbacks; as mappings or as objects of litellm or an SDK.
        """
        figures: dict[_Figure, int] = {}
        unreadable: set[Unreadable] = set()
        has_usage = summed = False
        calls: tuple[CacheUsage, ...] = ()
        for part in response if isinstance(response, list | tuple) else (response,):
            usage, reported = _reported(part)
            has_usage = has_usage or bool(reported)
            _take(reported, figures, unreadable)
            calls = max(calls, _calls(usage), key=len)
            summed = summed or _is_summed(usage)
        if not has_usage:
            return None
        return _usage(figures, unreadable, calls, summed=len(calls) > 1 if calls else summed)


def _calls(usage: object) -> tuple[CacheUsage, ...]:
    """The calls of the model that a usage has apart; none where their prompts are not the request's."""
    listed = _at(usage, ("iterations",))
    calls: list[CacheUsage] = []
    if not isinstance(listed, list) or len(listed) > _MOST_CALLS:
        return ()
    for part in listed:
        kind = _at(part, ("type",)) or _CALL
        if kind == _ADVICE:
            continue
        figures: dict[_Figure, int] = {}
        unreadable: set[Unreadable] = set()
        _take(_figures(part), figures, unreadable)
        call = _usage(figures, unreadable, (), summed=False)
        if kind != _CALL or unreadable or not call.prompt:
            return ()
        calls.append(call)
    return tuple(calls)


def _take(
    reported: Iterable[tuple[_Figure, object]], figures: dict[_Figure, int], unreadable: set[Unreadable]
) -> None:
    """Add figures as they stand in a usage to those that were read."""
    for figure, value in reported:
        tokens = _tokens(value)
        if isinstance(tokens, int):
            # Within a stream, counts only grow.
            figures[figure] = max(figures.get(figure, 0), tokens)
        else:
            unreadable.add(tokens)


def _usage(
    figures: Mapping[_Figure, int],
    unreadable: set[Unreadable],
    calls: tuple[CacheUsage, ...],
    *,
    summed: bool,
) -> CacheUsage:
    read, write_1h = figures.get("read", 0), figures.get("write_1h", 0)
    # Some say only the sum, some only the parts.
    written = max(figures.get("written", 0), figures.get("write_5m", 0) + write_1h)
    uncached = figures.get("beside", 0)
    if prompt := figures.get("prompt", 0):
        uncached = prompt - read - written
        if uncached < 0:
            unreadable.add("parts_exceed_prompt")
    return CacheUsage(
        read=read,
        write_5m=written - write_1h,
        write_1h=write_1h,
        uncached=max(uncached, 0),
        output=figures.get("output", 0) + figures.get("thoughts", 0),
        summed=summed,
        calls=calls,
        unreadable=tuple(sorted(unreadable)),
    )


def _reported(part: object) -> tuple[object, Sequence[tuple[_Figure, object]]]:
    """The first usage that a response, chunk or event has, and its figures as they stand there."""
    for path in _USAGES:
        usage = _at(part, path)
        if usage is not None and (figures := list(_figures(usage))):
            return usage, figures
    return None, ()


def _is_summed(usage: object) -> bool:
    """Whether a usage tells of tools that the provider ran, or of several calls."""
    calls = _at(usage, ("iterations",))
    if isinstance(calls, list) and len(calls) > 1:
        return True
    counts = (_at(usage, (*place, name)) for place in _TOOLS for name in _RUNS)
    return any(isinstance(count, int) and count > 0 for count in counts)


def _figures(usage: object) -> Iterator[tuple[_Figure, object]]:
    for figure, paths in _FIGURES.items():
        for path in paths:
            value = _at(usage, path)
            if value is not None:
                yield figure, value
    if _at(usage, ("input_tokens_details",)) is not None:
        value = _at(usage, ("input_tokens",))
        if value is not None:
            yield "prompt", value
    details = _at(usage, ("cacheDetails",))
    for detail in details if isinstance(details, list) else ():
        value = _at(detail, ("inputTokens",))
        if value is not None:
            yield ("write_1h" if _at(detail, ("ttl",)) == "1h" else "write_5m"), value


def _at(holder: object, path: _Path) -> object:
    """What stands at a path through mappings and objects; None where nothing does."""
    for name in path:
        try:
            holder = holder.get(name) if isinstance(holder, Mapping) else getattr(holder, name, None)
        except Exception:  # noqa: BLE001, code of someone else's object
            # An answer of which nothing can be read is counted and logged, as one whose usage is missing.
            return None
    return holder


def _tokens(value: object) -> int | Unreadable:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return "not_a_whole_number"
    if value < 0:
        return "negative"
    return value if value <= _MOST_TOKENS else "too_large"
