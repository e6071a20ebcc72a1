"""Traces that have a prompt as sizes and hashes of its parts, and no text.

One object has a whole session: `tool_tokens`, `system_tokens`, and `requests` with `t` (seconds), `model`,
`out` and `hash_ids`, each the hash of `block_size` tokens of the prompt, in order. Two prompts share a prefix
as far as their hashes agree, and a turn ends where the prompt of an earlier request did.
"""

from __future__ import annotations

from itertools import pairwise
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import msgspec

from policy_cache.request.tokens import CHARS_PER_TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_MARK, _HEAD = b'"hash_id_scope"', 10_000
_UNIT = "x"


class _Request(msgspec.Struct):
    t: float = 0.0
    type: str = ""
    model: str = ""
    out: int = 0
    hash_ids: list[int] = []
    requests: list[_Request] = []
    tool_tokens: int = 0
    system_tokens: int = 0


class _Session(msgspec.Struct):
    id: str
    hash_id_scope: str
    requests: list[_Request]
    block_size: int = 64
    tool_tokens: int = 0
    system_tokens: int = 0


_session = msgspec.json.Decoder(_Session)


def expanded(lines: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    """The lines of a trace, those of such sessions as the requests that they hold.

    Equal parts get equal texts. Sessions share nothing, and follow each other.
    """
    start = 0.0
    for where, line in lines:
        if _MARK not in line[:_HEAD]:
            yield where, line
            continue
        try:
            session = _session.decode(line)
        except msgspec.DecodeError:
            yield where, line  # whoever reads it says what is wrong
            continue
        latest = start
        tools, system = session.tool_tokens, session.system_tokens
        requests = _conversation(session, session.requests, session.id, tools, system)
        for number, record in enumerate(sorted(requests, key=itemgetter("ts")), 1):
            latest = record["ts"] = start + record["ts"]
            yield f"{where}#{number}", msgspec.json.encode(record)
        start = latest + 1


def _conversation(
    session: _Session, requests: Sequence[_Request], name: str, tools: int, system: int
) -> Iterator[dict[str, Any]]:
    ends: list[int] = []
    before: list[int] = []
    for number, request in enumerate(requests):
        if request.type == "subagent":
            inner = f"{name}.{number}"
            yield from _conversation(
                session, request.requests, inner, request.tool_tokens, request.system_tokens
            )
            continue
        shared = _shared(before, request.hash_ids)
        ends = [end for end in ends if end <= shared]
        before = request.hash_ids
        ends.append(len(before))
        yield _record(session, request, name, ends, tools, system)


def _record(
    session: _Session, request: _Request, name: str, ends: Sequence[int], tools: int, system: int
) -> dict[str, Any]:
    ids, size = request.hash_ids, session.block_size
    first = min(round(tools / size), len(ids))
    second = min(first + round(system / size), len(ids))
    messages: list[dict[str, Any]] = []
    for start, end in pairwise([second, *(end for end in ends if end > second)]):
        # Where one request ended, the reply to it begins.
        reply = ids[start : start + 1] if messages else []
        if reply:
            messages.append({"role": "assistant", "content": _text(reply, size)})
        messages.append({"role": "user", "content": _text(ids[start + len(reply) : end], size) or "."})
    if not messages:
        messages.append({"role": "user", "content": "."})
    body: dict[str, Any] = {"model": request.model, "messages": messages}
    if first:
        body["tools"] = [
            {"name": "tools", "description": _text(ids[:first], size), "input_schema": {"type": "object"}}
        ]
    if second > first:
        body["system"] = _text(ids[first:second], size)
    return {
        "ts": request.t,
        "request": body,
        "usage": {"output_tokens": request.out},
        "scope": session.id,
        "session": name,
        "sized": True,
    }


def _shared(one: Sequence[int], other: Sequence[int]) -> int:
    """How many of the first hashes agree."""
    most = min(len(one), len(other))
    return next((index for index in range(most) if one[index] != other[index]), most)


def _text(ids: Sequence[int], size: int) -> str:
    """A text of as many tokens that says which blocks it is of."""
    wide = int(size * CHARS_PER_TOKEN)
    return "".join([f"{number:x} ".ljust(wide, _UNIT) for number in ids])
