"""An operator's catalog file: what it adds to the packaged catalog, and what it changes there."""

from __future__ import annotations

import json
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from policy_cache.diagnostics import Diagnostic, by_position
from policy_cache.errors import PolicyError
from policy_cache.packaged import packaged_data
from policy_cache.policy.check.examine import validate
from policy_cache.policy.language.schema import Generate
from policy_cache.policy.text.file import read_bytes
from policy_cache.policy.text.source import parse
from policy_cache.providers.catalog import Catalog, problems
from policy_cache.text.words import quoted, suggest, visible

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

    from policy_cache.diagnostics import Path
    from policy_cache.policy.text.source import Source

SCHEMA = "catalog.schema.json"
_TABLES = ("dialects", "minimums", "images", "media", "caches", "blocks")
_OWN = "the operator"


def load_catalog(path: str | os.PathLike[str]) -> Catalog:
    """Load a catalog file, on top of the packaged catalog.

    A table or provider of a known name is replaced. A route of a known name changes in the members
    that the file gives; any other is new, and asked before those of the catalog.

    Raises:
        PolicyError: With every diagnostic of the file.
    """
    file = FilePath(path)
    return loads_catalog(read_bytes(file), str(file))


def loads_catalog(content: str | bytes, name: str) -> Catalog:
    """The same from a catalog's text, or the bytes of its file; `name` stands for it in diagnostics.

    Raises:
        PolicyError: With every diagnostic of the text.
    """
    source = parse(content, name)
    diagnostics = [*source.diagnostics, *validate(source, SCHEMA, "catalog")]
    if all(diagnostic.severity == "warning" for diagnostic in diagnostics):
        catalog, wrong = _merge(source)
        if catalog is not None:
            return catalog
        diagnostics += wrong
    raise PolicyError(by_position(diagnostics), lines=source.lines)


def catalog_data(path: str | os.PathLike[str]) -> Mapping[str, Any]:
    """What a valid catalog file says by itself."""
    file = FilePath(path)
    data: Any = parse(read_bytes(file), str(file)).data
    return {} if data is None else data


def _merge(source: Source) -> tuple[Catalog | None, list[Diagnostic]]:
    """The packaged catalog with the file's entries, or what is wrong with them."""
    given: Any = source.data
    data = packaged_data()
    data["sources"] = {**data["sources"], _OWN: source.name, **given.get("sources", {})}
    data["providers"] |= given.get("providers", {})
    data["families"] |= given.get("families", {})
    for part in _TABLES:
        data[part] |= {name: {"sources": [_OWN], **entry} for name, entry in given.get(part, {}).items()}
    known = {route["name"]: number for number, route in enumerate(data["routes"])}
    fresh: list[dict[str, Any]] = []
    for route in given.get("routes", ()):
        number = known.get(route["name"])
        if number is None:
            fresh.append({"sources": [_OWN], **route})
        else:
            data["routes"][number] |= route
    data["routes"] = fresh + data["routes"]
    try:
        catalog = Catalog.model_validate(data, context={"unchecked": True})
    except ValidationError as error:
        return None, list(_incomplete(error, data, source))
    wrong = [
        Diagnostic(
            "PC130",
            "error",
            problem.message,
            span=source.span(where),
            path=where,
            file=source.name,
        )
        for problem in problems(catalog)
        for where in [_in_file(problem.path, source)]
    ]
    return (None, wrong) if wrong else (catalog, [])


def _incomplete(error: ValidationError, data: dict[str, Any], source: Source) -> Iterator[Diagnostic]:
    """What a new entry lacks, or a value that only the model refuses."""
    for problem in error.errors(include_url=False, include_context=False, include_input=False):
        path = tuple(str(step) for step in problem["loc"])
        name = path[1] if len(path) > 1 else ""
        if path[0] == "routes":
            name = data["routes"][int(path[1])]["name"]
        member = path[-1]
        where = _in_file((path[0], name, *path[2:]), source)
        message = visible(problem["msg"])
        help_ = None
        if problem["type"] == "missing":
            message = f"{quoted(name)} is not in the packaged catalog, and has no {quoted(member)}"
            close = suggest(name, [route["name"] for route in data["routes"] if route["name"] != name])
            help_ = f"add `{member}:`" + (f", or did you mean {quoted(close)}?" if close else "")
        yield Diagnostic(
            "PC131", "error", message, span=source.key_span(where), path=where, help=help_, file=source.name
        )


def _in_file(path: tuple[str, ...], source: Source) -> Path:
    """Where an operator's file has something of the merged catalog: as near as it gets."""
    where: list[str | int] = list(path)
    if path[0] == "routes":
        given: Any = source.data
        names = [route["name"] for route in given.get("routes", ())]
        where[1] = names.index(path[1]) if path[1] in names else 0
    while where and tuple(where) not in source.values:
        where.pop()
    return tuple(where)


def catalog_schema() -> dict[str, Any]:
    """The JSON Schema of a catalog file: of the catalog, with all that the packaged one can give left out."""
    schema = Catalog.model_json_schema(schema_generator=Generate)
    schema["required"] = ["version"]
    for name, entry in schema["$defs"].items():
        given = {"sources"} if name != "RouteEntry" else set(entry["required"]) - {"name"}
        if "required" in entry:
            entry["required"] = [member for member in entry["required"] if member not in given]
    return {"$schema": Generate.schema_dialect, **schema, "title": "policy-cache catalog"}


def catalog_schema_text() -> str:
    """The schema as it is shipped in `schema/catalog.schema.json`."""
    return json.dumps(catalog_schema(), indent=2, ensure_ascii=False) + "\n"
