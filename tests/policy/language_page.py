"""`docs/language.md`: every field of the language, from the schema that editors read."""

from __future__ import annotations

import json

from policy_cache.policy.language.schema import policy_schema

PAGE = """# Every field

Made by `make docs` from the schema that editors read. [Writing a policy](policies.md) explains the language
as a whole. Required fields are marked with an asterisk.

"""
SCHEMA = policy_schema()
PARTS = SCHEMA["$defs"]
ORDER = (
    *("Rule", "Match", "Range", "Sample", "Target", "Action", "AddCacheControl"),
    *("RemoveCacheControl", "SetParameters", "PromptCacheOptions", "ProviderOptions", "GatewayOptions"),
    "SplitText",
)
TITLES = {
    "Policy": "A policy",
    "Range": "A range",
    "AddCacheControl": "`add_cache_control`",
    "RemoveCacheControl": "`remove_cache_control`",
    "SetParameters": "`set`",
    "PromptCacheOptions": "`prompt_cache_options`",
    "ProviderOptions": "`providerOptions`",
    "GatewayOptions": "`gateway`",
    "SplitText": "`split_text`",
    "Rule": "A rule",
    "Match": "`match` and `except`",
    "Target": "A target",
    "Action": "`action`",
    "Sample": "`sample`",
}


def anchor(name):
    return "".join(c for c in TITLES[name].lower().replace(" ", "-") if c.isalnum() or c in "-_")


def code(value):
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def link(field):
    for part in (field, field.get("items", {})):
        if "$ref" in part:
            name = part["$ref"].rsplit("/", 1)[1]
            return f"[{TITLES[name].replace('`', '')}](#{anchor(name)})"
    return None


def kind(field):
    if "const" in field:
        return code(field["const"])
    if to := link(field):
        return f"list of {to}" if field.get("type") == "array" else to
    types = field["type"]
    return " or ".join(types if isinstance(types, list) else [types])


def notes(field):
    yield field.get("description") or PARTS[field["$ref"].rsplit("/", 1)[1]]["description"]
    for value, meaning in zip(field.get("enum", ()), field.get("enumDescriptions", ()), strict=True):
        yield f"{code(value)}: {meaning}"
    if "default" in field:
        yield f"Default: {code(field['default'])}."
    if field.get("examples"):
        yield f"Such as {', '.join(map(code, field['examples']))}."


def table(schema):
    yield "| field | takes | |\n|---|---|---|\n"
    for name, field in schema["properties"].items():
        mark = "\\*" if name in schema.get("required", ()) else ""
        cells = f"`{name}`{mark}", kind(field), "<br>".join(notes(field))
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"
    yield "\n"


def section(name, schema):
    yield f"## {TITLES[name]}\n\n{schema['description']}\n\n"
    if schema.get("properties"):
        yield from table(schema)


def page():
    parts = [PAGE, *section("Policy", SCHEMA)]
    assert set(ORDER) == set(PARTS)
    for name in ORDER:
        parts += section(name, PARTS[name])
    return "".join(parts).rstrip() + "\n"


if __name__ == "__main__":
    print(page(), end="")
