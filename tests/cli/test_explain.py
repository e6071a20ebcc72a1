"""`policy-cache explain`: exactly what it says of a rule in each of its states."""

from __future__ import annotations

import hashlib

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

result: 3 breakpoints added, 0 already present; 3 of 4 used.
"""


def test_every_state_of_a_rule(run, save):
    arguments = save("r.json", REQUEST), "--policy", save("states.yaml", POLICY)
    assert run("explain", *arguments) == (0, EXPLAINED, "")


def test_the_default_policy(run, save):
    ran = run("explain", save("r.json", chat(tools=[tool()])))
    assert (ran.code, ran.err) == (0, "")
    assert "target tools   applied (5m)  $['tools'][0]\n" in ran.out
    assert "NO (stopped here)\n" in ran.out


def test_a_disabled_policy(run, save):
    policy = save("off.yaml", POLICY.replace("name: states", "name: off\nenabled: false"))
    ran = run("explain", save("r.json", REQUEST), "--policy", policy)
    assert "\nthe policy has no rules, or is not enabled\n" in ran.out


def test_no_text_of_the_prompt(run, save):
    ran = run("explain", save("r.json", REQUEST), "--policy", save("states.yaml", POLICY))
    assert BIG[:40] not in ran.out
