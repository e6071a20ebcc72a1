"""The JSON Schema of test files, for editors and for the first check of a file."""

from __future__ import annotations

import json
from typing import Any

from policy_cache.policy.language.schema import Generate
from policy_cache.testing.model import Tests


def tests_schema() -> dict[str, Any]:
    """Generate the JSON Schema (draft 2020-12) of a test file."""
    schema = Tests.model_json_schema(schema_generator=Generate)
    return {"$schema": Generate.schema_dialect, **schema, "title": "policy-cache tests"}


def tests_schema_text() -> str:
    """The schema as it is shipped in `schema/test.schema.json`."""
    return json.dumps(tests_schema(), indent=2, ensure_ascii=False) + "\n"
