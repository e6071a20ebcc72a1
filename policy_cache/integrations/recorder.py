"""Recording requests and their usage, one line of JSON each, for a later simulation."""

from __future__ import annotations

import atexit
import errno
import json
import logging
import marshal
import os
import threading
import time
import traceback
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from queue import Full, Queue
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args
from urllib.parse import urlsplit
from weakref import WeakSet

from policy_cache.engine.match import carried_metadata
from policy_cache.integrations.hashed import Hasher, kept_key
from policy_cache.request.location import fields_of

if TYPE_CHECKING:
    from os import PathLike
    from types import TracebackType
    from typing import Self

Text: TypeAlias = Literal["plain", "hashed"]

_log = logging.getLogger("policy_cache")

_CACHE_PARAMETERS = (
    "cache_control",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
)
# What decides a prompt and its route; a member that is not named here is never written.
_MEMBERS = (
    "model",
    "custom_llm_provider",
    "messages",
    "system",
    "tool_choice",
    "thinking",
    "reasoning_effort",
    "output_config",
    "speed",
    "response_format",
    *_CACHE_PARAMETERS,
    "cache_control_injection_points",
    "enable_prompt_caching",
    "temperature",
    "max_tokens",
    "max_completion_tokens",
    "stream",
)
# A remote tool server's, which stand on its tool.
_TOOL_SECRETS = frozenset(
    {"api_key", "authorization", "authorization_token", "extra_headers", "headers", "server_url"}
)


