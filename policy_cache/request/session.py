"""Which conversation a request belongs to, and of which kind it is.

Told by samples, so that a prompt of any size costs the same. What stands for a request is a hash: no text is
kept.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, TypeAlias

from policy_cache.request.location import fields_of
from policy_cache.request.metadata import carried_metadata

if TYPE_CHECKING:
    from policy_cache.request.prompt import Prompt

_SAMPLE = 96
_SESSION_NAMES = ("session_id", "litellm_session_id", "conversation_id", "thread_id")


Samples: TypeAlias = "tuple[str | int, ...]"
"""Parts of a prompt: to be hashed, and not to be kept."""


def session_of(prompt: Prompt, model: str = "") -> bytes:
    """Eight bytes for the session that metadata names, or else for the first turn of a user."""
    return hashed((model, *samples(prompt)[2]))


def session_samples(prompt: Prompt) -> Samples:
    """What tells a conversation from others."""
    request = prompt.request
    if "metadata" in request or "litellm_metadata" in request:
        carried = carried_metadata(request)
        for name in _SESSION_NAMES:
            session = carried.get(name)
            if isinstance(session, str) and session:
                return "session", session
    messages = prompt.messages
    for index in range(prompt.leading, len(messages)):
        message = messages[index]
        if message.get("role") == "user":
            return "first", *_sample(message.get("content"))
    return ("none",)


def samples(prompt: Prompt) -> tuple[Samples, Samples, Samples]:
    """What tells conversations from others, taken once of a prompt.

    Returns:
        What is the same for agents that have as many tools and begin their system prompts alike; what is
        besides for those that share all of it, empty where there are neither; and what a conversation has
        for itself.
    """
    if prompt.samples is None:
        prompt.samples = *_kind_samples(prompt), session_samples(prompt)
    return prompt.samples


def _kind_samples(prompt: Prompt) -> tuple[Samples, Samples]:
    tools, leading = prompt.tools, prompt.leading
    first = prompt.messages[0].get("content") if leading else prompt.system
    if not tools and not first:
        return (), ()
    size, begins, ends = _sample(first)
    if leading > 1:
        size, _, ends = _sample(prompt.messages[leading - 1].get("content"))
    return (len(tools), _name(tools[0]) if tools else "", begins), (leading, size, ends)


def hashed(samples: Samples) -> bytes:
    """Eight bytes that stand for samples, the same in any process."""
    return blake2b("\0".join(map(str, samples)).encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _name(tool: object) -> str:
    fields = tool if type(tool) is dict else fields_of(tool) or {}
    name = fields.get("name") or (fields_of(fields.get("function")) or {}).get("name")
    return name[:_SAMPLE] if isinstance(name, str) else ""


def _sample(content: object) -> tuple[str | int, str, str]:
    """The size of a content, how it begins, and how it ends."""
    if isinstance(content, str):
        return len(content), content[:_SAMPLE], content[-_SAMPLE:]
    if not isinstance(content, (list, tuple)) or not content:
        return 0, "", ""
    first, last = (_text(part) for part in (content[0], content[-1]))
    return f"{len(content)} {len(first)} {len(last)}", first[:_SAMPLE], last[-_SAMPLE:]


def _text(part: object) -> str:
    text = (fields_of(part) or {}).get("text")
    return text if isinstance(text, str) else ""
