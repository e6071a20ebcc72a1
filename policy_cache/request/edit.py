"""Editing a copy: only the containers on the way to an edit are copied, the rest is shared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policy_cache.request.location import Key, Location

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


def marked(
    request: Mapping[str, object], marks: Mapping[Location, Mapping[str, str]], key: str
) -> dict[str, Any]:
    """A copy of a request with markers; a text becomes a one-block list. The empty location is the request.

    What two marks share is copied twice, which is rare, and cheaper than keeping track.
    """
    draft: dict[Any, Any] = dict(request)
    lists: dict[Key, list[Any]] = {}
    for location, marker in marks.items():
        depth = len(location)
        if depth < 2:
            draft = _marked(draft, location, key, marker, "text")
            continue
        index: Any
        area, index = location[:2]
        elements = lists.get(area)
        if elements is None:
            elements = lists[area] = draft[area] = list(draft[area])
        element = elements[index]
        if type(element) is dict:
            if depth == 2:
                elements[index] = {**element, key: marker}
                continue
            if depth == 3 and type(text := element[location[2]]) is str:
                block = [{"type": text_type(location), "text": text, key: marker}]
                elements[index] = {**element, location[2]: block}
                continue
        elements[index] = _marked(element, location[2:], key, marker, text_type(location))
    return draft


def text_type(location: Location) -> str:
    """The type of the block that a text becomes where it stands: the Responses API has its own word."""
    return "input_text" if location[0] == "input" else "text"


def _marked(value: object, path: Location, key: str, marker: Mapping[str, str], kind: str) -> Any:  # noqa: ANN401, as the request has it
    if isinstance(value, str):
        return [{"type": kind, "text": value, key: marker}]
    copied: Any = _copied(value)
    if path:
        copied[path[0]] = _marked(copied[path[0]], path[1:], key, marker, kind)
    else:
        copied[key] = marker
    return copied
