"""What the provider refuses about cache markers (platform.claude.com, "Prompt caching").

The wording of each refusal is the provider's where it has been recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from policy_cache.cache.reading import messages_prompt, messages_route
from policy_cache.emulator.errors import refusal
from policy_cache.emulator.schema import EXTRA, tag_of, unknown_tag
from policy_cache.request.location import value_at
from policy_cache.request.markers import FOREIGN, KEY, MARKER_KEYS, holders
from policy_cache.request.prefix import last_effective
from policy_cache.request.prompt import Prompt, made_by_code

if TYPE_CHECKING:
    from policy_cache.cache.prompt import Ttl
    from policy_cache.request.location import Location

SCOPE_BETA = "prompt-caching-scope-2026-01-05"

_UNMARKABLE = ("thinking", "redacted_thinking")


def check_markers(request: Mapping[str, Any], *, betas: frozenset[str] = frozenset()) -> None:
    """Refuse a request for its markers.

    Args:
        request: A request whose shape has been checked.
        betas: The values of its `anthropic-beta` header.

    Raises:
        ApiError: The provider would refuse it.
    """
    prompt = Prompt(request, "messages")
    for holder in holders(prompt):
        if any(holder.fields.get(key) is not None for key in MARKER_KEYS):
            _check_place(prompt, holder.location, holder.fields, betas)
    marked = _marked(prompt)
    most = messages_route(str(request.get("model", ""))).breakpoints
    if len(marked) > most:
        raise refusal(f"A maximum of {most} blocks with cache_control may be provided. Found {len(marked)}.")
    _check_order(marked)


def _marked(prompt: Prompt) -> list[tuple[Location, Ttl]]:
    """The breakpoints in prefix order, the automatic one last and at `()`, unless it does nothing."""
    request = prompt.request
    explicit = messages_prompt({name: value for name, value in request.items() if name != KEY})
    marked = [(explicit.blocks[index].location, ttl) for index, ttl in explicit.breakpoints.items()]
    rules = messages_route(explicit.model).blocks
    last = None if request.get(KEY) is None else last_effective(prompt, rules)
    if last is None:
        return marked
    ttl, own = _ttl(request[KEY]), dict(marked).get(last.location)
    if own is None:
        return [*marked, ((), ttl)]
    if own != ttl:
        raise refusal(
            f"ttl='{ttl}' conflicts with the ttl='{own}' cache_control of the last block", (KEY, "ttl")
        )
    return marked


def _check_place(prompt: Prompt, at: Location, fields: Mapping[str, Any], betas: frozenset[str]) -> None:
    """Refuse a marker where none may stand, or one that is none."""
    if at == ():
        _check_marker(fields[KEY], (KEY,), betas)
        return
    if at[-1] in {"extra_body", "function"}:
        return
    if at[0] == "messages" and len(at) == 2:
        raise refusal(EXTRA, (*at, next(key for key in MARKER_KEYS if fields.get(key) is not None)))
    tagged = tag_of(fields, at)
    if fields.get(FOREIGN) is not None:
        raise refusal(EXTRA, (*tagged, FOREIGN))
    kind = fields.get("type")
    if len(at) > (4 if at[0] == "messages" else 2):
        if int(at[-1]) < len(value_at(prompt.request, at[:-1])) - 1 or kind in _UNMARKABLE:
            where = ".".join(map(str, (*at, KEY)))
            raise refusal(f"invalid_cache: cache_control is not supported at {where}")
        _check_marker(fields[KEY], (*at, KEY), betas)
        return
    if at[0] == "messages" and prompt.messages[int(at[1])].get("clear_at") is not None:
        raise refusal("cache_control cannot be set in a system message with clear_at", at)
    if kind in _UNMARKABLE:
        raise refusal(EXTRA, (*tagged, KEY))
    _check_marker(fields[KEY], (*tagged, KEY), betas)
    if kind == "text" and not fields["text"]:
        raise refusal("cache_control cannot be set for empty text blocks", (*at, "text"))
    if at[0] == "tools" and fields.get("defer_loading") is True:
        raise refusal(
            f"Tool '{fields.get('name')}' cannot have both defer_loading=true and cache_control set. "
            "Tools with defer_loading cannot use prompt caching."
        )
    if made_by_code(fields) or (kind == "tool_result" and prompt.is_programmatic(fields.get("tool_use_id"))):
        raise refusal("cache_control cannot be set for a programmatic tool call", at)


def _check_marker(marker: object, at: Location, betas: frozenset[str]) -> None:
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


def _ttl(marker: object) -> Ttl:
    return "1h" if isinstance(marker, Mapping) and marker.get("ttl") == "1h" else "5m"


def _check_order(marked: list[tuple[Location, Ttl]]) -> None:
    shorter_seen = False
    for at, ttl in marked:
        if ttl == "1h" and shorter_seen:
            raise refusal(
                "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. "
                "Note that blocks are processed in the following order: `tools`, `system`, `messages`.",
                (*at, KEY, "ttl"),
            )
        shorter_seen = shorter_seen or ttl == "5m"
