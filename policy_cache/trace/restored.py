"""Stand-ins for the texts of a hashed trace: as long as the text was, and equal where the text was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import msgspec

_LEAF = frozenset({"chars", "hash"})
_MARK = b'"chars":'
_ALPHABET = bytes(range(33, 127)).decode()
_BILLING = "x-anthropic-billing-header:"


def is_hashed(raw: msgspec.Raw) -> bool:
    """Whether a value may hold hashed texts."""
    return _MARK in bytes(raw)


def restored(value: Any) -> Any:  # noqa: ANN401, JSON
    """The value with a text for each hashed one.

    Of a text of two characters, one in some 9,000 different ones has the same stand-in.
    """
    if isinstance(value, dict):
        if value.keys() >= _LEAF and isinstance(value["chars"], int) and isinstance(value["hash"], str):
            return _text(value["chars"], value["hash"], value)
        return {name: restored(item) for name, item in value.items()}
    return [restored(item) for item in value] if isinstance(value, list) else value


def _text(chars: int, hashed: str, leaf: dict[str, Any]) -> str:
    if leaf.get("blank"):
        return " " * chars
    number = int(hashed, 16)
    symbols = []
    while number:
        number, digit = divmod(number, len(_ALPHABET))
        symbols.append(_ALPHABET[digit])
    text = "".join(symbols) or _ALPHABET[0]
    if leaf.get("billing"):
        text = _BILLING + text
    return (text * (chars // len(text) + 1))[:chars]
