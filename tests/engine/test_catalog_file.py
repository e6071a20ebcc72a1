"""An operator's catalog: what it adds and changes, and exactly what is said of a bad one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from policy_cache import Engine, PolicyError
from policy_cache.packaged import packaged
from policy_cache.providers.catalog import packaged_catalog
from policy_cache.providers.file import catalog_schema_text, load_catalog
from policy_cache.report.diagnostics.render import full
from policy_cache.text.styled import plain

CASES = sorted((Path(__file__).parent / "catalogs").glob("*.yaml"))
POLICY = """
version: 1
name: p
rules:
  - {name: all, targets: [tools, system, messages.last], action: {add_cache_control: {ttl: 1h}}}
"""
ACME = """
version: 1
providers:
  acme: {hosts: [api.acme.example]}
blocks:
  acme: {system: [text], user: [text]}
minimums:
  acme: {models: [{match: ["*"], tokens: 10}]}
routes:
  - name: acme
    providers: [acme]
    models: ["*large*"]
    mechanism: explicit
    breakpoints: 2
    ttls: [5m]
    minimum: acme
    blocks: {chat: acme}
"""
MESSAGES = [{"role": "system", "content": "s" * 100}, {"role": "user", "content": "q"}]


@pytest.fixture
def catalog(tmp_path):
    """Write a catalog file."""

    def write(text):
        path = tmp_path / "catalog.yaml"
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_what_is_said_of_a_bad_one(path, monkeypatch):
    monkeypatch.chdir(path.parent)
    with pytest.raises(PolicyError) as caught:
        load_catalog(path.name)
    error = caught.value
    shown = "\n".join(plain(full(diagnostic, error.lines)) for diagnostic in error.diagnostics)
    assert shown == path.with_suffix(".txt").read_text(encoding="utf-8")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(PolicyError, match=r"error\[PC100\]: no such file") as caught:
        load_catalog(tmp_path / "catalog.yaml")
    assert caught.value.unreadable


def test_a_new_provider(catalog):
    path = catalog(ACME)
    plan = Engine.from_text(POLICY, catalog=path).plan({"model": "acme/large-1", "messages": MESSAGES})
    assert [(one.at, one.ttl, one.reason) for one in plan.placements] == [
        (None, "1h", "no_target"),
        (("messages", 0, "content"), "5m", "ttl_unsupported"),
        (("messages", 1, "content"), "5m", "ttl_unsupported"),
    ]
    small = Engine.from_text(POLICY, catalog=path).plan({"model": "acme/small", "messages": MESSAGES})
    assert {one.reason for one in small.placements} == {"provider_unsupported"}
    by_host = {"model": "large", "messages": MESSAGES, "api_base": "https://api.acme.example/v1"}
    assert Engine.default(catalog=path).plan(by_host).route.name == "acme"


def test_a_changed_route_keeps_the_rest(catalog):
    path = catalog("version: 1\nroutes:\n  - {name: anthropic, breakpoints: 1, ttls: [5m]}\n")
    changed = {route.name: route for route in load_catalog(path).routes}
    for route in packaged_catalog().routes:
        ours = {"breakpoints": 1, "ttls": ("5m",)} if route.name == "anthropic" else {}
        assert changed[route.name] == route.model_copy(update=ours)


def test_a_new_route_is_asked_first(catalog):
    path = catalog("""
version: 1
routes:
  - name: our-proxy
    providers: [openai]
    models: [sonnet]
    custom_host: true
    mechanism: explicit
    breakpoints: 4
    ttls: [5m, 1h]
    blocks: {chat: proxy-chat}
""")
    engine = Engine.from_text(POLICY, catalog=path)
    request = {"model": "openai/sonnet", "api_base": "https://proxy.example/v1", "messages": MESSAGES}
    assert engine.plan(request).route.name == "our-proxy"
    assert len(engine.plan(request).edits) == 2
    assert engine.plan({**request, "api_base": None}).route.name == "openai-automatic"


def test_an_empty_change_is_the_packaged_catalog(catalog):
    loaded = load_catalog(catalog("version: 1\n"))
    assert loaded.routes == packaged_catalog().routes
    assert loaded.blocks == packaged_catalog().blocks


def test_the_shipped_schema_is_current():
    assert packaged("schema", "catalog.schema.json").read_text(encoding="utf-8") == catalog_schema_text()


def test_the_schema_wants_only_a_version_and_a_routes_name():
    schema = json.loads(catalog_schema_text())
    assert schema["required"] == ["version"]
    assert schema["$defs"]["RouteEntry"]["required"] == ["name"]
    assert not {name for name, entry in schema["$defs"].items() if "sources" in entry.get("required", ())}


def test_a_warning_does_not_refuse_a_catalog(catalog):
    assert load_catalog(catalog("version: 1\nsources: {mine: yes}\n")).sources["mine"] == "yes"


def test_a_word_to_be_named_by_is_compared_without_case(catalog):
    path = catalog("version: 1\nroutes: [{name: anthropic, only_when_named: Claude}]\n")
    named = POLICY.replace("name: all,", 'name: all, match: {model: "CLAUDE-*"},')
    request = {"model": "anthropic/claude-sonnet-4-5", "messages": MESSAGES * 40}
    assert Engine.from_text(named, catalog=path).plan(request).route.only_when_named == "claude"
    reasons = {one.reason for one in Engine.from_text(named, catalog=path).plan(request).placements}
    assert "provider_automatic" not in reasons
    reasons = {one.reason for one in Engine.from_text(POLICY, catalog=path).plan(request).placements}
    assert reasons == {"provider_automatic"}
