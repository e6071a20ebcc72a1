"""The one change that would have mended the misses of a group, and what it saves where that is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy_cache.misses.groups import CLIENT
from policy_cache.text.amounts import usd
from policy_cache.text.words import word

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from policy_cache.misses.difference import Cause
    from policy_cache.misses.groups import MissGroup

_OTHERS: Mapping[str, str] = {CLIENT: "the client's markers", "(litellm)": "litellm's marker"}

# In the words of who makes the request, where no policy can help.
CHANGES: Mapping[Cause, str] = {
    "model_switched": "none of a policy's; keep a session with one model",
    "tool_order": "send the tools in one order",
    "tool_added": "send all tools from the first request on",
    "tool_removed": "send all tools until the last request",
    "tool_changed": "move what changes out of the tools' definitions",
    "speed": "send one `speed` in all requests",
    "citations": "ask for citations in all requests, or in none",
    "system_changed": (
        "move what changes behind the system prompt, or `split_text` before it and mark `system`"
    ),
    "tool_choice": "send one `tool_choice` in all requests",
    "thinking": "send one `thinking` in all requests",
    "effort": "send one effort in all requests",
    "images": "none of a policy's; send images in all requests, or in none",
    "message_changed": "add to the conversation, and send what stands before as it was",
    "conversation_cut": "none of a policy's; cut back more at once, and less often",
    "below_minimum": "a target further behind, where there is enough to cache",
    "no_breakpoint": "a target there",
    "expired": "none of a policy's; at no lifetime that is on offer would it have been read",
    "lookback": "a breakpoint nearer",
    "not_readable_yet": "send it once the reply before has begun",
    "unexplained": "none that is known",
}
"""What mends each cause."""

_TOO_SMALL = "none of a policy's; there is too little to cache"


def change(group: MissGroup) -> str:
    """What to change: in the policy, or in the request."""
    if group.hour is not None:
        return f"`ttl: 1h` on {_names(group.hour.placers)}"
    return _TOO_SMALL if group.helpless else CHANGES[group.first.cause]


def mend(group: MissGroup) -> str:
    """What to change, and how many of the misses that mends, with what it saves, where that is known."""
    hour = group.hour
    if hour is None:
        return change(group)
    saves = ""
    if hour.saved is not None:
        amount = usd(abs(hour.saved), cents=True)
        saves = f", saves about {amount}" if hour.saved >= 0 else f", but costs about {amount} more in all"
    return f"{change(group)}: {hour.requests:,} of {group.requests:,}{saves}"


def _names(placers: Sequence[str]) -> str:
    """`a`, `b` and the client's markers."""
    names = [_OTHERS.get(placer) or f"`{word(placer)}`" for placer in placers] or ["its markers"]
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
