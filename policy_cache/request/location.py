"""Locations: where a value stands in a request, as RFC 9535 normalized paths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar, overload

from policy_cache.text.words import cut, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

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

    Returns None where there are none: a list, a text, a number, a class.
    """
    if isinstance(value, dict):
        return value
    if hasattr(value, "model_fields_set") and not isinstance(value, type):
        extra: Mapping[str, object] | None = getattr(value, "__pydantic_extra__", None)
        return {**vars(value), **extra} if extra else vars(value)
    return None


def elements_of(value: object) -> Sequence[Any]:
    """The elements of a list or a tuple; none of anything else."""
    return value if isinstance(value, (list, tuple)) else ()


_Given = TypeVar("_Given")
_Made_co = TypeVar("_Made_co", covariant=True)


class Mapped(Sequence[_Made_co], Generic[_Given, _Made_co]):
    """A sequence seen through a function, which is asked about a member when somebody wants it."""

    __slots__ = ("_given", "_make")

    def __init__(self, given: Sequence[_Given], make: Callable[[_Given], _Made_co]) -> None:
        """See a sequence through a function."""
        self._given = given
        self._make = make

    def __len__(self) -> int:
        """How many members there are; none is made."""
        return len(self._given)

    def __iter__(self) -> Iterator[_Made_co]:
        """Make one member after the other."""
        return map(self._make, self._given)

    @overload
    def __getitem__(self, index: int) -> _Made_co: ...
    @overload
    def __getitem__(self, index: slice) -> Mapped[_Given, _Made_co]: ...
    def __getitem__(self, index: int | slice) -> _Made_co | Mapped[_Given, _Made_co]:
        """A member, or some of them that are not made yet."""
        if isinstance(index, slice):
            return Mapped(self._given[index], self._make)
        return self._make(self._given[index])


def value_at(document: object, location: Location) -> Any:  # noqa: ANN401, whatever stands there
    """The value at a location that exists in a document."""
    value: Any = document
    for key in location:
        members: Any = value if isinstance(value, (dict, list, tuple)) else fields_of(value)
        value = members[key]
    return value
