"""Editing a copy: only the containers on the way to an edit are copied, the rest is shared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policy_cache.request.location import Location

Operation: TypeAlias = Literal["add", "replace", "remove"]


class Draft:
    """A copy of a request in the making; the request itself stays as it is.

    Attributes:
        request: The copy.
    """

    __slots__ = ("_owned", "request")

    def __init__(self, request: Mapping[str, object]) -> None:
        self.request: dict[str, object] = dict(request)
        self._owned: set[int] = set()

    def own(self, location: Location) -> Any:  # noqa: ANN401, a dict or a list, as the request has it
        """The container at a location, copied once; a pydantic object becomes its dict form."""
        here: Any = self.request
        owned = self._owned
        for key in location:
            child = here[key]
            # The draft keeps its own containers alive, so their ids stay theirs.
            if id(child) not in owned:
                child = _copied(child)
                here[key] = child
                owned.add(id(child))
            here = child
        return here

    def mark(self, location: Location, key: str, marker: Mapping[str, str]) -> None:
        """Put a marker on a block; a text becomes a one-block list. The empty location is the request."""
        here: Any = self.request
        owned = self._owned
        for step in location:
            child = here[step]
            kind = type(child)
            if kind is str or isinstance(child, str):
                here[step] = [{"type": "text", "text": child, key: marker}]
                return
            if id(child) not in owned:
                child = child.copy() if kind is dict or kind is list else _copied(child)
                here[step] = child
                owned.add(id(child))
            here = child
        here[key] = marker

    def apply(self, op: Operation, location: Location, value: object) -> None:
        """Apply one operation of a JSON Patch; an `add` into a list inserts."""
        parent, key = self.own(location[:-1]), location[-1]
        if op == "add" and isinstance(parent, list):
            parent.insert(int(key), value)
        elif op == "remove":
            del parent[key]
        else:
            parent[key] = value


def _copied(value: object) -> object:
    if isinstance(value, dict):
        return dict(value)
    if isinstance(value, (list, tuple)):
        return list(value)
    dump = value.model_dump  # type: ignore[attr-defined]
    # Its warnings would quote the prompt.
    return dump(exclude_none=True, warnings=False)
