"""Locations: where a value stands in a request, as RFC 9535 normalized paths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from policy_cache.text.words import cut, visible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Key: TypeAlias = str | int
Location: TypeAlias = tuple[Key, ...]

_ESCAPES = str.maketrans(
    {chr(code): f"\\u{code:04x}" for code in range(0x20)}
    | {"\\": "\\\\", "'": "\\'", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
)


def normalized(location: Location) -> str:
    """Print a location as a normalized path: `("tools", 22)` is `$['tools'][22]`."""
    return "$" + "".join(
        f"[{key}]" if isinstance(key, int) else f"['{key.translate(_ESCAPES)}']" for key in location
    )


def place(location: Location) -> str:
    """A location for people, as a normalized path: printable, long names in it cut."""
    return visible(normalized(tuple(cut(key) if isinstance(key, str) else key for key in location)))


def pointer(location: Location) -> str:
    """Print a location as a JSON Pointer (RFC 6901): `("tools", 22)` is `/tools/22`."""
    return "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in location)


_KINDS = {
    bool: "true or false",
    dict: "an object",
    float: "a number",
    int: "a number",
    list: "a list",
    str: "a text",
    type(None): "nothing",
}


def kind_of(value: object) -> str:
    """What a value is, in a person's words; never the value itself."""
    return _KINDS.get(type(value), type(value).__name__)


def fields_of(value: object) -> Mapping[str, object] | None:
    """The named members of a dict, or of a pydantic object as litellm and the SDKs return them.

    Returns None where there are none: a list, a text, a number.
    """
    if isinstance(value, dict):
        return value
    if hasattr(value, "model_fields_set"):
        extra: Mapping[str, object] | None = getattr(value, "__pydantic_extra__", None)
        return {**vars(value), **extra} if extra else vars(value)
    return None


def elements_of(value: object) -> Sequence[Any]:
    """The elements of a list or a tuple; none of anything else."""
    return value if isinstance(value, (list, tuple)) else ()


def value_at(document: object, location: Location) -> Any:  # noqa: ANN401, whatever stands there
    """The value at a location that exists in a document."""
    value: Any = document
    for key in location:
        members: Any = value if isinstance(value, (dict, list, tuple)) else fields_of(value)
        value = members[key]
    return value
