"""What a prompt's images, documents, sound and video count as, by their headers."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

from policy_cache.request.documents import pages_of
from policy_cache.request.encoded import Encoded
from policy_cache.request.images import ImageRule, ImageRules, image_size
from policy_cache.request.recordings import recording

Kind: TypeAlias = Literal["image", "sound"]

# A header may say anything; no model takes more.
_MOST_TOKENS = 2_000_000


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


CLAUDE = MediaRules(ImageRules(ImageRule(square=28, longest=1_568, most=1_568)), page=2_333)
"""Claude before 4.7, and what is not known.

Images as https://platform.claude.com/docs/en/build-with-claude/vision has them; and about 7,000 tokens for
three pages, as https://platform.claude.com/docs/en/build-with-claude/pdf-support does.
"""
