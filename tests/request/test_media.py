"""What documents, sound and video count as, by the headers of every format that is read."""

from __future__ import annotations

import struct
import zlib
from base64 import b64decode, b64encode, encodebytes, urlsafe_b64encode
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy_cache import Engine
from policy_cache.cache.reading import read
from policy_cache.providers.catalog import packaged_catalog
from policy_cache.providers.file import loads_catalog
from policy_cache.providers.resolve import resolve
from policy_cache.request import documents
from policy_cache.request.documents import pages_of
from policy_cache.request.encoded import Encoded
from policy_cache.request.images import image_size
from policy_cache.request.media import CLAUDE, reduced
from policy_cache.request.recordings import Recording, recording
from policy_cache.request.tokens import CHARS_PER_TOKEN, chars, has_media


def encoded(data):
    return b64encode(data).decode()


def tree(pages, *, branches=(), outline=9_999):
    """A page tree as objects without their numbers: its root, its branches, and an outline beside it."""
    root = (
        b"<</Kids[4 0 R] /Count %d /MediaBox[0 0 612 792] /Resources<</Font<</F 1 0 R>>>> /Type /Pages>>"
        % pages
    )
    nodes = [b"<</Type/Pages/Parent 2 0 R/Count %d>>" % branch for branch in branches]
    return [root, *nodes, b"<</Type/Outlines/Count %d>>" % outline, b"<</Type /Page /Parent 2 0 R>>"]


def plain(pages, *, before=0, behind=0, **more):
    """A PDF with a table of objects, and other objects before and behind the page tree."""
    body, places = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", []

    def put(content):
        nonlocal body
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (len(places), content)

    put(b"<</Type/Catalog/Outlines 5 0 R/Pages 3 0 R>>")
    put(b"<</Length %d>>stream\n%s\nendstream" % (before, b"<" * before))
    for content in tree(pages, **more):
        put(content)
    put(b"<</Length %d>>stream\n%s\nendstream" % (behind, b"(" * behind))
    table = len(body)
    entries = b"".join(b"%010d 00000 n \n" % place for place in places)
    return (
        body
        + b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(places) + 1, entries)
        + b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(places) + 1, table)
    )


def packed(pages, *, before=0, **more):
    """A PDF whose objects are in a compressed stream, as its table is."""
    objects = zlib.compress(b" ".join(tree(pages, **more)))
    stream = b"9 0 obj\n<</Type /ObjStm /N 4 /First 20 /Length %d /Filter /FlateDecode>>\nstream\n" % len(
        objects
    )
    return b"%PDF-1.7\n" + b"z" * before + stream + objects + b"\nendstream\nendobj\nstartxref\n9\n%%EOF"


def linear(pages):
    return (
        b"%%PDF-1.5\n1 0 obj\n<</Linearized 1 /L 9000 /H [1 2] /O 3 /E 4 /N %d /T 5>>\nendobj\n" % pages
        + bytes(900)
    )


def wav(seconds, rate=16_000, *, before=b"", behind=b"", size=None):
    """With other chunks before and behind its samples, whose size it may say or not."""
    samples = bytes(2 * int(seconds * rate))
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16)
    data = struct.pack("<4sI", b"data", len(samples) if size is None else size) + samples
    return struct.pack("<4sI4s", b"RIFF", 36 + len(samples), b"WAVE") + before + form + data + behind


def mp3(seconds, *, tag=0, counted=False):
    """At 64,000 bits and 44,100 samples a second, one channel."""
    frames = round(seconds * 44_100 / 1_152)
    frame = b"\xff\xfb\x50\xc0" + bytes(204)
    first = b"\xff\xfb\x50\xc0" + bytes(17) + b"Xing\0\0\0\1" + struct.pack(">I", frames) + bytes(175)
    before = b"ID3\4\0\0" + bytes([tag >> 21 & 127, tag >> 14 & 127, tag >> 7 & 127, tag & 127]) + bytes(tag)
    return before + (first + b"\xff\xfb\x90\xc0" + bytes(300) if counted else frame * frames)


