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
    ]
    assert lines[head + 1].split() == ["anthropic", "chat", *["kept"] * 7]
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


def test_a_file_that_cannot_be_written(run, tmp_path):
    ran = run("doctor", "--write-catalog", str(tmp_path))
    assert (ran.code, ran.err) == (2, f"policy-cache: {tmp_path}: Is a directory\n")
