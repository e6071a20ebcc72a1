"""The JSON Schema of an operator's catalog file, for editors and for the first check of a file."""

from __future__ import annotations

import json
from typing import Any

from policy_cache.policy.language.schema import Generate
from policy_cache.providers.catalog import Catalog


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
