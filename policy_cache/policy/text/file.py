r"""From a path to text: what is refused before YAML is looked at.

PC100: there is no file of that name.

Bad:
    $ policy-cache validate missing.yaml
Good:
    $ policy-cache validate

PC101: the path is a directory, and one policy is one file.

`policy-cache validate` searches a directory; a command that applies a policy takes a file.

Bad:
    $ echo '{"model": "claude-sonnet-4-5", "messages": []}' | policy-cache diff --policy . -
Good:
    $ policy-cache validate

PC102: the file exists, and cannot be read.

Bad:
    $ ln -s policy.yaml policy.yaml; policy-cache validate policy.yaml
Good:
    $ policy-cache validate

PC103: the file is larger than 256 KiB, which no one has written by hand.

Bad:
    $ yes '# a comment' | head -n 30000 | policy-cache validate -
Good:
    $ policy-cache validate

PC104: the file is not UTF-8.

Bad:
    $ printf 'version: 1\nname: caf\351\nrules: []\n' | policy-cache validate -
Good:
    $ printf 'version: 1\nname: caf\303\251\nrules: []\n' | policy-cache validate -

PC105: the file is UTF-16 or UTF-32.

Bad:
    $ printf '\377\376v\000e\000' | policy-cache validate -
Good:
    $ policy-cache validate

PC106: a control character stands in the file, where YAML allows none.

Bad:
    $ printf 'version: 1\nname: a\007\nrules: []\n' | policy-cache validate -
Good:
    $ printf 'version: 1\nname: "a\\x07"\nrules: []\n' | policy-cache validate -
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn

from policy_cache.diagnostics import Diagnostic, Label, Region
from policy_cache.errors import PolicyError
from policy_cache.policy.text.positions import split_lines
from policy_cache.text.words import quoted, suggest

if TYPE_CHECKING:
    from pathlib import Path as FilePath

MAX_BYTES = 256 * 1024
"""A policy is written by hand: 256 KiB is thousands of rules."""

_CONTROL = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_WIDE_BOMS = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")


def read_bytes(path: FilePath) -> bytes:
    """Read a policy file.

    Raises:
        PolicyError: With `unreadable` set: it is missing, a directory, or may not be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        _refuse("PC100", "no such file", file=str(path), help=sibling(path))
    except IsADirectoryError:
        _refuse("PC101", "this is a directory; a policy is one YAML file", file=str(path))
    except OSError as error:
        _refuse("PC102", f"the file cannot be read: {error.strerror or error}", file=str(path))


def check_size(data: bytes, name: str) -> None:
    """Refuse what no one has written by hand."""
    if len(data) > MAX_BYTES:
        text = data[:MAX_BYTES].decode("utf-8-sig", errors="replace")
        lines = split_lines(text)
        line, last = len(lines), len(lines[-1])
        span = Region(line, max(1, last), line, last + 1)
        message = f"the file is larger than {MAX_BYTES // 1024} KiB"
        fix = "a policy is written by hand: divide what is generated into several"
        _refuse("PC103", message, file=name, lines=lines, span=span, label="they end here", help=fix)


def decode(data: bytes, name: str) -> str:
    """Decode a policy, with or without a byte order mark.

    Raises:
        PolicyError: It is not UTF-8.
    """
    if data.startswith(_WIDE_BOMS) or (b"\x00" in data[:2] and len(data) > 1):
        message, fix = "the file is UTF-16 or UTF-32", "save it as UTF-8"
        lines = split_lines(_narrowed(data))
        span = Region(1, 1, 1, min(2, len(lines[0]) + 1))
        _refuse("PC105", message, file=name, lines=lines, span=span, help=fix)
    try:
        return data.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        _refuse_byte(data, error.start, name)


def _narrowed(data: bytes) -> str:
    """The text of a file in a wide encoding, as far as it can be read."""
    wide = b"\x00\x00" in (data[:2], data[2:4])
    little = data.startswith(b"\xff\xfe") or data[:1] not in b"\x00\xfe"
    encoding = f"utf-{32 if wide else 16}-{'le' if little else 'be'}"
    return data.decode(encoding, errors="replace").removeprefix("\ufeff")


def check_characters(text: str, name: str) -> str:
    """Pass a text on, without a byte order mark, when YAML allows all of its characters.

    Raises:
        PolicyError: It holds a control character.
    """
    text = text.lstrip("\ufeff")
    if match := _CONTROL.search(text):
        lines = split_lines(text)
        before = split_lines(text[: match.start()])
        line, column = len(before), len(before[-1]) + 1
        _refuse(
            "PC106",
            f"the character U+{ord(match.group()):04X} may not stand in YAML",
            file=name,
            lines=lines,
            span=Region(line, column, line, column + 1),
            help=f'remove it, or escape it in double quotes: "{_escaped(match.group())}"',
        )
    return text


def _escaped(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02X}" if number < 0x100 else f"\\u{number:04X}"


def _refuse_byte(data: bytes, start: int, name: str) -> NoReturn:
    text = data.removeprefix(b"\xef\xbb\xbf").decode(errors="replace")
    before = split_lines(data[:start].decode("utf-8-sig"))
    line, column = len(before), len(before[-1]) + 1
    span = Region(line, column, line, column + 1)
    _refuse(
        "PC104",
        f"byte 0x{data[start]:02X} on line {line} is not UTF-8",
        file=name,
        lines=split_lines(text),
        span=span,
        label=f"byte {start} of the file",
        help="save the file as UTF-8",
    )


def _refuse(
    code: str,
    message: str,
    *,
    file: str,
    lines: tuple[str, ...] = (),
    span: Region | None = None,
    label: str | None = None,
    help: str | None = None,
) -> NoReturn:
    labels = (Label(span, label),) if span and label else ()
    diagnostic = Diagnostic(code, "error", message, span=span, labels=labels, help=help, file=file)
    raise PolicyError([diagnostic], lines=lines) from None


def sibling(path: FilePath) -> str | None:
    """Suggest a file of the same folder, for a name that is almost right."""
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except (OSError, ValueError):
        return None
    match = suggest(path.name, names, cutoff=0.8)
    return f"did you mean {quoted(str(path.with_name(match)))}?" if match else None
