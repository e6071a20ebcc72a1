"""Tags: a number in each block of a request, by which its blocks are told apart on the wire.

A generator writes `TAG` where a block has a text, and `number` counts them in prefix order. What litellm
makes of a request keeps them, however it renames, joins, nests and sorts the blocks.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

TAG = "[[]]"
"""Where a block's number goes."""

PIXEL_TAG = "TAG-TAG-"
"""The same within base64: eight of its characters."""

_TAGS = re.compile(r"\[\[(\d+)\]\]|TAG(\d{5})")
_REDACTED = re.compile(r'"redactedContent": "([^"]*)"')
_ANY = re.compile(r"\[\[\]\]|TAG-TAG-")


def number(request: dict[str, Any]) -> dict[str, Any]:
    """A request with its tags counted from 0, in prefix order: tools, system, messages."""
    count = 0

    def tag(match: re.Match[str]) -> str:
        nonlocal count
        count += 1
        return f"[[{count - 1}]]" if match[0] == TAG else f"TAG{count - 1:05d}"

    def walk(value: Any) -> Any:
        if isinstance(value, str):
            return _ANY.sub(tag, value)
        if isinstance(value, list):
            return [walk(item) for item in value]
        if isinstance(value, dict):
            return {name: walk(value[name]) for name in in_order(value)}
        return value

    numbered: dict[str, Any] = walk(request)
    return numbered


def tags(value: object) -> list[int]:
    """The tags within a value, in its own order; Converse carries redacted thinking in base64."""
    written = json.dumps(value, default=str)
    if "redactedContent" in written:
        written = _REDACTED.sub(lambda match: b64decode(match[1]).decode(), written)
    return [int(text or pixel) for text, pixel in _TAGS.findall(written)]


_ORDER = (
    "toolConfig",
    "tools",
    "instructions",
    "system",
    "messages",
    "input",
    "thinking_blocks",
    "content",
    "tool_calls",
)


def in_order(value: Mapping[str, Any]) -> list[str]:
    return sorted(value, key=lambda name: _ORDER.index(name) if name in _ORDER else -1)