def mpeg4(seconds, *, brand=b"isom", wide=False, before=b"", behind=b""):
    scale = 90_000
    length = round(seconds * scale)
    times = (
        struct.pack(">BxxxQQIQ", 1, 0, 0, scale, length)
        if wide
        else struct.pack(">IIIII", 0, 0, 0, scale, length)
    )
    header = struct.pack(">I4s", 8 + len(times) + 80, b"mvhd") + times + bytes(80)
    return (
        struct.pack(">I4s4sI", 16, b"ftyp", brand, 0)
        + before
        + struct.pack(">I4s", 8 + len(header), b"moov")
        + header
        + behind
    )


def box(size, *, large=False):
    """A film's own data, which may say its size in eight bytes."""
    head = struct.pack(">I4sQ", 1, b"mdat", 16 + size) if large else struct.pack(">I4s", 8 + size, b"mdat")
    return head + bytes(size)


@pytest.mark.parametrize("make", [plain, packed, linear])
@given(pages=st.integers(1, 5_000))
def test_every_kind_of_pdf_says_its_pages(make, pages):
    assert pages_of(Encoded(encoded(make(pages)))) == pages
    assert pages_of(Encoded(f"data:application/pdf;base64,{encoded(make(pages))}")) == pages


@pytest.mark.parametrize(
    "document",
    [
        plain(300, before=500_000),
        plain(300, behind=500_000),
        plain(300, before=500_000, behind=500_000),
        plain(300, before=500_000, behind=500_000, branches=(200, 100)),
        packed(300, before=500_000),
        packed(300, branches=(100, 100, 100)),
    ],
)
def test_the_root_of_the_tree_counts(document):
    """Wherever it stands, and whatever its branches, an outline or the text between count."""
    assert pages_of(Encoded(encoded(document))) == 300


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("at", ["before", "behind"])
def test_a_film_says_its_length_before_or_behind_its_data(at, wide, large):
    film = mpeg4(12.5, wide=wide, **{at: box(300_000, large=large)})
    assert recording(Encoded(encoded(film))) == Recording("video", 12.5)


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("length", [0, -1])
def test_a_film_in_fragments_does_not_say_its_length(length, wide):
    """Of one that is written as it is recorded, it is 0; where nobody knows it, all ones."""
    film = mpeg4(1, wide=wide)
    times = struct.pack(">IQ" if wide else ">II", 90_000, 90_000)
    nothing = struct.pack(">I", 90_000) + (length % 2**64).to_bytes(8)[: 8 if wide else 4]
    assert recording(Encoded(encoded(film.replace(times, nothing)))) is None


@pytest.mark.parametrize(
    ("data", "seconds"),
    [
        (wav(3), 3.0),
        (wav(3, before=b"JUNK\x05\0\0\0junk.\0"), 3.0),
        (wav(3, behind=b"LIST" + struct.pack("<I", 400_000) + bytes(400_000)), 3.0),
        (wav(3, size=0), 3.0),
        (wav(3.5, rate=8_000), 3.5),
        (mp3(30), 30.0),
        (mp3(30, tag=5_000), 30.0),
        (mp3(30, counted=True), 30.0),
        (mpeg4(9, brand=b"M4A "), 9.0),
    ],
)
def test_sound_says_its_length(data, seconds):
    heard = recording(Encoded(encoded(data)))
    assert (heard.kind, heard.seconds) == ("sound", pytest.approx(seconds, rel=0.01))


def document(**source):
    return {"type": "document", "source": source}


def sound(data, form="wav"):
    return {"type": "input_audio", "input_audio": {"data": encoded(data), "format": form}}


def film(kind, data, of="video/mp4"):
    return {"type": kind, kind: {"url": f"data:{of};base64,{encoded(data)}"}}


def pdf_parts(data):
    """A PDF in every place of a request where one may stand."""
    url = f"data:application/pdf;base64,{data}"
    return [
        {"type": "file", "file": {"file_data": url, "filename": "a.pdf"}},
        {"type": "image_url", "image_url": {"url": url}},
        {"type": "image_url", "image_url": url},
        document(type="base64", media_type="application/pdf", data=data),
        {"type": "input_file", "file_data": url, "filename": "a.pdf"},
    ]


