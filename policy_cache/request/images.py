"""The size of an image in tokens, from the width and height in its header: its pixels are never decoded."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from math import ceil, sqrt
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from policy_cache.request.encoded import Encoded

# A JPEG may have a preview and a profile before its size.
_HEADERS = (4 * 1024, 128 * 1024)
_MOST_SEGMENTS = 200
# Not every provider says how large an image may be, and a header may say anything.
_MOST_TOKENS = 100_000
_SIZED = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})


@dataclass(frozen=True, slots=True)
class ImageRule:
    """What an image counts as: a number of tokens, and some for each square that it takes to cover it.

    Attributes:
        base: The number, whatever its size.
        square: The side of a square in pixels; None where an image counts alike in any size.
        crop: The shorter side of the image by this is the side of a square.
        tokens: For each square.
        longest: Its longer side is scaled down to this first.
        shortest: Its shorter side then is, too.
        most: It is then scaled down until so many squares cover it.
        aligned: Whether that leaves the narrower way whole squares, rather than the largest image that fits.
        small: An image with no side longer than this is one square.
    """

    base: int = 0
    square: int | None = None
    crop: float | None = None
    tokens: float = 1.0
    longest: int | None = None
    shortest: int | None = None
    most: int | None = None
    aligned: bool = False
    small: int | None = None

    def tokens_of(self, size: tuple[int, int] | None) -> int | None:
        """The tokens of an image of a width and height; None where they matter, and are not known."""
        if self.square is None and self.crop is None:
            return self.base
        if size is None:
            return None
        width, height = max(1, size[0]), max(1, size[1])
        if self.small is not None and max(width, height) <= self.small:
            return self.base + ceil(self.tokens)
        counted = self.base + ceil(self.tokens * self._squares(width, height))
        return min(counted, max(self.base, _MOST_TOKENS))

    def _squares(self, width: int, height: int) -> int:
        side = self.square or max(1, int(min(width, height) / (self.crop or 1)))
        scale = min(1.0, (self.longest or max(width, height)) / max(width, height))
        scale = min(scale, (self.shortest or min(width, height)) / min(width, height))
        width, height = max(1, round(width * scale)), max(1, round(height * scale))
        squares = _cover(width, height, side)
        if self.most is None or squares <= self.most:
            return squares
        if not self.aligned:
            longer, shape = max(width, height), min(width, height) / max(width, height)

            def covered(longer: int) -> int:
                return _cover(longer, max(1, round(longer * shape)), side)

            return covered(max(1, bisect_right(range(1, longer + 1), self.most, key=covered)))
        shrink = sqrt(side * side * self.most / (width * height))
        across, down = width * shrink / side, height * shrink / side
        shrink *= min(int(across) / across, int(down) / down)
        return _cover(max(1, int(width * shrink)), max(1, int(height * shrink)), side)


def _cover(width: int, height: int, side: int) -> int:
    return ceil(width / side) * ceil(height / side)


class ImageRules(NamedTuple):
    """What the images of a model count as.

    Attributes:
        usual: Where nothing else is said.
        by_detail: For a `detail` that the request asks for, where it matters.
    """

    usual: ImageRule
    by_detail: tuple[tuple[str, ImageRule], ...] = ()

    def of(self, detail: object) -> ImageRule:
        """The rule for a `detail`."""
        return next((rule for name, rule in self.by_detail if name == detail), self.usual)


def image_size(image: Encoded) -> tuple[int, int] | None:
    """The width and height of an image.

    Args:
        image: What may be one; of a long one, only the beginning is looked at.

    Returns:
        None where it is none, or of a format without a known header.
    """
    head = image.part(0, 64)
    if head.startswith(b"\xff\xd8\xff"):
        return next(filter(None, (_size_of_jpeg(image.part(0, most)) for most in _HEADERS)), None)
    return _size(head)


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
