"""The JSON Schema of the policy language, for editors and for the first check of a file.

It holds no `anyOf` and no `oneOf`: a validator can only say of those that nothing fitted, while a
type list lets it say what was expected here.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from policy_cache.policy.language.model import Policy

if TYPE_CHECKING:
    from pydantic_core import core_schema

Schema: TypeAlias = dict[str, Any]


class Generate(GenerateJsonSchema):
    """Schemas for files that people write."""

    schema_dialect = "https://json-schema.org/draft/2020-12/schema"

    def sort(self, value: JsonSchemaValue, parent_key: str | None = None) -> JsonSchemaValue:  # noqa: ARG002
        """Keep the order of the model, which is the order to write in."""
        return value

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """An optional field is left out, never written as null."""
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Show only the defaults an author could write."""
        generated = super().default_schema(schema)
        if generated.get("default", ...) in (None, (), [], {}):
            generated.pop("default", None)
        return generated


def _taught(part: Any) -> Any:  # noqa: ANN401, JSON
    """A schema whose texts an editor shows as the Markdown that they are."""
    if isinstance(part, list):
        return [_taught(item) for item in part]
    if not isinstance(part, dict):
        return part
    taught: Schema = {}
    for key, value in part.items():
        taught[key] = _taught(value)
        if key == "description" and isinstance(value, str) and "`" in value:
            taught["markdownDescription"] = value
    return taught


def policy_schema() -> Schema:
    """Generate the JSON Schema (draft 2020-12) of a policy file."""
    schema = Policy.model_json_schema(by_alias=True, schema_generator=Generate)
    return {"$schema": Generate.schema_dialect, **_taught(schema), "title": "policy-cache policy"}


def schema_text() -> str:
    """The schema as it is shipped in `schema/policy.schema.json`."""
    return json.dumps(policy_schema(), indent=2, ensure_ascii=False) + "\n"
