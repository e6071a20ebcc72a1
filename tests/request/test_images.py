"""The size of an image by its header, in every format that providers take."""

from __future__ import annotations

import struct
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy_cache import Engine
from policy_cache.cache.reader import Readers
from policy_cache.cache.reading import read
from policy_cache.providers.catalog import packaged_catalog
from policy_cache.providers.resolve import resolve
from policy_cache.request.encoded import Encoded
from policy_cache.request.images import ImageRule, image_size
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
    assert image_size(Encoded(encoded(make(width, height)))) == (width, height)
    assert image_size(Encoded(f"data:image/x;base64,{encoded(make(width, height))}")) == (width, height)


@pytest.mark.parametrize("before", [0, 100, 3_000, 50_000, 90_000])
def test_a_jpeg_may_have_much_before_its_size(before):
    assert image_size(Encoded(encoded(jpeg(300, 400, before=before)))) == (300, 400)


def url(size=(1_000, 1_000)):
    return f"data:image/png;base64,{encoded(png(*size))}"


# Where a page has the example itself, it is the one here.
EXAMPLES = [
    ("anthropic/claude-sonnet-4-5", None, (200, 200), 64),
    ("anthropic/claude-sonnet-4-5", None, (1_000, 1_000), 1_296),
    ("anthropic/claude-sonnet-4-5", None, (1_920, 1_080), 1_560),
    ("anthropic/claude-sonnet-4-5", "low", (1_000, 1_000), 1_296),
    ("anthropic/claude-opus-5-5", None, (1_920, 1_080), 2_691),
    ("anthropic/claude-opus-5-5", None, (8_000, 8_000), 4_761),
    ("bedrock/us.anthropic.claude-opus-4-7", None, (1_920, 1_080), 2_691),
    ("openai/gpt-4o", None, (1_024, 1_024), 765),
    ("openai/gpt-4o", "high", (2_048, 4_096), 1_105),
    ("openai/gpt-4o", "low", (4_096, 8_192), 85),
    ("openrouter/openai/gpt-4o-mini", "low", (64, 64), 2_833),
    ("openai/gpt-4o-mini", None, (128, 64), 8_500),
    ("azure/o3", None, (128, 64), 225),
    ("openai/gpt-4.1", None, (2_049, 513), 1_445),
    ("openai/gpt-4.1", None, (2_050, 513), 765),
    ("openai/o4-mini", None, (1_024, 1_024), 1_762),
    ("openai/gpt-4.1-nano", None, (1_800, 2_400), 3_572),
    ("openai/gpt-5.4", None, (4_000, 3_000), 2_942),
    ("openai/gpt-5.4", "original", (4_000, 3_000), 11_868),
    ("openai/gpt-5.6", None, (4_000, 3_000), 14_100),
    ("openai/gpt-5.6", "low", (4_000, 3_000), 231),
    ("openai/gpt-5.6", "high", (4_000, 3_000), 2_942),
    ("gemini/gemini-2.5-pro", None, (384, 384), 258),
    ("gemini/gemini-2.5-pro", None, (960, 540), 1_548),
    ("vertex_ai/gemini-3-pro-preview", None, (960, 540), 1_120),
    ("gemini/gemini-3-pro-preview", "low", (960, 540), 280),
    ("deepseek/deepseek-chat", None, (1_000, 1_000), 1_296),
]


@pytest.mark.parametrize(("model", "detail", "size", "tokens"), EXAMPLES)
def test_what_providers_publish(model, detail, size, tokens):
    route = resolve(packaged_catalog(), model=model, provider=None, api_base=None, shape="chat")
    assert route.media.images.of(detail).tokens_of(size) == tokens


@pytest.mark.parametrize(
    ("model", "detail"),
    [
        *(("claude-sonnet-4-5", "auto"), ("claude-opus-4-7", "auto")),
        *(("gpt-4.1-mini", "auto"), ("gpt-5.2", "high"), ("gpt-5.4", "auto"), ("gpt-5.4", "original")),
        *((f"gpt-{name}", detail) for name in ("5.5", "5.6-sol") for detail in ("auto", "low", "high")),
    ],
)
@given(st.integers(1, 4_500), st.integers(1, 4_500))
def test_litellm_counts_the_same(model, detail, width, height):
    estimate = pytest.importorskip("litellm.litellm_core_utils.token_counter").estimate_image_tokens
    route = resolve(packaged_catalog(), model=model, provider=None, api_base=None, shape="chat")
    assert route.media.images.of(detail).tokens_of((width, height)) == estimate(
        model, url((width, height)), detail
    )


@given(st.sampled_from([example[:2] for example in EXAMPLES]), st.integers(-1, 10**6), st.integers(-1, 10**6))
def test_any_size_has_its_tokens(one, width, height):
    model, detail = one
    route = resolve(packaged_catalog(), model=model, provider=None, api_base=None, shape="chat")
    assert route.media.images.of(detail).tokens_of((width, height)) > 0


