"""`policy-cache explain`: exactly what it says of a rule in each of its states."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version

from tests.engine.requests import BIG, chat, tool

POLICY = """\
version: 1
name: states
rules:
  - name: marks
    match: {provider: anthropic, model: "*claude*", tools: {min: 1}}
    except: {metadata: {kind: one-shot}}
    targets: [tools, system, "$.messages[9]", $.messages.content, "$.messages[1].content[0]"]
    action: {add_cache_control: {ttl: 1h}}
  - name: passed-over
    match: {model: "gpt-*", tools: {min: 5}}
    targets: [system]
    action: {add_cache_control: {}}
  - name: vetoed
    except: {metadata: {tenant: [acme, initech]}}
    targets: [system]
    action: {add_cache_control: {}}
  - name: last
    match: {messages: {max: 4}, stream: false, exists: $.tools, missing: $.stop}
    targets: [messages.last]
    action: {add_cache_control: {}}
    stop: true
  - name: never
    targets: [system]
    action: {add_cache_control: {}}
"""
REQUEST = chat(tools=[tool()], metadata={"tenant": "acme"})
EXPLAINED = f"""\
policy states.yaml@sha256:{hashlib.sha256(POLICY.encode()).hexdigest()[:12]}  anthropic/claude-sonnet-4-5  \
route anthropic, chat

[1] marks  match  (states.yaml:4)
      provider  anthropic          ~  anthropic   yes
      model     claude-sonnet-4-5  ~  *claude*    yes
      tools     1                  ~  at least 1  yes
      except: does not apply
        metadata.kind  absent  ~  one-shot  no
      target tools                     applied (1h)  $['tools'][0]
      target system                    applied (1h)  $['messages'][0]['content']
      target $.messages[9]             no_target     stopped at `[9]`: $['messages'] has 2 elements
      target $.messages.content        no_target     stopped at `.content`: $['messages'] is a list of 2, \
not an object: add an index, as in `[-1]`
      target $.messages[1].content[0]  no_target     stopped at `[0]`: $['messages'][1]['content'] is a \
text, not a list

[2] passed-over  no match  (states.yaml:9)
      model  claude-sonnet-4-5  ~  gpt-*  NO (stopped here)

[3] vetoed  excepted  (states.yaml:13)
      no condition: it matches every request
      except: applies
        metadata.tenant  'acme'  ~  acme | initech  yes

[4] last  match  (states.yaml:17)
      messages  2       ~  at most 4  yes
      stream    false   ~  false      yes
      exists    1 hit   ~  $.tools    yes
      missing   0 hits  ~  $.stop     yes
      target messages.last  applied (5m)  $['messages'][1]['content']

[5] never  not reached (`stop: true` in [4])  (states.yaml:22)

arbitration: 3 wishes for 4 breakpoints
      1  marks / tools         $['tools'][0]                takes 1 of 4 (1h)
      2  marks / system        $['messages'][0]['content']  takes 2 of 4 (1h)
      3  last / messages.last  $['messages'][1]['content']  takes 3 of 4 (5m)

prefix as sent: about 2,876 tokens, marked with cache_control; claude-sonnet-4-5 caches from 1,024 on
        1 tool                                                1,447
      -- 1 of 4 --     $['tools'][0] (1h)                   = 1,447  marks / tools
        system prompt                                         1,429
      -- 2 of 4 --     $['messages'][0]['content'][0] (1h)  = 2,876  marks / system
        message 1                                                 0
      -- 3 of 4 --     $['messages'][1]['content'][0] (5m)  = 2,876  last / messages.last

result: 3 breakpoints added, 0 already present; 3 of 4 used.
"""


def test_every_state_of_a_rule(run, save):
    arguments = save("r.json", REQUEST), "--policy", save("states.yaml", POLICY)
    assert run("explain", *arguments) == (0, EXPLAINED, "")


def test_the_default_policy(run, save):
    ran = run("explain", save("r.json", chat(tools=[tool()])))
    assert (ran.code, ran.err) == (0, "")
    assert "target tools   applied (1h)  $['tools'][0]: no pauses were seen here yet; " in ran.out
    assert "NO (stopped here)\n" in ran.out


def test_a_disabled_policy(run, save):
    policy = save("off.yaml", POLICY.replace("name: states", "name: off\nenabled: false"))
    ran = run("explain", save("r.json", REQUEST), "--policy", policy)
    assert "\nthe policy has no rules, or is not enabled\n" in ran.out


def test_no_text_of_the_prompt(run, save):
    ran = run("explain", save("r.json", REQUEST), "--policy", save("states.yaml", POLICY))
    assert BIG[:40] not in ran.out


def test_one_place(run, save):
    arguments = save("r.json", REQUEST), "--policy", save("states.yaml", POLICY)
    assert run("explain", *arguments, "--why", "$['messages'][0]") == (
        0,
        EXPLAINED.partition("\n\n")[0]
        + """

why $['messages'][0]  system message, prefix up to it about 2,876 tokens
      marks / system        applied (1h)  $['messages'][0]['content']  (states.yaml:7)
      passed-over / system  idle          the rule does not match: model claude-sonnet-4-5 ~ gpt-*  \
(states.yaml:11)
      vetoed / system       idle          the rule is excepted: its `except` applies  (states.yaml:15)
      never / system        idle          the rule is not reached: `stop: true` in [4]  (states.yaml:23)