# Where a page has the number itself, it is the one here.
EXAMPLES = [
    *(("anthropic/claude-sonnet-4-5", part, 6_999) for part in pdf_parts(encoded(plain(3)))),
    ("bedrock/invoke/us.anthropic.claude-opus-4-7", pdf_parts(encoded(plain(3)))[0], 6_999),
    ("bedrock/us.anthropic.claude-opus-4-7", pdf_parts(encoded(plain(3)))[0], 999),
    ("gemini/gemini-2.5-pro", pdf_parts(encoded(plain(10)))[0], 2_580),
    ("vertex_ai/gemini-3-pro-preview", pdf_parts(encoded(plain(10)))[1], 5_600),
    ("openai/gpt-4o", pdf_parts(encoded(plain(3)))[0], 6_999),
    ("gemini/gemini-2.5-pro", sound(wav(60)), 1_920),
    ("openai/gpt-4o-audio-preview", sound(mp3(30), "mp3"), 300),
    ("gemini/gemini-2.5-pro", film("video_url", mpeg4(10)), 3_000),
    ("gemini/gemini-3-pro-preview", film("image_url", mpeg4(10)), 1_020),
    # Sound in a film's container, as the block or its type says.
    ("gemini/gemini-2.5-pro", sound(mpeg4(10), "mp4"), 320),
    ("gemini/gemini-2.5-pro", film("image_url", mpeg4(10), "audio/mp4"), 320),
    ("openai/gpt-audio", sound(mpeg4(10), "mp4"), 100),
    # What is not known counts as any medium without a header does.
    ("openai/gpt-4o", sound(wav(60)), 1_429),
    ("anthropic/claude-sonnet-4-5", document(type="url", url="https://example.org/a.pdf"), 1_429),
    ("anthropic/claude-sonnet-4-5", document(type="file", file_id="file_1"), 1_429),
    ("gemini/gemini-2.5-pro", {"type": "file", "file": {"file_id": "https://example.org/a.mp4"}}, 1_429),
]


@pytest.mark.parametrize(("model", "part", "tokens"), EXAMPLES)
def test_a_prompt_has_its_media_in_its_models_tokens(model, part, tokens):
    area = "input" if part["type"].startswith("input_f") else "messages"
    request = {"model": model, area: [{"role": "user", "content": [part]}]}
    [block] = read(request, Engine.passing().facts(request).route).blocks
    assert block.tokens == pytest.approx(tokens, abs=7)


def test_a_document_in_the_result_of_a_tool_counts_alike():
    part = pdf_parts(encoded(plain(3)))[3]
    assert chars([{"type": "tool_result", "content": [part]}]) - chars(
        [{"type": "tool_result", "content": []}]
    ) == round(6_999 * CHARS_PER_TOKEN)


PNG = encoded(b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 1_000, 1_000) + bytes(90_000))


@pytest.mark.parametrize(
    "item",
    [
        {
            "type": "computer_call_output",
            "call_id": "c",
            "output": {"type": "computer_screenshot", "image_url": f"data:image/png;base64,{PNG}"},
        },
        {"type": "image_generation_call", "id": "i", "status": "completed", "result": PNG},
    ],
)
def test_screenshots_and_pictures_of_the_responses_api_are_images(item):
    request = {"model": "anthropic/claude-sonnet-4-5", "input": [item]}
    [block] = read(request, Engine.passing().facts(request).route).blocks
    assert block.tokens == pytest.approx(1_296, abs=30)


@pytest.mark.parametrize("kind", ["file", "document", "image", "video", "input_audio"])
def test_a_tools_own_type_is_no_medium(kind):
    """In what it takes and in what it is given, `type` is the tool's word."""
    value = {"type": kind, "path": "a.py", "content": "x" * 50_000}
    call = {"type": "tool_use", "id": "t", "name": "write", "input": value}
    tools = [
        {"name": "write", "input_schema": value},
        {"type": "function", "function": {"name": "write", "parameters": value}},
    ]
    for one in (call, *tools):
        assert chars(one) > 50_000
        assert not has_media([one])
    assert has_media([{"type": "tool_result", "content": [document(type="base64", data=PNG)]}])


