"""What the provider refuses about cache markers (platform.claude.com, "Prompt caching").

The wording of each refusal is the provider's where it has been recorded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from policy_cache.cache.messages import marker_ttl, messages_prompt, nested_blocks
from policy_cache.emulator.errors import refusal
from policy_cache.emulator.schema import EXTRA, tag_of, unknown_tag

if TYPE_CHECKING:
    from policy_cache.cache.prompt import Ttl
    from policy_cache.request.location import Location

MOST_BREAKPOINTS = 4
SCOPE_BETA = "prompt-caching-scope-2026-01-05"

_MARKER = "cache_control"
_FOREIGN_MARKER = "prompt_cache_breakpoint"
_UNMARKABLE = ("thinking", "redacted_thinking")

Marked: TypeAlias = tuple["Location", "Ttl"]


def check_markers(request: Mapping[str, Any], *, betas: frozenset[str] = frozenset()) -> None:
    """Refuse a request for its markers.

    Args:
        request: A request whose shape has been checked.
        betas: The values of its `anthropic-beta` header.

    Raises:
        ApiError: The provider would refuse it.
    """
    marked: list[Marked] = []
    for at, block in _blocks(request):
        marked.extend(_markers_of(block, at, betas))
    if (automatic := _automatic(request, betas)) is not None:
        marked.append(automatic)
    if len(marked) > MOST_BREAKPOINTS:
        raise refusal(
            f"A maximum of {MOST_BREAKPOINTS} blocks with cache_control may be provided. Found {len(marked)}."
        )
    _check_order(marked)


def _blocks(request: Mapping[str, Any]) -> Iterator[tuple[Location, Mapping[str, Any]]]:
    """The blocks that are sent as such, in prefix order."""
    for index, tool in enumerate(request.get("tools") or []):
        yield ("tools", index), tool
    system = request.get("system")
    if isinstance(system, list):
        for index, block in enumerate(system):
            yield ("system", index), block
    for index, message in enumerate(request["messages"]):
        at: Location = ("messages", index)
        for key in (_MARKER, _FOREIGN_MARKER):
            if message.get(key) is not None:
                raise refusal(EXTRA, (*at, key))
        if isinstance(message["content"], list):
            for position, block in enumerate(message["content"]):
                if message.get("clear_at") is not None and marker_ttl(block) is not None:
                    raise refusal(
                        "cache_control cannot be set in a system message with clear_at",
                        (*at, "content", position),
                    )
                yield (*at, "content", position), block


def _markers_of(block: Mapping[str, Any], at: Location, betas: frozenset[str]) -> Iterator[Marked]:
    if block.get(_FOREIGN_MARKER) is not None:
        raise refusal(EXTRA, (*tag_of(block, at), _FOREIGN_MARKER))
    nested = _nested_marker(block, at, betas)
    if block.get(_MARKER) is None:
        if nested is not None:
            yield nested
        return
    kind = block.get("type")
    if kind in _UNMARKABLE:
        raise refusal(EXTRA, (*tag_of(block, at), _MARKER))
    ttl = _lifetime(block[_MARKER], (*tag_of(block, at), _MARKER), betas)
    if kind == "text" and not block["text"]:
        raise refusal("cache_control cannot be set for empty text blocks", (*at, "text"))
    if at[0] == "tools" and block.get("defer_loading") is True:
        raise refusal(
            f"Tool '{block.get('name')}' cannot have both defer_loading=true and cache_control set. "
            "Tools with defer_loading cannot use prompt caching."
        )
    caller = block.get("caller")
    if isinstance(caller, Mapping) and caller.get("type") != "direct":
        raise refusal("cache_control cannot be set for a programmatic tool call", at)
    yield at, ttl


def _nested_marker(block: Mapping[str, Any], at: Location, betas: frozenset[str]) -> Marked | None:
    """The marker on the last nested block, which counts as its parent's; any other is refused."""
    within: Location = ("source", "content") if block.get("type") == "document" else ("content",)
    nested = nested_blocks(block)
    for index, item in enumerate(nested):
        if not isinstance(item, Mapping) or item.get(_MARKER) is None:
            continue
        where = (*at, *within, index, _MARKER)
        if index < len(nested) - 1 or item.get("type") in _UNMARKABLE:
            raise refusal(f"invalid_cache: cache_control is not supported at {'.'.join(map(str, where))}")
        return at, _lifetime(item[_MARKER], where, betas)
    return None


def _automatic(request: Mapping[str, Any], betas: frozenset[str]) -> Marked | None:
    """The breakpoint of a top-level `cache_control`, unless it does nothing."""
    if request.get(_MARKER) is None:
        return None
    ttl = _lifetime(request[_MARKER], (_MARKER,), betas)
    prompt = messages_prompt({key: value for key, value in request.items() if key != _MARKER})
    if prompt.last_cacheable is None:
        return None
    own = prompt.blocks[prompt.last_cacheable].ttl
    if own is None:
        return (), ttl
    if own != ttl:
        raise refusal(
            f"ttl='{ttl}' conflicts with the ttl='{own}' cache_control of the last block", (_MARKER, "ttl")
        )
    return None


def _lifetime(marker: object, at: Location, betas: frozenset[str]) -> Ttl:
    if not isinstance(marker, Mapping):
        raise refusal("Input should be a valid dictionary or object to extract fields from", at)
    if "type" not in marker:
        raise refusal("Unable to extract tag using discriminator 'type'", at)
    if marker["type"] != "ephemeral":
        raise unknown_tag(marker["type"], ["ephemeral"], at)
    for key, value in marker.items():
        if key == "ttl":
            if value not in (None, "5m", "1h"):
                raise refusal("Input should be '5m' or '1h'", (*at, "ephemeral", "ttl"))
        elif key != "type" and not (key == "scope" and SCOPE_BETA in betas):
            raise refusal(EXTRA, (*at, "ephemeral", key))
    return "1h" if marker.get("ttl") == "1h" else "5m"


def _check_order(marked: list[Marked]) -> None:
    shorter_seen = False
    for at, ttl in marked:
        if ttl == "1h" and shorter_seen:
            raise refusal(
                "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. "
                "Note that blocks are processed in the following order: `tools`, `system`, `messages`.",
                (*at, _MARKER, "ttl"),
            )
        shorter_seen = shorter_seen or ttl == "5m"
