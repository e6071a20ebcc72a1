"""The size of an image by its header, in every format that providers take."""

from __future__ import annotations

import struct
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy_cache.request.images import image_tokens
from policy_cache.request.tokens import CHARS_PER_TOKEN, chars


def png(width, height):
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height) + bytes(500)


def gif(width, height):
    return b"GIF89a" + struct.pack("<HH", width, height) + bytes(500)


def jpeg(width, height, *, before=0):
    """With a comment of so many bytes before the frame's header."""
    comment = b"".join(
        b"\xff\xfe" + struct.pack(">H", 2 + size) + b"c" * size
        for size in [60_000] * (before // 60_000) + [before % 60_000]
    )
    frame = b"\xff\xc2" + struct.pack(">HBHH", 17, 8, height, width) + bytes(500)
    return b"\xff\xd8\xff\xe0" + struct.pack(">H", 16) + b"JFIF" + bytes(10) + comment + frame


def webp(kind, payload):
    return b"RIFF" + bytes(4) + b"WEBP" + kind + bytes(4) + payload + bytes(500)


def extended(width, height):
    return webp(b"VP8X", bytes(4) + struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3])


def lossless(width, height):
    return webp(b"VP8L", b"\x2f" + struct.pack("<I", (width - 1) | (height - 1) << 14))


def lossy(width, height):
    return webp(b"VP8 ", bytes(3) + b"\x9d\x01\x2a" + struct.pack("<HH", width, height))


FORMATS = [png, gif, jpeg, extended, lossless, lossy]


def encoded(data):
    return b64encode(data).decode()


@pytest.mark.parametrize("make", FORMATS)
@given(st.integers(1, 16_383), st.integers(1, 16_383))
def test_every_format_says_its_width_and_height(make, width, height):
    scale = min(1.0, 1_568 / max(width, height))
    expected = max(1, min(1_600, round(width * height * scale * scale / 750)))
    assert image_tokens(encoded(make(width, height))) == expected
    assert image_tokens(f"data:image/x;base64,{encoded(make(width, height))}") == expected


@pytest.mark.parametrize(("side", "tokens"), [(200, 53), (1_000, 1_333), (8_000, 1_600)])
def test_anthropics_examples(side, tokens):
    assert image_tokens(encoded(png(side, side))) == tokens


@pytest.mark.parametrize("before", [0, 100, 3_000, 50_000, 90_000])
def test_a_jpeg_may_have_much_before_its_size(before):
    assert image_tokens(encoded(jpeg(300, 400, before=before))) == 160


@pytest.mark.parametrize(
    "data",
    [
        "",
        "x",
        "data:",
        "data:image/png;base64,",
        "https://example.org/a.png",
        "/9j/",
        "ö" * 90,
        "=" * 200,
        encoded(png(1, 1)[:20]),
    ],
)
def test_what_is_no_image_has_no_size(data):
    assert image_tokens(data) is None


@given(st.text(), st.sampled_from(FORMATS), st.integers(0, 200))
def test_nothing_raises(text, make, end):
    for data in (text, f"data:{text}", f"/9j/{text}", encoded(make(3, 4)[:end])):
        assert image_tokens(data) is None or image_tokens(data) > 0


def test_the_time_does_not_grow_with_the_image():
    """A hundred megabytes: the string is looked at where its header is."""

    read = []

    class Watched(str):
        __slots__ = ()

        def __getitem__(self, key):
            read.append(len(part := str.__getitem__(self, key)))
            return part

    image_tokens(Watched(encoded(jpeg(3, 4, before=400_000)) + "A" * 10_000_000))
    assert 0 < sum(read) < 200_000


def test_segments_are_looked_at_so_far():
    segments = b"\xff\xd8" + b"\xff\xe1\x00\x02" * 30_000 + jpeg(3, 4)[2:]
    assert image_tokens(encoded(segments)) is None


@pytest.mark.parametrize(
    "block",
    [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "%s"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,%s"}},
        {"type": "image_url", "image_url": "data:image/png;base64,%s"},
        {"type": "input_image", "image_url": "data:image/png;base64,%s"},
    ],
)
def test_an_image_counts_alike_in_every_shape(block):
    def filled(value):
        if isinstance(value, dict):
            return {name: filled(item) for name, item in value.items()}
        return value.replace("%s", encoded(png(1_000, 1_000)))

    assert chars(filled(block)) == round(1_333 * CHARS_PER_TOKEN)


def test_a_document_of_text_counts_as_its_text():
    text = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a" * 70_000}}
    assert 70_000 < chars(text) < 70_200
    parts = {
        "type": "document",
        "source": {"type": "content", "content": [{"type": "text", "text": "a" * 70_000}]},
    }
    assert 70_000 < chars(parts) < 70_200
