"""The packaged schemas, read as data: what the models say of a file's shape, without importing them."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any

from policy_cache.packaged import packaged

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jsonschema import Draft202012Validator

POLICY = "policy.schema.json"
CATALOG = "catalog.schema.json"
TESTS = "test.schema.json"

_FOR_PEOPLE = frozenset({"title", "description", "markdownDescription"})


@cache
def schema(name: str) -> Mapping[str, Any]:
    """A packaged schema."""
    text = packaged("schema", name).read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def fields(part: str) -> Mapping[str, Any]:
    """The fields of a part of a policy, such as `Match`, each with its schema."""
    properties: Mapping[str, Any] = schema(POLICY)["$defs"][part]["properties"]
    return properties


@cache
def validator(name: str) -> Draft202012Validator:
    """A validator of a packaged schema."""
    # Its import takes a tenth of a second, and only a file that is read needs it.
    from jsonschema import Draft202012Validator, ValidationError  # noqa: PLC0415
    from jsonschema.validators import extend  # noqa: PLC0415

    def whole(_: object, pattern: str, value: object, __: object) -> Iterator[ValidationError]:
        """To Python's `search`, `$` matches before a last line break too; to JSON Schema it does not."""
        if isinstance(value, str) and not re.fullmatch(pattern, value):
            yield ValidationError("no match")

    whole_schema = schema(name)
    kind: type[Draft202012Validator] = extend(Draft202012Validator, {"pattern": whole})  # type: ignore[no-untyped-call]
    return kind(_inlined(whole_schema, whole_schema.get("$defs", {})))


def _inlined(part: Any, definitions: Mapping[str, Any], inside: tuple[str, ...] = ()) -> Any:  # noqa: ANN401, JSON
    """A schema with its references written out and without what only people read: quicker to follow.

    A reference to a definition that it stands in stays a reference.
    """
    if isinstance(part, list):
        return [_inlined(item, definitions, inside) for item in part]
    if not isinstance(part, dict):
        return part
    name = str(part.get("$ref", "")).removeprefix("#/$defs/")
    if name in definitions and name not in inside:
        rest = {key: value for key, value in part.items() if key != "$ref"}
        return _inlined({**definitions[name], **rest}, definitions, (*inside, name))
    return {
        key: value if key == "$defs" else _inlined(value, definitions, inside)
        for key, value in part.items()
        if key not in _FOR_PEOPLE or not isinstance(value, str)
    }
