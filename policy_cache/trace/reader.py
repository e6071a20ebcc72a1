"""The reader of a trace: the requests of a router, with what the provider reported of each."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec

from policy_cache.cache.memo import Memo
from policy_cache.cache.prompt import digest
from policy_cache.providers.price_map import installed_map
from policy_cache.providers.prices import claude_name, list_prices
from policy_cache.request.markers import KEY, unmarked
from policy_cache.request.prompt import AREAS, SYSTEM_ROLES, detect_shape, role_of
from policy_cache.trace.formats import FormatError, parts
from policy_cache.trace.hashed import Restorer, is_hashed
from policy_cache.trace.lines import lines_of
from policy_cache.trace.place import file_of
from policy_cache.trace.record import TraceError, TraceRecord
from policy_cache.trace.sized import expanded
from policy_cache.usage.account import Placed
from policy_cache.usage.copies import Copies
from policy_cache.usage.usage import CacheUsage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from policy_cache.trace.formats import Fields, Parts

Broken: TypeAlias = Literal["skip", "fail"]

ASSUMED_GAP = 10.0
"""Seconds from one request to the next where no time is said."""

_MOST_SHARED = 4 * 1024 * 1024
# Logs are written when a request ends, and ordered by when it started.
_MOST_WAITING = 500
_MOST_WAITING_BYTES = 16 * 1024 * 1024
_MOST_TOLD = 100
_MARKER = KEY.encode()
_HALF_PAIR = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..)\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)


class _Placed(msgspec.Struct):
    at: list[str | int]
    ttl: str
    by: str


class _Line(msgspec.Struct):
    placed: list[_Placed] | None = None


_line = msgspec.json.Decoder(_Line)


@dataclass(slots=True)
class TraceSummary:
    """What reading a trace met with.

    Attributes:
        used: How many requests were read.
        broken: How many lines are no record.
        first_broken: The first of them: file, line, and what is wrong.
        duplicates: How many lines repeat one before, its time included, and were left out.
        untimed: How many requests had no time, and follow the one before at the assumed gap.
        late: How many came after one that started later, too late to be put in order; they are taken to
            start with that one.
        with_usage: How many have usage.
        of_another: Of how many the usage was left out: it is another model's than they are taken to ask for.
    """

    used: int = 0
    broken: int = 0
    first_broken: list[str] = field(default_factory=list)
    duplicates: int = 0
    untimed: int = 0
    late: int = 0
    with_usage: int = 0
    of_another: int = 0

    def merge(self, other: TraceSummary) -> None:
        """Add what reading another part of the trace met with."""
        self.used += other.used
        self.broken += other.broken
        self.first_broken = (self.first_broken + other.first_broken)[:_MOST_TOLD]
        self.duplicates += other.duplicates
        self.untimed += other.untimed
        self.late += other.late
        self.with_usage += other.with_usage
        self.of_another += other.of_another


class Trace:
    """The requests of a trace, in the order of their start, read once and one at a time.

    Memory does not grow with the trace: what requests share is kept once, up to a bound, and requests wait
    for earlier ones to appear within a window.
    """

    def __init__(
        self,
        lines: Iterable[tuple[str, bytes]],
        *,
        gap: float = ASSUMED_GAP,
        broken: Broken = "skip",
        model: str | None = None,
        only: tuple[int, int] = (0, 1),
    ) -> None:
        """Read lines.

        Args:
            lines: JSON objects, each with its file and line.
            gap: Seconds from one request to the next where no time is said.
            broken: `fail` raises at the first line that is no record; `skip` counts it.
            model: The model that every request is taken to ask for.
            only: `(i, n)`: of n parts of the trace, part i; what shares a cache is in one part.
        """
        self.summary = TraceSummary()
        self._lines = expanded(lines)
        self._gap = gap
        self._broken = broken
        self._model = model
        self._only = only
        # What is shared, with the characters and the number of the stand-ins for texts in it.
        self._shared: Memo[tuple[int, int], tuple[Any, int, int]] = Memo(_MOST_SHARED)
        # Of the record that is being read: its stand-ins, and the characters of those that were made for it.
        self._restorer = Restorer()
        self._made = 0
        self._copies = Copies()
        self._clock: float | None = None

    def __iter__(self) -> Iterator[TraceRecord]:
        """The requests.

        Raises:
            TraceError: A line is no record, and `broken` is `fail`.
        """
        waiting: list[tuple[float, int, int, TraceRecord]] = []
        held = 0
        latest = float("-inf")
        for number, (record, size) in enumerate(self._records()):
            heappush(waiting, (record.at, number, size, record))
            held += size
            while len(waiting) > _MOST_WAITING or held > _MOST_WAITING_BYTES:
                _, _, gone, earliest = heappop(waiting)
                held -= gone
                in_turn = self._in_turn(earliest, latest)
                latest = in_turn.at
                yield in_turn
        for _, _, _, left in sorted(waiting):
            in_turn = self._in_turn(left, latest)
            latest = in_turn.at
            yield in_turn

    def _in_turn(self, record: TraceRecord, latest: float) -> TraceRecord:
        """A request, taken to start no earlier than one before it."""
        if record.at >= latest:
            return record
        self.summary.late += 1
        return record._replace(at=latest)

    def _records(self) -> Iterator[tuple[TraceRecord, int]]:
        for number, (where, line) in enumerate(self._lines):
            if isinstance(line, FormatError):
                self._tell(number, f"{where}: {line}")
                continue
            try:
                taken = _parts(line)
                at = self._time(taken)
                if not self._is_mine(taken):
                    continue
                record = None if self._is_duplicate(taken, line) else self._record(where, at, taken)
            except (FormatError, msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
                self._tell(number, f"{where}: {_reason(error, line)}")
                continue
            if record is not None:
                self.summary.used += 1
                self.summary.untimed += taken.at is None
                self.summary.with_usage += record.usage is not None
                yield record, len(line) + self._made

    def _tell(self, number: int, reason: str) -> None:
        if self._broken == "fail":
            raise TraceError(reason) from None
        part, parts_ = self._only
        if number % parts_ == part:
            self.summary.broken += 1
            if len(self.summary.first_broken) < _MOST_TOLD:
                self.summary.first_broken.append(reason)

    def _time(self, taken: Parts) -> float:
        if taken.at is not None:
            self._clock = taken.at
        else:
            self._clock = 0.0 if self._clock is None else self._clock + self._gap
        return self._clock

    def _is_mine(self, taken: Parts) -> bool:
        part, parts_ = self._only
        if parts_ == 1:
            return True
        shares = (
            f"{taken.scope}\n".encode() + bytes(taken.request.get("model", b"")).rpartition(b"/")[2].lower()
        )
        return int.from_bytes(digest(shares)[:8]) % parts_ == part

    def _is_duplicate(self, taken: Parts, line: bytes) -> bool:
        if taken.at is None or not self._copies.has(line):
            return False
        self.summary.duplicates += 1
        return True

    def _record(self, where: str, at: float, taken: Parts) -> TraceRecord:
        self._restorer, self._made = Restorer(), 0
        request, first = self._request(taken.request)
        usage = None if taken.usage is None else CacheUsage.from_response(_decode(taken.usage))
        if usage is not None and self._model is not None and "model" in taken.request:
            named = _decode(taken.request["model"])
            if isinstance(named, str) and _is_another(named, self._model):
                usage = None
                self.summary.of_another += 1
        return TraceRecord(
            where=where,
            at=at,
            request=request,
            usage=usage,
            waited=taken.waited,
            scope=taken.scope or "",
            session=taken.session or _session(request) or first,
            worded=not (taken.sized or self._restorer.texts),
            placed=None if taken.policy is None else _placed(taken.policy),
        )

    def _request(self, fields: Fields) -> tuple[dict[str, Any], str]:
        """A request, and a name for the conversation that begins as it does."""
        request: dict[str, Any] = {}
        first = ""
        for name, raw in fields.items():
            if name in AREAS.values() and not bytes(raw).startswith(b'"'):  # `input` may be a text
                elements = _elements(raw, name)
                request[name] = [self._share(element) for element in elements]
                first = _beginning(elements, request[name], name)
            elif name == "tools":
                # The same for every request of an agent: shared as one.
                request[name] = self._share(raw)
            else:
                request[name], _, _ = self._value(raw)
        if self._model is not None:
            request["model"] = self._model
            request.pop("custom_llm_provider", None)
            request.pop("api_base", None)
        if not isinstance(request.get("model"), str):
            raise FormatError("expected the model's name for `model`")
        if AREAS[detect_shape(request)] not in request:
            raise FormatError("expected a list for `messages`, found none")
        return request, first

    def _share(self, raw: msgspec.Raw) -> Any:  # noqa: ANN401, JSON
        text = bytes(raw)
        # By its hash, whose key is random: the text itself would take as much memory again.
        key = hash(text), len(text)
        known = self._shared.get(key)
        if known is None:
            known = self._value(raw)
            if (size := len(text) + known[1]) <= _MOST_SHARED:
                self._shared.put(key, known, size)
        else:
            self._restorer.add(*known[1:])
        return known[0]

    def _value(self, raw: msgspec.Raw) -> tuple[Any, int, int]:
        """A value, with the characters and the number of the stand-ins for texts in it."""
        value = _decode(raw)
        if not is_hashed(raw):
            return value, 0, 0
        restorer = self._restorer
        chars, texts = restorer.chars, restorer.texts
        value = restorer.restored(value)
        self._made += restorer.chars - chars
        return value, restorer.chars - chars, restorer.texts - texts


def record_at(place: str) -> TraceRecord:
    """The request at a place of a trace, such as `trace.jsonl:3`.

    Raises:
        TraceError: The file cannot be read, or there is no request.
    """
    # Of a line that is a whole session, the places of its requests begin alike.
    lines = ((where, line) for where, line in lines_of([file_of(place) or place]) if place.startswith(where))
    trace = Trace(lines)
    for record in trace:
        if record.where == place:
            return record
        if record.where == f"{place}#1":
            raise TraceError(f"{place}: a whole session; name one of its requests: {record.where}")
    broken = (reason for reason in trace.summary.first_broken if reason.startswith(f"{place}: "))
    raise TraceError(next(broken, f"{place}: there is no such request"))


@lru_cache(maxsize=1_024)
def _is_another(named: str, asked: str) -> bool:
    """Whether a name is that of a model, and not of the one that is asked for: an alias may be of any."""
    known = _model_of(named)
    return known is not None and known != (_model_of(asked) or asked)


def _model_of(name: str) -> str | None:
    if list_prices(name) is not None:
        return claude_name(name)
    bare = name.rpartition("/")[2]
    prices = installed_map()
    return bare.lower() if name in prices or bare in prices else None


def _parts(line: bytes) -> Parts:
    try:
        return parts(line)
    except msgspec.DecodeError:
        # Half of a surrogate pair, as Python writes of a text that was cut in an emoji.
        mended = _HALF_PAIR.sub(rb"\\ufffd", line)
        if mended == line:
            raise
        return parts(mended)


def _placed(policy: msgspec.Raw) -> tuple[Placed, ...] | None:
    """The breakpoints that a recorded line names; None where it names none."""
    try:
        found = _line.decode(policy).placed
    except msgspec.DecodeError:
        return None
    return None if found is None else tuple(Placed(tuple(one.at), one.ttl, one.by) for one in found)


def _reason(error: Exception, line: bytes) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"not valid JSON: not UTF-8: byte 0x{error.object[error.start]:02X}"
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if not isinstance(error, msgspec.DecodeError):
        return str(error)
    return f"not valid JSON: {error}" + ("" if line.endswith(b"\n") else "; the file is cut here")


_decode = msgspec.json.Decoder().decode
_list = msgspec.json.Decoder(list[msgspec.Raw])


def _elements(raw: msgspec.Raw, name: str) -> list[msgspec.Raw]:
    try:
        return _list.decode(raw)
    except msgspec.DecodeError:
        raise FormatError(f"expected a list for `{name}`") from None


def _session(request: dict[str, Any]) -> str:
    metadata = request.get("metadata")
    session = metadata.get("session_id") if isinstance(metadata, dict) else None
    return session if isinstance(session, str) else ""


def _beginning(raws: list[msgspec.Raw], messages: list[Any], name: str) -> str:
    """A hash of the first message that is not the system's."""
    for raw, message in zip(raws, messages, strict=True):
        if not isinstance(message, dict):
            raise FormatError(f"expected a message, as an object, in `{name}`")
        if role_of(message) not in SYSTEM_ROLES:
            content = message.get("content")
            if _MARKER in bytes(raw):
                content = unmarked(content)
            # A text is what its one-block list is.
            if isinstance(content, list):
                match content:
                    case [{"type": "text" | "input_text", "text": str(text), **rest}] if not rest:
                        content = text
            return digest(msgspec.json.encode(content))[:6].hex()
    return ""