def test_what_is_said_of_a_document_counts():
    part = pdf_parts(encoded(plain(3)))[3]
    assert chars({**part, "context": "c" * 700, "title": "t" * 70}) == chars(part) + 770


def test_a_text_document_made_of_objects_counts_as_its_text():
    source = SimpleNamespace(type="text", media_type="text/plain", data="x" * 70_000)
    assert chars(SimpleNamespace(type="document", source=source)) > 70_000


@pytest.mark.parametrize("data", [plain(3), packed(3), linear(3), wav(3), mpeg4(3)])
def test_base64_may_be_written_in_other_ways(data):
    """In lines, for URLs, or without what fills up its end."""
    media = CLAUDE._replace(sound=10, video=100)
    usual = media.tokens_of(encoded(data))
    assert usual is not None
    for text in (encodebytes(data), urlsafe_b64encode(data), b64encode(data).rstrip(b"=")):
        assert media.tokens_of(text.decode()) == usual
        assert media.tokens_of(f"data:a/b;base64,{text.decode()}") == usual


def test_what_a_stream_stands_for_is_looked_at_in_proportion_to_the_document(monkeypatch):
    """Many small documents cost no more than a large one, whatever is packed into them."""
    words, sizes = zlib.compress(b"<</Type/Pages/Parent 1 0 R/Count 1>>" * 100_000), []
    monkeypatch.setattr(documents, "_counts", lambda part, most: sizes.append((len(part), most)) or ())
    for size in (60, 200, 1_000, 5_000, 10_000):
        bomb = b"%PDF-1.7\n/Type /ObjStm >>stream\n" + words[:size] + b"endstream"
        assert pages_of(Encoded(encoded(bomb))) is None
        assert max(length for length, _ in sizes) <= 8 * len(bomb) + 24
        assert max(most for _, most in sizes) <= 64 + len(bomb) // 16 + 1
        sizes.clear()


def test_a_catalog_of_ones_own_has_its_numbers():
    catalog = loads_catalog(
        "version: 1\nmedia: {acme: {models: [{match: [acme-*], page: 100, sound: 7}]}}\n", "a.yaml"
    )
    media = resolve(catalog, model="openai/acme-1", provider=None, api_base=None, shape="chat").media
    assert media == CLAUDE._replace(page=100, sound=7)
    assert (
        resolve(catalog, model="gpt-4o-audio", provider=None, api_base=None, shape="chat").media.sound == 10
    )


@pytest.mark.parametrize(
    "data",
    [
        plain(300),
        packed(7),
        linear(2),
        wav(61.5),
        mp3(30),
        mp3(30, counted=True),
        mpeg4(12.345),
        mpeg4(9, brand=b"M4A "),
    ],
)
def test_what_is_reduced_has_the_same_sizes(data):
    media = CLAUDE._replace(sound=1_000, video=3_000)
    for held in (encoded(data), f"data:a/b;base64,{encoded(data)}", f"data:audio/mp4;base64,{encoded(data)}"):
        small = reduced(held)
        assert len(small) < 150
        assert small.startswith("data:") == held.startswith("data:")
        assert media.tokens_of(f"{small}0123456789abcdef") == pytest.approx(media.tokens_of(held), abs=2)


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_a_reduced_image_has_its_width_and_height(width, height):
    held = encoded(b"GIF89a" + struct.pack("<HH", width % 65_536, height % 65_536) + b"secret" * 50)
    small = reduced(held)
    assert image_size(Encoded(small)) == image_size(Encoded(held)) == (width % 65_536, height % 65_536)
    assert b"secret" not in b64decode(small)


@given(st.text() | st.binary().map(encoded) | st.binary().map(lambda data: f"data:x;base64,{encoded(data)}"))
def test_what_is_no_medium_is_not_reduced(text):
    assert reduced(text) is None