class TraceRecorder:
    """Appends requests to a file, from any number of threads, without ever failing or holding up a caller.

    A line is `{"v": 1, "ts": …, "request": …, "usage": …, "scope": …, "session": …}`. Of a request, only
    what decides its prompt and its route is written: no key, no header, no credential, of `api_base` only
    the host, and of the metadata only what `metadata` names.

    The caller's thread serialises the request with `marshal`, since one call that nothing can interrupt
    takes a request of 132 KB as it is in 0.05 ms, where `json.dumps` takes 0.6 ms and a copy of its
    containers 0.3 ms; one writer thread, started by a process's first record, does the rest.

    A line is one write in append mode, so several processes may share a file, and one that is killed takes
    no line with it that was written. Linux ends a write of several pages where a kill, or a full disk,
    meets it; that part of a line stays, the next record starts on a line of its own, and a reader passes
    over what does not parse. Recording resumes by itself when the disk does.

    Attributes:
        path: The file; `path.1` to `path.<keep>` are what it was before, the newest first.
        written: How many records are in a file.
        dropped: How many are not.
        faults: Why not, by kind of error: `Full` for the queue, `Closed`, `ENOSPC`, an exception's name.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        text: Text = "plain",
        key: bytes | None = None,
        metadata: tuple[str, ...] = (),
        rotate_bytes: int = 64 * 1024 * 1024,
        keep: int = 4,
        queue: int = 1_000,
    ) -> None:
        """Name the file; it is opened by the first record.

        Args:
            path: The file. Its folder must exist.
            text: `plain`, or `hashed` for a trace that may leave the house: see `hashed.Hasher`.
            key: For hashed texts, 16 to 64 bytes. By default a random one, kept in `<path>.key`, which must
                stay behind.
            metadata: Names of metadata to record, where their values are texts, numbers or booleans.
            rotate_bytes: The size that no file exceeds, but for a single line that does.
            keep: How many older files there may be.
            queue: How many records may wait to be written.

        Raises:
            ValueError: A value that has no meaning.
        """
        if text not in get_args(Text):
            raise ValueError(f"text: expected plain or hashed, found {text!r}")
        if key is not None and text == "plain":
            raise ValueError("key: only hashed texts have one")
        for name, number in (("rotate_bytes", rotate_bytes), ("keep", keep), ("queue", queue)):
            if number < 1:
                raise ValueError(f"{name}: expected at least 1, found {number}")
        self.path = Path(path).absolute()
        self.written = 0
        self.dropped = 0
        self.faults: Counter[str] = Counter()
        self._text = text
        self._hasher = None if key is None else Hasher(key)
        self._metadata = metadata
        self._file = _File(self.path, rotate_bytes, keep)
        self._waiting = queue
        self._closed = False
        self._begin()
        _RECORDERS.add(self)

    def _begin(self) -> None:
        """As before the first record: also in a forked process, which has no writer, and no lock to trust."""
        self._lock = threading.Lock()
        self._queue: Queue[bytes | threading.Event | None] = Queue(self._waiting)
        self._writer: threading.Thread | None = None
        self._file.close()

    def record(
        self,
        request: Mapping[str, object],
        *,
        response: object = None,
        usage: object = None,
        scope: str | None = None,
        session: str | None = None,
        ts: float | None = None,
    ) -> bool:
        """Hand a request over to be written. Never raises, and never waits for the disk.

        Args:
            request: The keyword arguments of `litellm.completion` or `litellm.anthropic_messages`.
            response: What came back; only its usage is read.
            usage: That usage itself; only its numbers are kept.
            scope: What shares a cache: a workspace, an organization.
            session: What the requests of one conversation have in common.
            ts: When the request started, in seconds since the epoch; by default now.

        Returns:
            Whether it waits to be written; if not, it is counted in `dropped`.
        """
        try:
            record = {
                "v": 1,
                "ts": time.time() if ts is None else float(ts),
                "request": _recorded(request, self._metadata),
                "usage": _numbers(_usage(response) if usage is None else usage) or None,
                "scope": scope,
                "session": session,
            }
            taken = _taken(record)
            with self._lock:
                if not self._closed:
                    self._start()
                    self._queue.put_nowait(taken)
                    return True
            self._lose("Closed")
        except Exception as error:  # noqa: BLE001, a router must never fail because of its trace
            self._failed(error)
        return False

    def flush(self, timeout: float = 5.0) -> bool:
        """Wait until everything recorded so far is written or lost; say whether it is."""
        done = threading.Event()
        writer, left = self._ask(done, timeout)
        return writer is None or done.wait(left)

    def close(self, timeout: float = 5.0) -> bool:
        """Take no more, and write what waits; say whether all of it was written or lost in time."""
        with self._lock:
            self._closed = True
        writer, left = self._ask(None, timeout)
        if writer is not None:
            writer.join(left)
        return writer is None or not writer.is_alive()

    def _ask(self, item: threading.Event | None, timeout: float) -> tuple[threading.Thread | None, float]:
        """Put something behind the last record; tell the writer, if there is one, and the time left."""
        writer, end = self._writer, time.monotonic() + timeout
        if writer is None or not writer.is_alive():
            return None, 0.0
        with suppress(Full):
            self._queue.put(item, timeout=timeout)
        return writer, max(0.0, end - time.monotonic())

    def __enter__(self) -> Self:
        """The recorder itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def _start(self) -> None:
        if self._writer is None:
            writer = threading.Thread(target=self._write_all, name="policy-cache-recorder", daemon=True)
            writer.start()
            self._writer = writer

    def _write_all(self) -> None:
        while (item := self._queue.get()) is not None:
            if isinstance(item, threading.Event):
                item.set()
                continue
            try:
                self._file.append(self._line(item))
                self.written += 1
            except Exception as error:  # noqa: BLE001, as for `record`
                self._failed(error)
        self._file.close()

    def _line(self, taken: bytes) -> bytes:
        record: dict[str, Any] = marshal.loads(taken)  # noqa: S302, this process's own
        if self._text == "hashed":
            hasher = self._hasher
            if hasher is None:
                hasher = self._hasher = Hasher(kept_key(self.path.with_name(f"{self.path.name}.key")))
            record["request"] = hasher.request(record["request"])
            for name in ("scope", "session"):
                if record[name] is not None:
                    record[name] = hasher.id(str(record[name]))
        return json.dumps(record, separators=(",", ":"), allow_nan=False, default=_named).encode() + b"\n"

    def _failed(self, error: Exception) -> None:
        if isinstance(error, OSError):
            self._lose(errno.errorcode.get(error.errno or 0, type(error).__name__), f": {error}")
            return
        # Its message may hold a text of the request.
        last = traceback.extract_tb(error.__traceback__)[-1:]
        self._lose(type(error).__name__, "".join(f" at {code.name}:{code.lineno}" for code in last))

    def _lose(self, kind: str, said: str = "") -> None:
        with self._lock:
            self.dropped += 1
            self.faults[kind] += 1
            first = self.faults[kind] == 1
        if first:
            _log.warning("a request was not recorded in %s: %s%s (logged once)", self.path, kind, said)


