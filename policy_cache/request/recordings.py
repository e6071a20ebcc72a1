"""How long sound or video is, from its header: nothing that is heard or seen is decoded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from policy_cache.request.encoded import Encoded

_MOST_BOXES = 64
_MOST_CHUNKS = 16
_RATES = (44_100, 48_000, 32_000)
# Thousands of bits a second: of MPEG-1, and of MPEG-2 and 2.5, both Layer III.
_KBITS = (
    (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0),
    (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0),
)


class Recording(NamedTuple):
    """Sound or video.

    Attributes:
        kind: Which of both.
        seconds: How long it is.
    """

    kind: Literal["sound", "video"]
    seconds: float


def recording(data: Encoded) -> Recording | None:
    """What a header says of sound (WAV, MP3, M4A) or video (MP4, MOV).

    Args:
        data: What may be either; only its headers are looked at.

    Returns:
        None where it is neither, or where nothing says how long it is.
    """
    head = data.part(0, 64)
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return _wav(data)
    if head[4:8] == b"ftyp":
        seconds = _mpeg4(data)
        kind: Literal["sound", "video"] = "sound" if head[8:12] in (b"M4A ", b"M4B ") else "video"
        return None if seconds is None else Recording(kind, seconds)
    return _mp3(data, head)


def _wav(data: Encoded) -> Recording | None:
    """From the bytes of a second and those of the samples, each in a chunk of its own."""
    at, rate = 12, 0
    for _ in range(_MOST_CHUNKS):
        chunk = data.part(at, 20)
        kind, size = chunk[:4], int.from_bytes(chunk[4:8], "little")
        if kind == b"fmt ":
            rate = int.from_bytes(chunk[16:20], "little")
        elif kind == b"data":
            # A recorder that was cut short has written no size.
            size = min(size or data.size, max(0, data.size - at - 8))
            return Recording("sound", size / rate) if rate else None
        at += 8 + size + size % 2
    return None


def _mpeg4(data: Encoded) -> float | None:
    """The length in the header of the film, which stands at the beginning or at the end."""
    at, end, left = 0, data.size, _MOST_BOXES
    while at < end and left:
        box = data.part(at, 48)
        size, kind, body = int.from_bytes(box[:4]), box[4:8], 8
        if size == 1:
            size, body = int.from_bytes(box[8:16]), 16
        if kind == b"mvhd":
            wide = box[body : body + 1] == b"\x01"
            times = box[body + 4 + (16 if wide else 8) :]
            scale, length = int.from_bytes(times[:4]), int.from_bytes(times[4 : 12 if wide else 8])
            # Of a film in fragments, it is 0; where nobody knows it, all ones.
            known = 0 < length < (1 << (64 if wide else 32)) - 1
            return length / scale if scale and known else None
        # What is in the film's own box comes next; any other is stepped over.
        at += body if kind == b"moov" else max(body, size)
        left -= 1
    return None


def _mp3(data: Encoded, head: bytes) -> Recording | None:
    """From the frames that the first one counts, or from its bit rate, where all have the same."""
    start = 0
    if head[:3] == b"ID3" and len(head) >= 10:
        start = 10 + (head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9])
    frame = data.part(start, 64)
    if len(frame) < 48 or frame[0] != 0xFF or frame[1] & 0xE6 != 0xE2:
        return None  # no frame of Layer III
    version, kbit, rate = frame[1] >> 3 & 3, frame[2] >> 4, frame[2] >> 2 & 3
    if version == 1 or rate == 3:
        return None
    first = version == 3
    hertz = _RATES[rate] >> (3 - version if version else 2)
    mono = frame[3] >> 6 == 3
    tag = 4 + ((17 if mono else 32) if first else (9 if mono else 17))
    if frame[tag : tag + 4] in (b"Xing", b"Info") and frame[tag + 7] & 1:
        frames = int.from_bytes(frame[tag + 8 : tag + 12])
        return Recording("sound", frames * (1152 if first else 576) / hertz)
    bits = _KBITS[not first][kbit] * 1_000
    return Recording("sound", (data.size - start) * 8 / bits) if bits else None
