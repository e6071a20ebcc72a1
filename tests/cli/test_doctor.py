"""`policy-cache doctor`."""

from __future__ import annotations

import json
from importlib.metadata import version

import yaml

CATALOG = """
version: 1
routes:
  - name: mine
    providers: [mistral]
    example: mistral/mistral-large-latest
    mechanism: explicit
    breakpoints: 4
    ttls: [5m]
    blocks: {chat: openai-shape}
"""


def test_every_way_has_a_line(run):
    ran = run("doctor")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0] == f"litellm {version('litellm')}"
    head = next(number for number, line in enumerate(lines) if line.startswith("route "))
    assert lines[head].split() == [
        "route",
        "shape",
        "tool",
        "system",
        "user",
        "assistant",
        "call",
        "result",
        "request",
        "translated",
    ]
    assert lines[head + 1].split() == ["anthropic", "chat", *["kept"] * 8]
    assert " 0 moved, 0 lost, 0 refused; " in lines[-1]


def test_a_lost_marker_is_found_and_turned_off(run, save, tmp_path):
    written = tmp_path / "off.yaml"
    arguments = "--catalog", save("catalog.yaml", CATALOG), "--write-catalog", str(written)
    ran = run("doctor", *arguments, "--output-format", "json")
    assert (ran.code, ran.err) == (1, f"policy-cache: {written} is written\n")
    lost = [finding for finding in json.loads(ran.out)["findings"] if finding["outcome"] == "lost"]
    assert {(finding["route"], finding["shape"]) for finding in lost} == {("mine", "chat")}
    [route] = yaml.safe_load(written.read_text())["routes"]
    assert (route["name"], route["mechanism"], route["blocks"]) == ("mine", "none", {})
    again = run("doctor", "--catalog", str(written))
    assert (again.code, again.err) == (0, "")


def test_what_an_operator_says_stays_said(run, save, tmp_path):
    written = tmp_path / "off.yaml"
    tables = "minimums: {small: {models: [{match: [x], tokens: 10}]}}\n"
    own = CATALOG + "providers: {mine: {hosts: [mine.example]}}\n" + tables
    run("doctor", "--catalog", save("catalog.yaml", own), "--write-catalog", str(written))
    said, given = yaml.safe_load(written.read_text()), yaml.safe_load(own)
    assert said["routes"] == [given["routes"][0] | said["routes"][0]]
    assert {name: said[name] for name in given if name != "routes"} == {
        name: part for name, part in given.items() if name != "routes"
    }


def test_an_example_of_another_route_is_named(run, save):
    own = CATALOG.replace("mistral/mistral-large-latest", "EXAMPLE")
    for example, by in (
        ("anthropic/claude-sonnet-4-5", "`anthropic`"),
        ("who/what", "no route that is known"),
    ):
        ran = run("doctor", "--catalog", save("catalog.yaml", own.replace("EXAMPLE", example)))
        assert f"`mine` is not looked at: its `example` goes by {by}\n" in ran.err
        assert "mine" not in ran.out


def test_a_file_that_cannot_be_written(run, tmp_path):
    ran = run("doctor", "--write-catalog", str(tmp_path))
    assert (ran.code, ran.err) == (2, f"policy-cache: {tmp_path}: Is a directory\n")
