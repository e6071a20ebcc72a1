"""`diff` and `rewrite`: what a user sees of a change, and gets of it."""

from __future__ import annotations

import hashlib
import json

import pytest

from tests.conftest import REPOSITORY

EXAMPLES = sorted((REPOSITORY / "examples" / "requests").glob("*.json"))
MODEL = "anthropic/claude-sonnet-4-5"
BIG = "You are terse. " * 400
REQUEST = {
    "model": MODEL,
    "messages": [{"role": "system", "content": BIG}, {"role": "user", "content": "q"}],
    "tools": [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}],
}
POLICY = """\
version: 1
name: team
rules:
  - name: prefix
    targets: [tools, system]
    action: {add_cache_control: {ttl: 1h}}
"""
REVISION = f"sha256:{hashlib.sha256(POLICY.encode()).hexdigest()[:12]}"
NOTHING = "version: 1\nname: nothing\nrules: []\n"
DIFF = f"""\
policy team.yaml@{REVISION}  anthropic/claude-sonnet-4-5  route anthropic, chat

~ $['messages'][0]['content']  system message  prefix / system  (team.yaml:5)
  - "You are terse. You are terse. You are terse. You… (6,000 characters)"
  + [{{"type": "text", "text": "You are terse. You are terse. You are terse. You… (6,000 characters)",
  +   "cache_control": {{"type": "ephemeral", "ttl": "1h"}}}}]

1 breakpoint added, 0 already present; 1 of 4 used.
Not placed: 1 below_minimum; `policy-cache explain` says why.
"""
UNIFIED = """\
--- r.json
+++ r.json (rewritten)
@@ -3,7 +3,16 @@
   "messages": [
     {
       "role": "system",
-      "content": "You are terse. You are terse. You are terse. You… (6,000 characters)"
+      "content": [
+        {
+          "type": "text",
+          "text": "You are terse. You are terse. You are terse. You… (6,000 characters)",
+          "cache_control": {
+            "type": "ephemeral",
+            "ttl": "1h"
+          }
+        }
+      ]
     },
     {
       "role": "user",
"""


@pytest.fixture
def files(save):
    return save("r.json", REQUEST), "--policy", save("team.yaml", POLICY)


def patched(document, operations):
    """A JSON Patch (RFC 6902) applied to a copy."""
    document = json.loads(json.dumps(document))
    for operation in operations:
        keys = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
        holder = document
        for key in keys[:-1]:
            holder = holder[int(key)] if isinstance(holder, list) else holder[key]
        key = int(keys[-1]) if isinstance(holder, list) else keys[-1]
        if operation["op"] == "remove":
            del holder[key]
        elif operation["op"] == "add" and isinstance(holder, list):
            holder.insert(key, operation["value"])
        else:
            assert operation["op"] == "add" or key in holder or isinstance(holder, list)
            holder[key] = operation["value"]
    return document


def test_diff(run, files):
    assert run("diff", *files) == (1, DIFF, "")
    assert run("diff", "--exit-zero", *files) == (0, DIFF, "")


def test_unified(run, files):
    assert run("diff", "--unified", *files) == (1, UNIFIED, "")


def test_a_request_from_standard_input(run, files):
    content = json.dumps(REQUEST)
    assert run("diff", "-", *files[1:], stdin=content) == (1, DIFF, "")
    unified = run("diff", "--unified", "-", *files[1:], stdin=b"\xef\xbb\xbf" + content.encode()).out
    assert unified == UNIFIED.replace("r.json", "request")


def test_json_patch(run, files):
    ran = run("diff", "--json-patch", *files)
    assert (ran.code, ran.err) == (1, "")
    rewritten = json.loads(run("rewrite", *files).out)
    assert rewritten != REQUEST
    assert patched(REQUEST, json.loads(ran.out)) == rewritten


EVERYTHING = """\
version: 1
name: everything
client_markers: replace
rules:
  - {name: clean, targets: ["$.messages[1]"], action: {remove_cache_control: {}}}
  - {name: split, targets: [system], action: {split_text: {at: "## Today"}}}
  - {name: mark, targets: [tools, system, messages.last], action: {add_cache_control: {}}}
  - {name: key, action: {set: {prompt_cache_key: "{model}"}}}
"""
MARKED = [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]


@pytest.mark.parametrize("model", [MODEL, "gpt-4o", "openai/gpt-5"])
@pytest.mark.parametrize("more", [{}, {"extra_body": {"x/y~z": 1}}, {"prompt_cache_key": "mine"}])
def test_json_patch_of_everything(run, save, model, more):
    messages = [
        {"role": "system", "content": BIG + "## Today"},
        {"role": "user", "content": MARKED},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": MARKED},
    ]
    request = {"model": model, "messages": messages, **more}
    arguments = save("r.json", request), "--policy", save("e.yaml", EVERYTHING)
    patch = json.loads(run("diff", "--json-patch", *arguments).out)
    assert patched(request, patch) == json.loads(run("rewrite", *arguments).out)
    assert run("diff", *arguments).code == 1


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples(run, file):
    request = json.loads(file.read_bytes())
    patch = json.loads(run("diff", "--json-patch", file).out)
    rewritten = json.loads(run("rewrite", file).out)
    assert patched(request, patch) == rewritten
    assert rewritten != request
    said = run("diff", file)
    assert said.code == 1
    assert len(max(said.out.splitlines(), key=len)) <= 110


