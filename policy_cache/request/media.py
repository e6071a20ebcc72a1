"""What a prompt's images, documents, sound and video count as, by their headers."""

from __future__ import annotations

import struct
from base64 import b64encode
from typing import Literal, NamedTuple, TypeAlias

from policy_cache.request.documents import pages_of
from policy_cache.request.encoded import Encoded
from policy_cache.request.images import ImageRule, ImageRules, image_size
from policy_cache.request.recordings import recording

Kind: TypeAlias = Literal["image", "sound"]

# A header may say anything; no model takes more.
_MOST_TOKENS = 2_000_000
_LONGEST = 2**32 - 2


class MediaRules(NamedTuple):
    """What a model's media count as, in tokens.

    Attributes:
        images: Of an image.
        page: Of a page of a PDF.
        sound: Of a second of sound; None where that is not known.
        video: Of a second of video, its sound among it; None where that is not known.
    """

    images: ImageRules
    page: float
    sound: float | None = None
    video: float | None = None

    def tokens_of(self, held: str | None, detail: object = None, kind: Kind | None = None) -> int | None:
        """What a medium counts as.

        Args:
            held: A `data:` URL, base64 alone, or another URL; None where the request has none of them.
            detail: What the request asks for, of an image.
            kind: What the request says that it is.

        Returns:
            None where that is not known.
        """
        data = Encoded(held or "")
        if (size := image_size(data)) is not None:
            return self.images.of(detail).tokens_of(size)
        if (pages := pages_of(data)) is not None:
            return min(round(pages * self.page), _MOST_TOKENS)
        if (heard := recording(data)) is not None:
            # Sound may be in a film's container.
            sound = heard.kind == "sound" or kind == "sound" or (held or "").startswith("data:audio/")
            each = self.sound if sound else self.video
            return None if each is None else min(round(heard.seconds * each), _MOST_TOKENS)
        return self.images.of(detail).tokens_of(None) if kind == "image" else None


def reduced(held: str) -> str | None:
    """The least that has the same sizes as a medium: what is heard or seen in it is gone.

    Args:
        held: A `data:` URL, or base64 alone.

    Returns:
        The same kind of text, with a header and nothing behind it; None where no header says a size.
    """
    data = Encoded(held)
    if (size := image_size(data)) is not None:
        kind, header = "image/png", b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", *size)
    elif (pages := pages_of(data)) is not None:
        kind, header = "application/pdf", b"%%PDF-1.5\n<</Linearized 1 /N %d >>\n" % pages
    elif (heard := recording(data)) is not None:
        sound = heard.kind == "sound" or held.startswith("data:audio/")
        kind, brand = ("audio/mp4", b"M4A ") if sound else ("video/mp4", b"isom")
        header = _film(brand, heard.seconds)
    else:
        return None
    text = b64encode(header + b" " * (-len(header) % 3)).decode()
    return f"data:{kind};base64,{text}" if held.startswith("data:") else text


def _film(brand: bytes, seconds: float) -> bytes:
    """An MPEG-4 file that says how long it is, in thousandths."""
    length = min(max(1, round(seconds * 1_000)), _LONGEST)
    about = struct.pack(">I4s5I", 28, b"mvhd", 0, 0, 0, 1_000, length)
    return (
        struct.pack(">I4s4sI", 16, b"ftyp", brand, 0) + struct.pack(">I4s", 8 + len(about), b"moov") + about
    )


CLAUDE = MediaRules(ImageRules(ImageRule(square=28, longest=1_568, most=1_568)), page=2_333)
"""Claude before 4.7, and what is not known.

Images as https://platform.claude.com/docs/en/build-with-claude/vision has them; and about 7,000 tokens for
three pages, as https://platform.claude.com/docs/en/build-with-claude/pdf-support does.
"""