@pytest.mark.parametrize(
    "data",
    [
        plain(999_999),
        linear(999_999),
        mpeg4(10**9, wide=True),
        mpeg4(10**9, brand=b"M4A ", wide=True),
    ],
)
def test_no_header_makes_more_than_any_model_takes(data):
    for model in {example[0] for example in EXAMPLES}:
        media = resolve(packaged_catalog(), model=model, provider=None, api_base=None, shape="chat").media
        assert (media.tokens_of(encoded(data)) or 0) <= 2_000_000


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"%PDF-",
        b"%PDF-1.7\n" + b"<</Type/Pages/Count 0>>",
        plain(3).replace(b"/Pages", b"/Pagez"),
        packed(3)[:60],
        wav(3)[:20],
        wav(1).replace(struct.pack("<I", 32_000), bytes(4)),
        mp3(1)[:12],
        b"\xff\xfb\xf0\xc0" + bytes(500),
        b"\xff\xff\xff\xff" + bytes(500),
        mpeg4(1)[:30],
        b"\0\0\0\x10ftypisom" + bytes(4),
        b"\0\0\0\x10ftypisom" + bytes(4) + b"\0\0\0\0free" * 500,
        struct.pack(">I4s4sI", 16, b"ftyp", b"isom", 0) + struct.pack(">I4sQ", 1, b"mdat", 2**64 - 1),
        mpeg4(1).replace(struct.pack(">I", 90_000), bytes(4)),
    ],
)
def test_what_says_nothing_is_not_known(data):
    whole = Encoded(encoded(data))
    assert (pages_of(whole), recording(whole)) == (None, None)


MADE = [
    plain(3),
    packed(3),
    linear(3),
    wav(0.1),
    mp3(1),
    mp3(1, counted=True),
    mpeg4(1),
    mpeg4(1, before=box(50)),
]


@given(
    st.sampled_from(MADE),
    st.lists(st.tuples(st.integers(0, 2_000), st.binary(max_size=8)), max_size=4),
    st.integers(0, 3_000),
)
def test_nothing_raises(made, changes, end):
    data = bytearray(made)
    for at, change in changes:
        data[at : at + len(change)] = change
    media = CLAUDE._replace(sound=10, video=100)
    for held in (encoded(bytes(data)), encoded(bytes(data[:end])), encoded(bytes(data))[1:]):
        counted = media.tokens_of(held)
        assert counted is None or 0 <= counted <= 2_000_000


@given(st.text(), st.sampled_from([None, "image", "sound"]))
def test_no_text_raises(text, kind):
    for held in (text, f"data:{text}", f"data:,{text}"):
        counted = CLAUDE.tokens_of(held, text, kind)
        assert counted is None or counted >= 0


@given(st.binary(max_size=300), st.integers(0, 320), st.integers(0, 320))
def test_any_part_is_what_decoding_the_whole_has(data, at, size):
    for text in (encoded(data), f"data:a/b;base64,{encoded(data)}"):
        assert Encoded(text).part(at, size) == data[at : at + size]
        assert 0 <= Encoded(text).size - len(data) <= 2


@pytest.mark.parametrize(
    "data",
    [
        plain(300, before=3_000_000, behind=3_000_000),
        b"%PDF-1.7\n" + b"<</Type/Pages/Count 1 " * 300_000,
        b"%PDF-1.7\n" + b"/Type /ObjStm >>stream\n" * 300_000,
        b"%PDF-1.7\n"
        + b"".join(b"/Type /ObjStm >>stream\n" + zlib.compress(bytes(10**7)) for _ in range(100)),
        wav(300),
        mpeg4(1, before=b"\0\0\0\x08free" * 1_000_000),
        mpeg4(1, before=box(6_000_000)),
    ],
)
def test_the_time_does_not_grow_with_the_file(data, watched):
    """However large it is, as much of it is looked at: headers, and what they lead to."""
    CLAUDE.tokens_of(watched(encoded(data)))
    assert 0 < sum(watched.looked) < 600_000
