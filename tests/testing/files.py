"""A policy and requests that tests of tests share."""

from __future__ import annotations

import json

POLICY = """
version: 1
name: p
rules:
  - name: prefix
    match: {model: "*claude*"}
    targets: [tools, system]
    action: {add_cache_control: {ttl: 1h}}
  - name: tail
    match: {model: "*claude*", messages: {min: 2}}
    targets: [messages.last]
    action: {add_cache_control: {}}
  - name: key
    match: {provider: openai}
    action:
      set: {prompt_cache_key: "{metadata.tenant}"}
"""
LONG = '{repeat: "word ", times: 2000}'
CLAUDE = f"{{model: anthropic/claude-sonnet-4-5, system: {LONG}, messages: [{{role: user, content: hello}}]}}"
CHAT = CLAUDE.replace(
    "messages: [", "messages: [{role: user, content: hi}, {role: assistant, content: yes}, "
)
OPENAI = "{model: openai/gpt-5.2, messages: [{role: user, content: hello}]}"
SYSTEM = "{at: \"$['system'][0]\", ttl: 1h, rule: prefix}"
LAST = "{at: \"$['messages'][2]['content'][0]\", rule: tail}"


def suite(*tests):
    """A test file of tests as lines."""
    return "version: 1\npolicy: p.yaml\ntests:\n" + "".join(tests)


def case(name, request, expect="", context=None):
    """One test in block style."""
    more = f"    context: {json.dumps(context)}\n" if context else ""
    return f"  - name: {name}\n    request: {request}\n{more}" + (f"    expect: {expect}\n" if expect else "")


GOOD = case("marks system", CLAUDE, f"{{breakpoints: [{SYSTEM}]}}")
BAD = case("marks nothing", CLAUDE, "{unchanged: true}")
KEY = case("sets a key", OPENAI, "{parameters: {prompt_cache_key: acme}}", {"metadata": {"tenant": "acme"}})