def test_nothing_to_change(run, save, files):
    policy = "--policy", save("nothing.yaml", NOTHING)
    ran = run("diff", files[0], *policy)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.endswith(
        "route anthropic, chat\n\n0 breakpoints added, 0 already present; 0 of 4 used.\n"
        "No rule matches this request; `policy-cache explain` says why.\n"
    )
    assert run("diff", "--unified", files[0], *policy) == (0, "", "")
    assert run("diff", "--json-patch", files[0], *policy) == (0, "[]\n", "")


def test_rewriting_twice_changes_nothing(run, save, files):
    save("r.json", run("rewrite", *files).out)
    ran = run("diff", *files)
    assert ran.code == 0
    assert "0 breakpoints added, 1 already present; 1 of 4 used." in ran.out


def test_an_unchanged_request_round_trips(run, save):
    request = {
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": "ä\u2028\x00\x1b\ud800 😀"}],
        "temperature": 0.1,
        "n": 2**70,
        "x": {"": None, "y": [True, -0.0, 1e-300]},
    }
    ran = run("rewrite", save("r.json", request))
    assert (ran.code, json.loads(ran.out), ran.err) == (0, request, "")
    assert "ä" in ran.out
    assert "😀" in ran.out


def test_rewrite_from_standard_input(run, files):
    ran = run("rewrite", "-", *files[1:], stdin=json.dumps(REQUEST))
    content = json.loads(ran.out)["messages"][0]["content"]
    marker = {"type": "ephemeral", "ttl": "1h"}
    assert content == [{"type": "text", "text": BIG, "cache_control": marker}]
    assert ran.out.startswith('{\n  "model": "anthropic/claude-sonnet-4-5",\n')


CONDITIONED = """\
version: 1
name: c
rules:
  - name: a
    match: {%s}
    targets: [system]
    action: {add_cache_control: {}}
"""


@pytest.mark.parametrize(
    ("condition", "arguments"),
    [
        ("provider: bedrock", ["--provider", "bedrock"]),
        ("alias: team-*", ["--alias", "Team-One"]),
        ("metadata: {tenant: acme}", ["--metadata", "tenant=acme"]),
        (
            "metadata: {tenant: 'a=b', user.plan: pro}",
            ["--metadata", "tenant=a=b", "--metadata", "user.plan=pro"],
        ),
        ("headers: {X-Agent: claude}", ["--header", "x-agent=claude"]),
        ("shape: messages", ["--shape", "messages"]),
    ],
)
def test_what_the_router_says(run, save, condition, arguments):
    request = {"model": "claude-sonnet-4-5", "system": BIG, "messages": [{"role": "user", "content": "q"}]}
    if "shape" in condition:
        del request["system"]
        arguments = [*arguments, "--provider", "anthropic"]
    policy = save("c.yaml", CONDITIONED % condition)
    with_it = run("explain", save("r.json", request), "--policy", policy, *arguments)
    assert "[1] a  match" in with_it.out
    without = [one for one in arguments if one in {"--provider", "anthropic"}] if "shape" in condition else []
    if "shape" not in condition:
        assert "[1] a  no match" in run("explain", "r.json", "--policy", policy, *without).out


EVIL = "\x1b[31mred\x1b]0;title\x07\n\x9b1m\u202egnp\r\ud800"


@pytest.mark.parametrize(
    "arguments", [["diff"], ["diff", "--unified"], ["diff", "--json-patch"], ["explain"], ["rewrite"]]
)
def test_what_a_request_says_is_not_obeyed_by_the_terminal(run, save, arguments):
    request = {
        "model": f"claude-{EVIL}",
        "custom_llm_provider": "anthropic",
        "messages": [
            {"role": "system", "content": f"{EVIL} {BIG}"},
            {"role": EVIL, "content": [{"type": "text", "text": f"{BIG}", EVIL: 1}], EVIL: EVIL},
            {"role": "user", "content": [{"type": "text", "text": EVIL, "cache_control": {"ttl": EVIL}}]},
        ],
        "metadata": {"kind": EVIL, "model_group": EVIL},
        "tools": [{"type": "function", "function": {"name": EVIL, "description": BIG}}],
        EVIL: {EVIL: BIG},
    }
    policy = (
        "version: 1\nname: p\nrules:\n"
        "  - {name: r, except: {metadata: {kind: x}, alias: y}, targets: [tools, system, '$.messages[1]',"
        " '$[*][*]', '$.messages[2].content[0].cache_control.ttl'], action: {add_cache_control: {}}}\n"
        '  - {name: "s\\e[31m", match: {metadata: {kind: x}}, action: {remove_cache_control: {}}}\n'
    )
    ran = run(*arguments, save("r.json", request), "--policy", save("p.yaml", policy))
    assert ran.code in {0, 1}
    assert ran.err == ""
    shown = ran.out.replace("\n", "")
    assert not [character for character in shown if not character.isprintable()]
    assert "red" in shown
