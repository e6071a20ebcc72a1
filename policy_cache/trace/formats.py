"""The formats of a trace: what one JSON object of each says of a request."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import msgspec

from policy_cache.errors import PolicyCacheError
from policy_cache.request.prompt import AREAS
from policy_cache.text.words import listed, quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

Fields: TypeAlias = "Mapping[str, msgspec.Raw]"

# Thousands of years from now; milliseconds since 1970 are beyond.
_LATEST = 1e11
_AREAS = frozenset(AREAS.values())
_PARAMETERS_LEFT_OUT = _AREAS | {"model"}


_RESPONSES = frozenset({"responses", "aresponses"})


class FormatError(PolicyCacheError):
    """A JSON object that is no record of a request."""


class Parts(NamedTuple):
    """A record, its members not decoded yet.

    Attributes:
        request: The keyword arguments of the call.
        usage: What holds the usage; None without.
        at: When the request started, in seconds since the epoch; None if that is not said.
        waited: Seconds until the reply began; 0 if that is not said.
        scope: What shares a cache.
        session: The conversation.
        sized: Whether its texts stand for sizes alone.
        policy: What the policy did.
    """

    request: Fields
    usage: msgspec.Raw | None = None
    at: float | None = None
    waited: float = 0.0
    scope: str | None = None
    session: str | None = None
    sized: bool = False
    policy: msgspec.Raw | None = None


_ABSENT = msgspec.Raw(b"")


class _Own(msgspec.Struct):
    """A record of a TraceRecorder, taken apart in one pass."""

    request: dict[str, msgspec.Raw]
    usage: msgspec.Raw = _ABSENT
    response: msgspec.Raw = _ABSENT
    ts: msgspec.Raw = _ABSENT
    scope: msgspec.Raw = _ABSENT
    session: msgspec.Raw = _ABSENT
    sized: msgspec.Raw = _ABSENT
    policy: msgspec.Raw = _ABSENT


_own_line = msgspec.json.Decoder(_Own)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_any = msgspec.json.Decoder()


def parts(line: bytes) -> Parts:
    """Tell a record's format by its members, and take it apart.

    Raises:
        FormatError: It is no object, or has none of the formats.
        msgspec.DecodeError: It is not JSON.
    """
    try:
        return _own(_own_line.decode(line))
    except msgspec.ValidationError:
        pass
    try:
        fields = _fields.decode(line)
    except msgspec.ValidationError:
        raise FormatError("expected an object") from None
    if "request" in fields:
        raise FormatError(f"expected an object for {quoted('request')}")
    if "messages" in fields:
        if "model_parameters" in fields and "startTime" in fields:
            return _litellm(fields)
        if "kwargs" in fields and "response" in fields:
            return _openhands(fields)
    if "model" in fields and not _AREAS.isdisjoint(fields):
        return Parts(fields)
    names = listed(sorted(fields)[:8]) if fields else "nothing"
    raise FormatError(
        f"expected `request`, or a request's own `model` and `messages` or `input`, found {names}; "
        "a line is a request, a record of a TraceRecorder, or of litellm's or OpenHands' log"
    )


def _own(line: _Own) -> Parts:
    given = ("ts", line.ts), ("scope", line.scope), ("session", line.session)
    fields = {name: raw for name, raw in given if raw}
    return Parts(
        request=line.request,
        usage=line.usage or line.response or None,
        at=_time(fields, "ts"),
        scope=_text(fields, "scope"),
        session=_text(fields, "session"),
        sized=bool(line.sized),
        policy=line.policy or None,
    )


def _litellm(fields: Fields) -> Parts:
    """The standard logging payload of litellm, as its callbacks and its loggers have it."""
    parameters = _optional_members(fields, "model_parameters")
    request = {name: value for name, value in parameters.items() if name not in _PARAMETERS_LEFT_OUT}
    area = "input" if _text(fields, "call_type") in _RESPONSES else "messages"
    request |= {"model": fields["model"], area: fields["messages"]}
    for name in ("custom_llm_provider", "api_base"):
        if _text(fields, name):
            request[name] = fields[name]
    metadata = _optional_members(fields, "metadata")
    group = _text(fields, "model_group")
    kept = dict(_optional_members(metadata, "requester_metadata"))
    if group:
        kept["model_group"] = fields["model_group"]
    if kept:
        request["metadata"] = msgspec.Raw(msgspec.json.encode(kept))
    started, began = _time(fields, "startTime"), _time(fields, "completionStartTime")
    return Parts(
        request=request,
        usage=metadata.get("usage_object") or fields.get("response"),
        at=started,
        waited=max(0.0, began - started) if started is not None and began is not None else 0.0,
        session=_text(fields, "trace_id") or None,
    )


def _openhands(fields: Fields) -> Parts:
    """OpenHands' log of a completion: its time is when the response had come."""
    kwargs = _optional_members(fields, "kwargs")
    response = _optional_members(fields, "response")
    request = {name: value for name, value in kwargs.items() if name not in _PARAMETERS_LEFT_OUT}
    request["messages"] = fields["messages"]
    if "tools" in fields:
        request["tools"] = fields["tools"]
    model = kwargs.get("model") or fields.get("model") or response.get("model")
    if model is None:
        raise FormatError("expected the model's name in `response`, found none")
    request["model"] = model
    came, took = _time(fields, "timestamp"), _time(fields, "latency_sec") or 0.0
    return Parts(
        request=request,
        usage=response.get("usage"),
        at=None if came is None else came - took,
        waited=took,
    )


def members(raw: msgspec.Raw, name: str) -> Fields:
    """The members of an object, not decoded yet.

    Raises:
        FormatError: It is none.
    """
    try:
        return _fields.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        raise FormatError(f"expected an object for {quoted(name)}") from None


def _optional_members(fields: Fields, name: str) -> Fields:
    raw = fields.get(name)
    return {} if raw is None or not bytes(raw).startswith(b"{") else members(raw, name)


def _text(fields: Fields, name: str) -> str | None:
    value = _any.decode(fields[name]) if name in fields else None
    return value if isinstance(value, str) and value else None


def _time(fields: Fields, name: str) -> float | None:
    """Seconds since the epoch, as a number, as text, or as a date (ISO 8601)."""
    value = _any.decode(fields[name]) if name in fields else None
    if value is None or isinstance(value, bool):
        return None
    try:
        seconds = float(value) if isinstance(value, int | float) else _moment(str(value))
    except (ValueError, OverflowError):
        raise FormatError(f"expected a time for {quoted(name)}: seconds, or a date") from None
    if not -_LATEST < seconds < _LATEST:
        raise FormatError(
            f"expected a time for {quoted(name)} in seconds since 1970: this one is out of range"
        )
    return seconds


def _moment(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return datetime.fromisoformat(text).timestamp()
