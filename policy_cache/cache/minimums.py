"""The smallest prefix that is cached, in tokens, per model.

From platform.claude.com, "Prompt caching"; Bedrock's own table asks for more on a few models.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from policy_cache.providers.claude import claude_name

DEFAULT_MINIMUM = 1024
"""Taken for a model without a row, as litellm does."""

_MINIMUMS: tuple[tuple[str, int], ...] = (
    ("claude-fable-5", 512),
    ("claude-mythos-5", 512),
    ("claude-fable-5-1", 512),
    ("claude-mythos-5-1", 512),
    ("claude-fable-5-2", 512),  # not stated; as the rest of its family
    ("claude-mythos-5-2", 512),  # likewise
    ("claude-opus-5", 512),
    ("claude-opus-5-5", 512),
    ("claude-sonnet-5-5", 512),
    ("claude-haiku-5-5", 512),
    ("claude-sonnet-5", 1024),
    ("claude-opus-4-8", 1024),
    ("claude-sonnet-4-6", 1024),  # anthropic-sdk-python#1194 saw nothing cached below 2048
    ("claude-sonnet-4-5", 1024),
    ("claude-opus-4-1", 1024),
    ("claude-opus-4-7", 2048),  # Bedrock: 4096
    ("claude-mythos-preview", 2048),  # Bedrock: 4096
    ("claude-3-5-haiku", 2048),
    ("claude-3-haiku", 2048),
    ("claude-opus-4-[56]", 4096),
    ("claude-haiku-4-5", 4096),
    ("claude-4-5-haiku", 4096),
)


def minimum_tokens(model: str) -> int:
    """The smallest prefix that is cached for a model; a smaller one is silently not cached."""
    name = claude_name(model)
    if name is not None:
        for pattern, minimum in _MINIMUMS:
            if fnmatchcase(name, pattern):
                return minimum
    return DEFAULT_MINIMUM
