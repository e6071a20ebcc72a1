"""The doctor: each claim of the catalog on the installed litellm, and a file that turns off what is lost."""

from __future__ import annotations

import pytest
import yaml

from policy_cache import integrations
from policy_cache.integrations import difference
from policy_cache.integrations.litellm import doctor
from policy_cache.integrations.litellm.finding import BROUGHT, PLACED, Finding
from policy_cache.integrations.litellm.overlay import overlay, overlay_text
from policy_cache.integrations.litellm.report import doctor_report
from policy_cache.providers.catalog import BlockTable, packaged_catalog
from policy_cache.providers.file import loads_catalog
from policy_cache.providers.resolve import resolve

CLAIMS = """
version: 1
blocks:
  all-of-it: {tools: true, system: [text], user: [text], assistant: [text], tool_content: [text]}
routes:
  - name: mine
    providers: [PROVIDER]
    example: PROVIDER/claude-x
    mechanism: explicit
    breakpoints: 4
    ttls: [5m]
    request_marker: ["*"]
    blocks: {chat: all-of-it}
"""


def claiming(provider):
    """A catalog of one route, of a provider that is said to take markers everywhere."""
    catalog = loads_catalog(CLAIMS.replace("PROVIDER", provider), "claims.yaml")
    return catalog.model_copy(update={"routes": catalog.routes[:1]})


def outcomes(catalog):
    return {finding.kind: finding.outcome for finding in doctor.examine(catalog)}


def turned_off(provider, findings):
    """The same catalog under the file that the doctor writes."""
    claims = yaml.safe_load(CLAIMS.replace("PROVIDER", provider))
    catalog = loads_catalog(overlay_text(claiming(provider), findings, claims), "overlay.yaml")
    return catalog.model_copy(update={"routes": catalog.routes[:1]})


@pytest.fixture(scope="module")
def findings():
    return list(doctor.examine(packaged_catalog()))


def test_the_litellm_that_the_catalog_was_observed_on_loses_nothing(findings):
    catalog = packaged_catalog()
    assert difference(catalog) is None
    assert [finding for finding in findings if finding.outcome in {"lost", "refused", "moved"}] == []
    assert overlay(catalog, findings) == {"blocks": {}, "routes": []}


def test_every_way_of_the_catalog_is_looked_at(findings):
    ways = {(route.name, shape) for route in packaged_catalog().routes for shape in route.blocks}
    assert {(finding.route, finding.shape) for finding in findings} == ways
    assert [*doctor.left_out(packaged_catalog())] == []
    # On each, something is marked.
    marked = {(finding.route, finding.shape) for finding in findings if finding.outcome == "kept"}
    assert marked == ways


@pytest.mark.parametrize(
    "entry", [e for e in packaged_catalog().routes if e.example is not None], ids=lambda entry: entry.name
)
def test_an_example_goes_the_way_that_it_is_of(entry):
    base = "https://proxy.example/v1" if entry.custom_host else None
    route = resolve(packaged_catalog(), model=entry.example, provider=None, api_base=base, shape="chat")
    assert route.name == entry.name


def test_the_catalog_says_what_it_was_observed_on_in_one_voice():
    catalog = packaged_catalog()
    for source in ("L1", "L2"):
        assert catalog.sources[source].startswith(f"litellm {catalog.observed},")


def test_another_litellm_is_told(monkeypatch):
    catalog = packaged_catalog()
    monkeypatch.setattr(integrations, "version", lambda name: {"litellm": "1.98.1"}[name])
    assert difference(catalog) == (
        f"the catalog was observed on litellm {catalog.observed}, and 1.98.1 is installed: "
        "`policy-cache doctor` says what differs"
    )


def test_a_route_that_loses_everything_gets_no_markers_any_more():
    catalog = claiming("ollama_chat")
    assert set(outcomes(catalog).values()) == {"lost", "unmarked"}  # its table translates nothing
    rest = turned_off("ollama_chat", list(doctor.examine(catalog)))
    assert outcomes(rest) == {}
    assert rest.routes[0].mechanism == "none"


def test_what_is_lost_is_turned_off_and_the_rest_stays():
    catalog = claiming("databricks")
    found = outcomes(catalog)
    lost = {kind for kind, outcome in found.items() if outcome == "lost"}
    assert lost == {"tool"}
    assert found["system"] == found["user"] == found["result"] == "kept"
    rest = outcomes(turned_off("databricks", list(doctor.examine(catalog))))
    assert rest == found | {"tool": "unmarked"}


def test_a_route_without_an_example_is_named():
    catalog = loads_catalog(
        CLAIMS.replace("    example: PROVIDER/claude-x\n", "").replace("PROVIDER", "mistral"), "c"
    )
    assert [*doctor.left_out(catalog)] == ["without an `example`, not looked at: `mine`"]


def counting(route, shape, **members):
    """A catalog of one route, whose table for a shape says something else."""
    catalog = packaged_catalog()
    [entry] = [entry for entry in catalog.routes if entry.name == route]
    table = BlockTable(**{**catalog.blocks[entry.blocks[shape]].model_dump(), **members})
    alone = entry.model_copy(update={"blocks": {shape: "mine"}})
    return catalog.model_copy(update={"blocks": {**catalog.blocks, "mine": table}, "routes": (alone,)})


@pytest.mark.parametrize(
    ("route", "shape", "members", "kind", "outcome"),
    [
        ("mantle-claude", "responses", {"message_level": True}, "message", "lost"),
        ("mantle-claude", "responses", {"list_level": True}, "list", "lost"),
        ("opencode-qwen", "chat", {"translated": ("text",)}, "translated", "lost"),
        ("anthropic", "chat", {"translates_beside_tools": False}, "beside", "gained"),
        ("openrouter-claude", "messages", {"nested": True}, "nested", "lost"),
    ],
)
def test_a_clients_marker_is_followed(route, shape, members, kind, outcome):
    catalog = counting(route, shape, **members)
    findings = list(doctor.examine(catalog))
    assert outcomes(catalog)[kind] == outcome
    [changed] = overlay(catalog, findings)["routes"]
    written = loads_catalog(overlay_text(catalog, findings), "overlay.yaml")
    again = catalog.model_copy(
        update={
            "blocks": written.blocks,
            "routes": (catalog.routes[0].model_copy(update={"blocks": changed["blocks"]}),),
        }
    )
    assert outcomes(again)[kind] == ("kept" if outcome == "gained" else "unmarked")


def test_of_what_else_a_client_brings_what_differs_is_told():
    findings = [Finding(way, "chat", kind, "kept") for way in "ab" for kind in (*PLACED, *BROUGHT)]
    assert "client" not in "".join(span.text for span in doctor_report(findings, ()))
    findings += [Finding("a", "chat", "message", "lost"), Finding("b", "chat", "message", "lost")]
    findings += [Finding("a", "chat", "blank", "gained")]
    report = "".join(span.text for span in doctor_report(findings, ()))
    assert "\na client's marker on a message of text: LOST on a chat, b chat\n" in report
    assert "\na client's marker on a blank text beside a call: GAINED on a chat\n" in report
