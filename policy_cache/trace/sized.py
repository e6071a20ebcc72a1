"""Traces that have a prompt as sizes and hashes of its parts, and no text.

One object has a whole session: `tool_tokens`, `system_tokens`, and `requests` with `t` (seconds), `model`,
`out` and `hash_ids`, each the hash of `block_size` tokens of the prompt, in order. Two prompts share a prefix
as far as their hashes agree, and a turn ends where the prompt of an earlier request did.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeAlias

import msgspec

from policy_cache.request.tokens import CHARS_PER_TOKEN
from policy_cache.trace.formats import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_MARK, _HEAD = b'"hash_id_scope"', 10_000
_UNIT = "x"
# What no prompt has, and no session.
_MOST_TOKENS = 20_000_000
_DEEPEST = 50

_Tokens: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=100_000_000)]
_Seconds: TypeAlias = Annotated[float, msgspec.Meta(ge=-1e10, le=1e10)]


class _Request(msgspec.Struct):
    t: _Seconds = 0.0
    type: str = ""
    model: str = ""
    out: _Tokens = 0
    hash_ids: list[int] = []
    requests: list[_Request] = []
    tool_tokens: _Tokens = 0
    system_tokens: _Tokens = 0


class _Session(msgspec.Struct):
    id: str
    hash_id_scope: str
    requests: list[_Request]
    block_size: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 64
    tool_tokens: _Tokens = 0
    system_tokens: _Tokens = 0


class _Named(msgspec.Struct):
    """What tells that an object is meant for a session."""

    id: str
    hash_id_scope: str
    requests: list[msgspec.Raw]


_session = msgspec.json.Decoder(_Session)
_named = msgspec.json.Decoder(_Named)


class _Sized(NamedTuple):
    """A request, before it has texts; `ends` are those of earlier prompts of its conversation."""

    request: _Request
    conversation: str
    ends: Sequence[int]
    tools: int
    system: int


def expanded(lines: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, bytes | FormatError]]:
    """The lines of a trace, those of such sessions as the requests that they hold.

    Equal parts get equal texts. Sessions share nothing, and follow each other. What is wrong with a session
    stands in its place.
    """
    start = 0.0
    for where, line in lines:
        if _MARK not in line[:_HEAD]:
            yield where, line
            continue
        try:
            session = _session.decode(line)
            sized = [*_conversation(session, session.requests, session.id, _tokens_of(session), _DEEPEST)]
        except (msgspec.DecodeError, RecursionError) as error:
            yield where, _wrong(error, line)
            continue
        except FormatError as error:
            yield where, error
            continue
        latest = start
        for number, one in enumerate(sorted(sized, key=lambda one: one.request.t), 1):
            record = _record(session, one)
            latest = record["ts"] = start + one.request.t
            yield f"{where}#{number}", msgspec.json.encode(record)
        start = latest + 1


def _wrong(error: Exception, line: bytes) -> bytes | FormatError:
    """What is wrong with a session; the line itself where it may be anything else."""
    try:
        _named.decode(line)
    except (msgspec.DecodeError, RecursionError):
        return line  # whoever reads it says what is wrong
    if isinstance(error, RecursionError):
        return FormatError(_TOO_DEEP)
    return FormatError(f"no session of sizes and hashes: {str(error)[:1].lower()}{str(error)[1:]}")


_TOO_DEEP = "nested too deeply"


def _tokens_of(one: _Session | _Request) -> tuple[int, int]:
    return one.tool_tokens, one.system_tokens


def _conversation(
    session: _Session, requests: Sequence[_Request], name: str, tokens: tuple[int, int], depth: int
) -> Iterator[_Sized]:
    if not depth:
        raise FormatError(_TOO_DEEP)
    ends: list[int] = []
    before: list[int] = []
    for number, request in enumerate(requests):
        if request.type == "subagent":
            inner = f"{name}.{number}"
            yield from _conversation(session, request.requests, inner, _tokens_of(request), depth - 1)
            continue
        if len(request.hash_ids) * session.block_size > _MOST_TOKENS:
            raise FormatError(f"a prompt of over {_MOST_TOKENS:,} tokens")
        shared = _shared(before, request.hash_ids)
        before = request.hash_ids
        # One that is asked again ends where it did.
        ends = [end for end in ends if end <= shared and end != len(before)]
        ends.append(len(before))
        yield _Sized(request, name, ends, *tokens)


def _record(session: _Session, sized: _Sized) -> dict[str, Any]:
    request, size = sized.request, session.block_size
    ids, ends = request.hash_ids, sized.ends
    first = min(round(sized.tools / size), len(ids))
    second = min(first + round(sized.system / size), len(ids))
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
        "request": body,
        "usage": {"output_tokens": request.out},
        "scope": session.id,
        "session": sized.conversation,
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