class _File:
    """A file that is appended to and rotated. For one thread; other processes may append to it too."""

    def __init__(self, path: Path, rotate_bytes: int, keep: int) -> None:
        self._path = path
        self._most = rotate_bytes
        self._keep = keep
        self._handle: int | None = None

    def append(self, line: bytes) -> None:
        try:
            handle = self._opened()
            size = os.fstat(handle).st_size
            if size and size + len(line) > self._most:
                self._rotate()
                handle = self._opened()
            self._write(handle, line)
        except OSError:
            # Opened again, it is looked at again: it may end in the middle of a line.
            self.close()
            raise

    def close(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            with suppress(OSError):
                os.close(handle)

    def _opened(self) -> int:
        """The file at the path, which another process may have rotated, or a person removed."""
        if self._handle is not None:
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(self._handle), self._path.stat()):
                    return self._handle
            self.close()
        self._handle = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        if os.fstat(self._handle).st_size:
            os.lseek(self._handle, -1, os.SEEK_END)
            if os.read(self._handle, 1) != b"\n":
                os.write(self._handle, b"\n")
        return self._handle

    def _write(self, handle: int, line: bytes) -> None:
        if os.write(handle, line) < len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))

    def _rotate(self) -> None:
        # Two processes that do this at once shift an older file twice; none loses a line of the newest.
        self.close()
        for number in range(self._keep, 0, -1):
            with suppress(FileNotFoundError):
                self._numbered(number - 1).replace(self._numbered(number))

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}") if number else self._path


def _recorded(request: Mapping[str, object], metadata: tuple[str, ...]) -> dict[str, object]:
    """The members of a request that are written; no secret among them."""
    recorded = {name: request[name] for name in _MEMBERS if request.get(name) is not None}
    messages = request.get("messages")
    if isinstance(messages, (list, tuple)):
        # Those that are objects, as litellm answers with them, so that the rest need not be walked.
        recorded["messages"] = [one if type(one) is dict else _plain(one) for one in messages]
    tools = request.get("tools")
    if tools is not None:
        recorded["tools"] = [_tool(tool) for tool in tools] if isinstance(tools, (list, tuple)) else None
    base = request.get("api_base") or request.get("base_url")
    if isinstance(base, str) and (host := _host(base)):
        recorded["api_base"] = f"https://{host}"
    body = request.get("extra_body")
    if isinstance(body, dict):
        recorded["extra_body"] = {name: body[name] for name in _CACHE_PARAMETERS if name in body}
    if metadata:
        carried = carried_metadata(request)
        recorded["metadata"] = {
            name: value
            for name in metadata
            if isinstance(value := carried.get(name), (str, bool, int, float))
        }
    return recorded


def _tool(tool: object) -> object:
    fields = fields_of(tool)
    if fields is None or _TOOL_SECRETS.isdisjoint(fields):
        return tool
    return {name: value for name, value in fields.items() if name not in _TOOL_SECRETS}


def _host(base: str) -> str | None:
    try:
        host = urlsplit(base).hostname
    except ValueError:
        return None
    return f"[{host}]" if host and ":" in host else host


def _usage(response: object) -> object:
    return response.get("usage") if isinstance(response, Mapping) else getattr(response, "usage", None)


def _numbers(usage: object) -> dict[str, object]:
    """The counts of a usage, at any depth."""
    counts: dict[str, object] = {}
    for name, value in (fields_of(usage) or {}).items():
        if isinstance(value, (int, float)):
            counts[name] = value
        elif nested := _numbers(value):
            counts[name] = nested
    return counts


def _taken(record: dict[str, object]) -> bytes:
    """A record as it is now, whatever becomes of the caller's objects."""
    try:
        return marshal.dumps(record)
    except ValueError:  # it holds more than JSON's own types
        return marshal.dumps(_plain(record))


def _plain(value: object) -> Any:  # noqa: ANN401, JSON
    """A value in JSON's types; of an object, what is not None of its dict form."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        return int(value) if isinstance(value, int) else float(value)
    fields = None if isinstance(value, type) else fields_of(value)
    if fields is None:
        return _named(value)
    return {name: _plain(item) for name, item in fields.items() if item is not None}


def _named(value: object) -> str:
    """What stands for a value that JSON has no form for: the name of its type."""
    return f"<{type(value).__name__}>"


_RECORDERS: WeakSet[TraceRecorder] = WeakSet()


@atexit.register
def _close_all() -> None:
    for recorder in list(_RECORDERS):
        recorder.close()


def _begin_all() -> None:
    for recorder in list(_RECORDERS):
        recorder._begin()  # noqa: SLF001, this module's own


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_all)
