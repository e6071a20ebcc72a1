"""The files of a trace, as JSON objects one at a time."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from policy_cache.errors import reason_of
from policy_cache.trace.record import TraceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_LARGEST_DOCUMENT = 256 * 1024 * 1024
# A line may have a hundred kilobytes, and is put together of what was read at once.
_READ_AT_ONCE = 1024 * 1024
_raw = msgspec.json.Decoder(msgspec.Raw)
_raws = msgspec.json.Decoder(list[msgspec.Raw])


def numbered(lines: Iterable[bytes], name: str) -> Iterator[tuple[str, bytes]]:
    """Each line that is not blank, with the name and its number from 1."""
    for number, line in enumerate(lines, 1):
        if not line.isspace():
            yield f"{name}:{number}", line.removeprefix(codecs.BOM_UTF8) if number == 1 else line


def lines_of(paths: Sequence[str | Path], names: Sequence[str] = ()) -> Iterator[tuple[str, bytes]]:
    """The JSON objects of files, each with its file and line.

    A file holds an object a line, or one object or list over many lines.

    Args:
        paths: The files.
        names: What to call them; their paths if left out.

    Raises:
        TraceError: A file cannot be read.
    """
    for path, name in zip(paths, names or map(str, paths), strict=True):
        if Path(path).is_dir():
            raise TraceError(f"{name}: expected a file, found a directory; name its files: {name}/*.jsonl")
        try:
            with Path(path).open("rb", buffering=_READ_AT_ONCE) as file:
                first = next((line for line in file if not line.isspace()), b"")
                if _is_whole(first):
                    file.seek(0)
                    yield from numbered(file, name)
                    continue
            yield from _document(Path(path), name)
        except OSError as error:
            raise TraceError(f"{name}: {reason_of(error)}") from None


def _is_whole(line: bytes) -> bool:
    """Whether a file goes on after its first line with another object, or may as well."""
    start = line.removeprefix(codecs.BOM_UTF8).lstrip()[:1]
    if start == b"[":
        return False
    try:
        _raw.decode(line.removeprefix(codecs.BOM_UTF8))
    except msgspec.DecodeError:
        # The first line of a document opens an object, and leaves it at that.
        return line.strip() != b"{"
    return True


def _document(path: Path, name: str) -> Iterator[tuple[str, bytes]]:
    if path.stat().st_size > _LARGEST_DOCUMENT:
        raise TraceError(f"{name}: a document of over 256 MB; write one JSON object a line instead")
    data = path.read_bytes().removeprefix(codecs.BOM_UTF8)
    if data.lstrip()[:1] != b"[":
        yield f"{name}:1", data
        return
    try:
        elements = _raws.decode(data)
    except msgspec.DecodeError as error:
        raise TraceError(f"{name}: not valid JSON: {error}") from None
    for number, element in enumerate(elements, 1):
        yield f"{name}[{number}]", bytes(element)
