"""The size of an image in tokens, from the width and height in its header: its pixels are never decoded.

Claude's published formula, which other providers' come near to: a token for 750 pixels, of an image that is
scaled down to 1,568 pixels on its longer side and to about 1,600 tokens
(https://platform.claude.com/docs/en/build-with-claude/vision).
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error

_LONGEST, _MOST, _PIXELS = 1_568, 1_600, 750
# A JPEG may have a preview and a profile before its size.
_HEADERS = (4 * 1024, 128 * 1024)
_MOST_SEGMENTS = 200
_SIZED = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})


def image_tokens(data: str) -> int | None:
    """The tokens of an image.

    Args:
        data: A `data:` URL, or base64 alone; of a long one, only the beginning is looked at.

    Returns:
        None where it is neither, or of a format without a known header.
    """
    start = data.find(",") + 1 if data.startswith("data:") else 0
    size = _size(_decoded(data, start, 64))
    if data.startswith("/9j/", start):
        size = next(filter(None, (_size_of_jpeg(_decoded(data, start, most)) for most in _HEADERS)), None)
    if size is None:
        return None
    width, height = size
    scale = min(1.0, _LONGEST / max(width, height, 1))
    return max(1, min(_MOST, round(width * height * scale * scale / _PIXELS)))


def _decoded(data: str, start: int, size: int) -> bytes:
    """The first bytes that base64 stands for; none where it is not base64."""
    text = data[start : start + size // 3 * 4 + 4]
    try:
        return b64decode(text[: len(text) // 4 * 4])
    except (Error, ValueError):
        return b""


def _size(head: bytes) -> tuple[int, int] | None:
    """Width and height of a PNG, a GIF or a WebP."""
    if head.startswith(b"\x89PNG\r\n\x1a\n") and len(head) >= 24:
        return int.from_bytes(head[16:20]), int.from_bytes(head[20:24])
    if head.startswith((b"GIF87a", b"GIF89a")) and len(head) >= 10:
        return int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little")
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP" and len(head) >= 30:
        return _size_of_webp(head)
    return None


def _size_of_webp(head: bytes) -> tuple[int, int] | None:
    match head[12:16]:
        case b"VP8X":
            return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
        case b"VP8L":
            bits = int.from_bytes(head[21:25], "little")
            return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        case b"VP8 ":
            return (
                int.from_bytes(head[26:28], "little") & 0x3FFF,
                int.from_bytes(head[28:30], "little") & 0x3FFF,
            )
        case _:
            return None


def _size_of_jpeg(head: bytes) -> tuple[int, int] | None:
    """Those that the frame's header has, behind any number of other segments."""
    at, left = 2, _MOST_SEGMENTS
    while left and at + 9 <= len(head) and head[at] == 0xFF:
        if head[at + 1] in _SIZED:
            return int.from_bytes(head[at + 7 : at + 9]), int.from_bytes(head[at + 5 : at + 7])
        left -= 1
        at += 2 + max(2, int.from_bytes(head[at + 2 : at + 4]))
    return None
