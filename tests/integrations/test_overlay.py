"""The catalog file that the doctor writes: what it changes, and what it leaves as it is."""

from __future__ import annotations

import pytest
import yaml

from policy_cache.integrations.litellm.finding import Finding
from policy_cache.integrations.litellm.overlay import overlay_text
from policy_cache.providers.catalog import packaged_catalog
from policy_cache.providers.file import loads_catalog


def table_of(catalog, route, shape):
    [entry] = [entry for entry in catalog.routes if entry.name == route]
    return catalog.blocks[entry.blocks[shape]].model_dump(exclude={"sources"})


@pytest.mark.parametrize(
    ("finding", "changes"),
    [
        (Finding("anthropic", "responses", "message", "lost"), {"message_level": False}),
        (Finding("anthropic", "responses", "list", "lost"), {"list_level": False}),
        (Finding("anthropic", "responses", "image", "lost"), {"result_parts": ()}),
        (Finding("dashscope", "responses", "image", "lost"), {"tool_content": (), "result_parts": ("text",)}),
        (Finding("databricks-claude", "messages", "nested", "lost"), {"nested": False}),
        (Finding("openai-breakpoints", "messages", "nested", "lost"), {"nested_parts": ()}),
        (Finding("anthropic", "chat", "translated", "lost"), {"translated": ()}),
        (Finding("anthropic", "chat", "beside", "lost"), {"translates_beside_tools": False}),
        (Finding("openai-breakpoints", "chat", "beside", "gained"), {"translates_beside_tools": True}),
        (
            Finding("anthropic", "chat", "blank", "gained"),
            {"blank": ("system", "later", "user", "assistant", "empty", "calling")},
        ),
        (
            Finding("openrouter-claude", "chat", "blank", "lost"),
            {"blank": ("system", "later", "user", "assistant", "tool")},
        ),
    ],
    ids=lambda value: f"{value.route}-{value.kind}" if isinstance(value, Finding) else "",
)
def test_a_kind_changes_what_a_table_says_of_it_alone(finding, changes):
    catalog = packaged_catalog()
    kept = Finding(finding.route, finding.shape, "user", "kept")
    written = loads_catalog(overlay_text(catalog, [kept, finding]), "overlay.yaml")
    said, given = (table_of(each, finding.route, finding.shape) for each in (written, catalog))
    assert said == given | changes
    assert said != given


def test_what_is_turned_off_leaves_tables_of_others_as_they_are():
    own = {"version": 1, "blocks": {"anthropic-chat": {"tools": True, "user": ["text"]}}}
    catalog = loads_catalog(yaml.safe_dump(own), "c")
    lost = [
        Finding("anthropic", "chat", "tool", "lost"),
        Finding("anthropic", "chat", "user", "kept"),
    ]
    written = yaml.safe_load(overlay_text(catalog, lost, own))
    assert written["blocks"]["anthropic-chat"] == own["blocks"]["anthropic-chat"]
    [route] = written["routes"]
    assert route["blocks"]["chat"] == "anthropic-chat-kept"


def test_the_last_entry_of_a_name_is_turned_off():
    own = {"version": 1, "routes": [{"name": "anthropic", "note": "a"}, {"name": "anthropic", "note": "b"}]}
    catalog = loads_catalog(yaml.safe_dump(own), "c")
    lost = [Finding("anthropic", "chat", "tool", "lost")]
    first, last = yaml.safe_load(overlay_text(catalog, lost, own))["routes"]
    assert (first, "chat" in last["blocks"]) == (own["routes"][0], False)
