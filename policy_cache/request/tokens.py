"""The size of a prompt, estimated from its characters.

A tokenizer costs milliseconds a request; a policy decides in microseconds, so sizes here are
counts of characters, and lengths only: no text is ever read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy_cache.errors import RequestError
from policy_cache.request.media import CLAUDE

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from policy_cache.request.media import Kind, MediaRules

CHARS_PER_TOKEN = 3.5
"""Typical of tools and prose for Claude: 3.4 to 4.1 in recorded agent requests."""

DENSEST_CHARS_PER_TOKEN = 2.5
"""The densest seen (Claude Opus 4.8). Below it, a prefix is surely smaller than a minimum."""

_MEDIA_TYPES: dict[str, Kind | None] = {
    **dict.fromkeys(
        ("image", "image_url", "input_image", "computer_screenshot", "image_generation_call"), "image"
    ),
    **dict.fromkeys(("input_audio", "audio"), "sound"),
    **dict.fromkeys(("document", "file", "input_file", "video", "video_url")),
}
_HOLDERS = ("source", "image_url", "file", "input_audio", "audio", "video_url", "video", "result")
# What a tool takes, and what it is given: a `type` in it is the tool's own word.
_OF_TOOLS = frozenset({"input", "input_schema", "parameters", "arguments"})
_BESIDE = ("title", "context")
_DATA = ("data", "url", "file_data")
_MEDIA_CHARS = 5_000
_MARKERS = frozenset({"cache_control", "prompt_cache_breakpoint"})
# What a provider's own tools found, which it keeps to itself: twice as many characters as what it stands for.
_ENCRYPTED = frozenset({"encrypted_content", "encrypted_index", "encrypted_stdout"})
_APART = _MARKERS | _ENCRYPTED
_MOST_VALUES = 200_000


class Allowance:
    """How many values of a request a walk may still look at: a request has fewer, and a cycle has no end."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = _MOST_VALUES

    def spend(self, values: int) -> None:
        """Take off some values.

        Raises:
            RequestError: None are left.
        """
        self._left -= values
        if self._left < 0:
            raise too_large()


def too_large() -> RequestError:
    """The error of a walk that would not end soon."""
    return RequestError((), found=f"over {_MOST_VALUES:,} values, or a cycle", expected="a request")


def chars(
    value: object, *, enough: int | None = None, plain: bool = False, media: MediaRules = CLAUDE
) -> int:
    """Count the characters of a request's value: names and texts, markers left out.

    Text outside ASCII counts twice, since it takes more tokens; images, PDFs, sound and video count as
    their headers say, and what has none as a fixed size, since its bytes are not its tokens.

    Args:
        value: Any part of a request.
        enough: Stop as soon as the count reaches this.
        plain: Count a text block as its text alone, so that a text and its one-block list weigh the same.
        media: What images, documents, sound and video count as.

    Raises:
        RequestError: The value is cyclic, or too large to be a request.
    """
    if type(value) is str:
        return len(value) if value.isascii() else 2 * len(value)
    return _counted(value, (0, 0), enough, media, plain=plain, types=_MEDIA_TYPES)[0]


def _counted(
    value: object,
    before: tuple[int, int],
    enough: int | None,
    media: MediaRules,
    *,
    plain: bool,
    types: Collection[str],
) -> tuple[int, int]:
    """The characters and the values of a value and of what came before it; blocks of `types` are media."""
    total, seen = before
    stack: list[object] = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            total += len(item) if item.isascii() else 2 * len(item)
            if enough is not None and total >= enough:
                break
            continue
        if isinstance(item, (list, tuple)):
            seen += len(item)
            stack.extend(item)
        else:
            fields = item if isinstance(item, dict) else getattr(item, "__dict__", None)
            if fields is None:
                total += 4
                continue
            seen += len(fields)
            kind = fields.get("type")  # in a JSON schema it may be a list, or a property of that name
            if isinstance(kind, str) and kind in types and not _is_written(fields):
                total += _media_chars(fields, media)
                continue
            if plain and kind == "text" and isinstance(fields.get("text"), str):
                stack.append(fields["text"])
                continue
            for name, field in fields.items():
                if name in _APART:
                    total += len(field) // 2 if name in _ENCRYPTED and isinstance(field, str) else 0
                elif field is not None:
                    total += len(name) if isinstance(name, str) else 4
                    if types and name in _OF_TOOLS and not isinstance(field, str):
                        total, seen = _counted(field, (total, seen), enough, media, plain=plain, types=())
                    else:
                        stack.append(field)
        if seen > _MOST_VALUES:
            raise too_large()
    return total, seen


def has_media(value: object) -> bool:
    """Whether a request's value holds an image, a document that is no text, or sound.

    Raises:
        RequestError: As for `chars`.
    """
    allowance = Allowance()
    stack = [value]
    while stack:
        item = stack.pop()
        fields = item if isinstance(item, dict) else getattr(item, "__dict__", None)
        if isinstance(item, (list, tuple)):
            inner: Collection[object] = item
        elif fields is None:
            continue
        else:
            kind = fields.get("type")
            if isinstance(kind, str) and kind in _MEDIA_TYPES and not _is_written(fields):
                return True
            inner = [field for name, field in fields.items() if name not in _OF_TOOLS]
        allowance.spend(len(inner))
        stack.extend(inner)
    return False


def _fields(value: object) -> Mapping[str, object]:
    """The members of a dict, or of an object of any kind."""
    return value if isinstance(value, dict) else getattr(value, "__dict__", {})


def _is_written(block: Mapping[str, object]) -> bool:
    """Whether a document is text, or blocks, which count as what they say."""
    return _fields(block.get("source")).get("type") in ("text", "content")


def _media_chars(block: Mapping[str, object], media: MediaRules) -> int:
    """What a medium counts as: that of its header, or a fixed size; and what is said beside it."""
    held, detail, kind = _held(block), block.get("detail"), _MEDIA_TYPES[str(block["type"])]
    if not isinstance(held, str):
        fields = _fields(held)
        detail = detail or fields.get("detail")
        if str(fields.get("media_type", "")).startswith("audio/"):
            kind = "sound"
        held = next((data for name in _DATA if isinstance(data := fields.get(name), str)), None)
    counted = media.tokens_of(held, detail, kind)
    beside = sum(chars(said) for name in _BESIDE if isinstance(said := block.get(name), str))
    return beside + (_MEDIA_CHARS if counted is None else round(counted * CHARS_PER_TOKEN))


def _held(block: Mapping[str, object]) -> object:
    """What a block holds: where its shape has it, under the block's own type or as its source."""
    return next((block[name] for name in _HOLDERS if block.get(name)), block)


def tokens(value: object, media: MediaRules = CLAUDE) -> int:
    """Estimate the tokens of a request's value; `media` says what images and the like count as."""
    return round(chars(value, media=media) / CHARS_PER_TOKEN)