@pytest.mark.parametrize("size", [(2**32 - 1, 2**32 - 1), (2**32 - 1, 1), (1, 2**32 - 1), (2**31, 2**20)])
def test_no_header_makes_more_than_100_000_tokens(size):
    """Of any model of the catalog, whatever it says."""
    details = (None, "auto", "low", "medium", "high", "ultra_high", "original")
    models = {example[0] for example in EXAMPLES} | {"gpt-6-astra", "gpt-5.5", "computer-use-preview", "o1"}
    for model in models:
        route = resolve(packaged_catalog(), model=model, provider=None, api_base=None, shape="chat")
        assert max(route.media.images.of(detail).tokens_of(size) for detail in details) <= 100_000


@pytest.mark.parametrize(
    ("rule", "size", "tokens"),
    [
        (ImageRule(square=10), (1_000, 10_000), 100_000),
        (ImageRule(square=10), (1_000, 10_001), 100_000),
        (ImageRule(square=10, tokens=1.5, base=9), (1_000, 6_660), 99_909),
        (ImageRule(square=10, tokens=1.5, base=9), (1_000, 6_670), 100_000),
        (ImageRule(crop=1.5, tokens=258), (1, 10**9), 100_000),
        # What an image counts as in any size is not its header's word.
        (ImageRule(base=200_000), (1, 1), 200_000),
    ],
)
def test_where_a_rule_has_no_bound(rule, size, tokens):
    assert rule.tokens_of(size) == tokens


@pytest.mark.parametrize(
    ("model", "image", "tokens"),
    [
        ("gpt-4o", {"url": url()}, 765),
        ("gpt-4o", {"url": url(), "detail": "low"}, 85),
        ("gpt-4o", {"url": "https://example.org/a.png", "detail": "low"}, 85),
        ("gpt-4o", {"url": "https://example.org/a.png"}, 1_429),
        ("gemini/gemini-3-pro-preview", {"url": "https://example.org/a.png"}, 1_120),
        ("anthropic/claude-sonnet-4-5", {"url": url()}, 1_296),
    ],
)
def test_a_prompt_has_its_images_in_its_models_tokens(model, image, tokens):
    """Whether it is read alone, or with others that share its parts."""
    part = {"type": "image_url", "image_url": image}
    request = {"model": model, "messages": [{"role": "user", "content": [part]}]}
    route = Engine.passing().facts(request).route
    for prompt in (read(request, route), Readers({}).read(request, route)):
        assert [block.tokens for block in prompt.blocks] == [tokens]


def test_readers_keep_the_images_of_models_apart():
    part = {"type": "image_url", "image_url": {"url": url()}}
    readers, messages = Readers({}), [{"role": "user", "content": [part]}]
    for model, tokens in (("gpt-4o", 765), ("gpt-5.2", 1_229), ("gpt-4o", 765)):
        request = {"model": model, "messages": messages}
        [block] = readers.read(request, Engine.passing().facts(request).route).blocks
        assert block.tokens == tokens


@pytest.mark.parametrize(("detail", "tokens"), [(None, 765), ("low", 85)])
def test_an_image_of_the_responses_api(detail, tokens):
    part = {"type": "input_image", "image_url": url(), **({"detail": detail} if detail else {})}
    request = {"model": "gpt-4o", "input": [{"role": "user", "content": [part]}]}
    [block] = read(request, Engine.passing().facts(request).route).blocks
    assert block.tokens == tokens


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
    assert image_size(Encoded(data)) is None


@given(st.text(), st.sampled_from(FORMATS), st.integers(0, 200))
def test_nothing_raises(text, make, end):
    for data in (text, f"data:{text}", f"/9j/{text}", encoded(make(3, 4)[:end])):
        assert image_size(Encoded(data)) is None or min(image_size(Encoded(data))) >= 0


def test_the_time_does_not_grow_with_the_image(watched):
    """A hundred megabytes: the string is looked at where its header is."""
    image_size(Encoded(watched(encoded(jpeg(3, 4, before=400_000)) + "A" * 10_000_000)))
    assert 0 < sum(watched.looked) < 200_000


def test_segments_are_looked_at_so_far():
    segments = b"\xff\xd8" + b"\xff\xe1\x00\x02" * 30_000 + jpeg(3, 4)[2:]
    assert image_size(Encoded(encoded(segments))) is None


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

    assert chars(filled(block)) == round(1_296 * CHARS_PER_TOKEN)


def test_a_document_of_text_counts_as_its_text():
    text = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a" * 70_000}}
    assert 70_000 < chars(text) < 70_200
    parts = {
        "type": "document",
        "source": {"type": "content", "content": [{"type": "text", "text": "a" * 70_000}]},
    }
    assert 70_000 < chars(parts) < 70_200