result: marks marks it at $['messages'][0]['content'] (1h).
""",
        "",
    )


def test_no_place(run, save):
    ran = run("explain", save("r.json", REQUEST), "--why", "$['messages'][4]")
    assert ran.refused() == (
        "r.json: `$['messages'][4]` is not in the request: $['messages'] has 2 elements; "
        "the nearest place is $['messages'][1]"
    )
    assert run("explain", "r.json", "--why", "$.messages[0]").refused() == (
        "r.json: `$.messages[0]` is not a normalized path, did you mean $['messages'][0]?"
    )


def test_the_wire(run, save):
    arguments = save("r.json", REQUEST), "--policy", save("states.yaml", POLICY)
    assert run("explain", *arguments, "--wire") == (
        0,
        EXPLAINED
        + f"""
wire, litellm {version("litellm")}
  POST https://api.anthropic.com/v1/messages
  $['tools'][0]                   -> $['tools'][0] (1h)              marks
  $['messages'][0]['content'][0]  -> $['system'][0] (1h)             marks
  $['messages'][1]['content'][0]  -> $['messages'][0]['content'][0]  last
""",
        "",
    )


PLACED = {"named": "$['tools'][0]", "ttl": "1h", "reason": "applied", "detail": None}
TOOLS = {"rule": "marks", "target": "tools", "line": 7}
WISH = {**TOOLS, **PLACED, "at": "$['tools'][0]"}


def test_json(run, save):
    rules = POLICY.partition("  - name: passed-over")[0].replace(
        '[tools, system, "$.messages[9]"', '[tools, "$.messages[9]"'
    )
    policy = save("p.yaml", rules.replace(', $.messages.content, "$.messages[1].content[0]"', ""))
    ran = run(
        "explain",
        save("r.json", REQUEST),
        "--policy",
        policy,
        "--output-format=json",
        "--wire",
        "--why",
        "$['tools'][0]",
    )
    assert (ran.code, ran.err) == (0, "")
    said = json.loads(ran.out)
    assert said == {
        "format_version": 1,
        "policy": {"file": "p.yaml", "revision": said["policy"]["revision"]},
        "route": {
            "name": "anthropic",
            "provider": "anthropic",
            "model": "claude-sonnet-4-5",
            "shape": "chat",
            "mechanism": "explicit",
            "breakpoints": 4,
            "minimum_tokens": 1024,
            "marker": "cache_control",
        },
        "changed": True,
        "litellm_adds": None,
        "client_markers": [],
        "repairs": [],
        "rules": [
            {
                "number": 1,
                "rule": "marks",
                "line": 4,
                "outcome": "match",
                "stopped_by": None,
                "match": [
                    {"condition": name, "seen": seen, "expected": expected, "holds": True}
                    for name, seen, expected in (
                        ("provider", "anthropic", "anthropic"),
                        ("model", "claude-sonnet-4-5", "*claude*"),
                        ("tools", "1", "at least 1"),
                    )
                ],
                "except": [
                    {"condition": "metadata.kind", "seen": "absent", "expected": "one-shot", "holds": False}
                ],
                "placements": [
                    WISH,
                    {
                        **TOOLS,
                        "target": "$.messages[9]",
                        "named": None,
                        "at": None,
                        "ttl": "1h",
                        "reason": "no_target",
                        "detail": "stopped at `[9]`: $['messages'] has 2 elements",
                    },
                ],
            }
        ],
        "arbitration": {
            "breakpoints": 4,
            "client": 0,
            "steps": [{"step": 1, **TOOLS, **PLACED, "wanted": "$['tools'][0]", "slot": 1, "holder": None}],
        },
        "prefix": {
            "tokens": 2876,
            "pieces": [
                {
                    "kind": "part",
                    "name": "1 tool",
                    "first": "$['tools'][0]",
                    "last": "$['tools'][0]",
                    "tokens": 1447,
                },
                {
                    "kind": "breakpoint",
                    **TOOLS,
                    "at": "$['tools'][0]",
                    "ttl": "1h",
                    "slot": 1,
                    "tokens": 1447,
                },
                {
                    "kind": "part",
                    "name": "system prompt",
                    "first": "$['messages'][0]['content']",
                    "last": "$['messages'][0]['content']",
                    "tokens": 1429,
                },
                {
                    "kind": "part",
                    "name": "message 1",
                    "first": "$['messages'][1]['content']",
                    "last": "$['messages'][1]['content']",
                    "tokens": 0,
                },
            ],
        },
        "wire": {
            "litellm": version("litellm"),
            "requests": [{"method": "POST", "url": "https://api.anthropic.com/v1/messages"}],
            "markers": [
                {
                    "at": "$['tools'][0]",
                    "rule": "marks",
                    "places": [{"request": 0, "at": "$['tools'][0]", "ttl": "1h"}],
                }
            ],
            "added": [],
            "parameters": {},
            "leaks": [],
        },
        "why": {
            "location": "$['tools'][0]",
            "tokens": 1447,
            "verdict": "marked",
            "wishes": [WISH],
            "idle": [],
            "obstacle": None,
            "conclusion": "marks marks it (1h)",
        },
    }


def test_json_has_no_text_of_the_prompt_and_only_what_was_asked(run, save):
    ran = run("explain", save("r.json", REQUEST), "--output-format", "json")
    assert BIG[:40] not in ran.out
    said = json.loads(ran.out)
    assert (said["wire"], said["why"]) == (None, None)


def test_the_wire_of_what_litellm_refuses(run, save):
    ran = run("explain", save("r.json", chat(model="nobody/knows")), "--wire")
    assert "litellm builds no body for this request" in ran.refused()
