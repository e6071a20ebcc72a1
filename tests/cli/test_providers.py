"""`policy-cache providers`, and `--catalog` and `--wire` of the others."""

from __future__ import annotations

import json

import pytest

from policy_cache.providers.catalog import packaged_catalog
from tests.engine.requests import chat

CATALOG = """
version: 1
providers: {acme: {}}
routes:
  - name: acme
    providers: [acme]
    mechanism: explicit
    breakpoints: 2
    ttls: [5m]
    blocks: {chat: openai-shape}
    note: "Ours."
"""
NOVA = """\
bedrock-nova
  providers     bedrock
  models        converse/*amazon.nova-[lmp]*  amazon.nova-[lmp]*  *.amazon.nova-[lmp]*  \
us-gov-*/amazon.nova-[lmp]*  converse/*amazon.nova-2-*  *amazon.nova-2-*
  mechanism     explicit
  marker        "cache_control": {"type": "ephemeral"}
  slots         4
  TTLs          5m
  from          1,000 tokens: any other model
  lives         5m is 300 s
  lookback      20 positions
  assumed       Amazon does not say how far a breakpoint of Nova looks back: 20 positions are assumed.
  in chat       calls and results only beside tools
  in chat       of an assistant's texts only the last
  in chat       system: text
  in chat       user: text
  in chat       assistant: text
  a client's    on a message of text, in chat
  a client's    on a blank text: system, content, in chat
  a client's    of the other dialect on text, in chat
  in responses  calls and results only beside tools
  in responses  of an assistant's texts only the last
  in responses  litellm makes a chat request of it first
  in responses  system: text
  in responses  user: text
  in responses  assistant: text
  a client's    on a message of text, in responses
  a client's    on a message with a list, for its last block, in responses
  a client's    on a blank text: system, content, in responses
  note          Caches by itself too. A marker on a tool, or right after a result or an image, is refused.
  B1            https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html
  N1            https://github.com/danny-avila/LibreChat/issues/13838
  L1            litellm 1.110.2, observed on the wire
  A1            https://platform.claude.com/docs/en/build-with-claude/prompt-caching
"""


def test_every_route_has_a_line(run):
    ran = run("providers")
    assert (ran.code, ran.err) == (0, "")
    head, *lines = ran.out.splitlines()
    assert head.split()[:3] == ["route", "providers", "mechanism"]
    named = [line.split()[0] for line in lines if line and not line.startswith("`")]
    assert named == [route.name for route in packaged_catalog().routes]


def test_one_route_in_full(run):
    assert run("providers", "bedrock-nova").out == NOVA


def test_a_provider_is_all_of_its_routes(run):
    blocks = run("providers", "OpenAI").out.split("\n\n")
    assert [block.splitlines()[0] for block in blocks] == [
        "openai-compatible-claude",
        "openai-compatible",
        "openai-fine-tuned",
        "openai-bridged",
        "openai-breakpoints",
        "openai-automatic",
    ]


def test_every_route_can_be_shown(run):
    for route in packaged_catalog().routes:
        out = run("providers", route.name).out
        assert f"{route.name}\n" in out
        assert all(packaged_catalog().sources[source] in out for source in route.sources)


def test_as_json(run):
    [route] = json.loads(run("providers", "groq", "--output-format", "json").out)
    assert route["name"] == "groq"
    assert route["parameters"] == {"prompt_cache_key": {"send": "argument"}}


def test_a_name_that_is_none(run):
    assert run("providers", "antropic").refused() == (
        "no provider or route is called 'antropic'; did you mean 'anthropic'?"
    )
    assert run("providers", "zzzzzz").refused() == "no provider or route is called 'zzzzzz'"


def test_with_a_catalog_of_ones_own(run, save):
    file = save("catalog.yaml", CATALOG)
    assert "note          Ours.\n" in run("providers", "acme", "--catalog", file).out
    request = save("request.json", chat(model="acme/large"))
    policy = save(
        "p.yaml",
        "version: 1\nname: p\nrules:\n  - {name: r, targets: [system], action: {add_cache_control: {}}}\n",
    )
    ran = run("diff", "--policy", policy, "--catalog", file, request)
    assert "acme/large  route acme, chat" in ran.out
    assert ran.out.endswith("1 breakpoint added, 0 already present; 1 of 2 used.\n")


def test_names_and_notes_cannot_steer_a_terminal(run, save):
    evil = CATALOG.replace('note: "Ours."', 'note: "\\e]0;pwn\\a"').replace(
        "name: acme", 'name: "a\\e[31m\\u202e"'
    )
    for arguments in ([], ["acme"]):
        out = run("providers", *arguments, "--catalog", save("catalog.yaml", evil)).out
        assert not {"\x1b", "\x07", "\u202e"} & set(out)


def test_a_bad_catalog_stops_every_command(run, save):
    file = save("catalog.yaml", "version: 1\nroute: []\n")
    request = save("request.json", chat())
    for command in (["providers"], ["diff", request], ["explain", request], ["rewrite", request]):
        ran = run(*command, "--catalog", file)
        assert (ran.code, ran.out) == (2, "")
        assert "unknown field `route` in the catalog" in ran.err
        assert "did you mean `routes`?" in ran.err


def test_the_schema_of_catalogs(run):
    assert json.loads(run("schema", "--catalog").out)["title"] == "policy-cache catalog"


# diff --wire


def test_where_each_marker_is_on_the_wire(run, save):
    policy = save(
        "p.yaml",
        "version: 1\nname: p\nrules:\n  - {name: r, targets: [system], action: {add_cache_control: {}}}\n",
    )
    ran = run("diff", "--wire", "--policy", policy, save("request.json", chat(max_tokens=16)))
    assert ran.code == 1
    _, wire = ran.out.split("\nwire, litellm ")
    assert wire.splitlines()[1:] == [
        "  POST https://api.anthropic.com/v1/messages",
        "  $['messages'][0]['content'][0]  -> $['system'][0]  r",
    ]


@pytest.mark.parametrize(("options", "code"), [([], 1), (["--exit-zero"], 0)])
@pytest.mark.parametrize("command", ["diff", "explain"])
def test_a_marker_that_litellm_loses_is_found(run, save, command, options, code):
    catalog = save(
        "catalog.yaml",
        "version: 1\nroutes:\n  - {name: mine, providers: [mistral], mechanism: explicit, breakpoints: 4, "
        "ttls: [5m], blocks: {chat: openai-shape}}\n",
    )
    marked = [{"type": "text", "text": "Hi.", "cache_control": {"type": "ephemeral"}}]
    request = chat([{"role": "user", "content": marked}], model="mistral/mistral-large-latest")
    ran = run(command, "--wire", "--catalog", catalog, save("request.json", request), *options)
    assert ran.out.endswith("\n  $['messages'][0]['content'][0]  lost by litellm  the client\n")
    assert ran.code == code


def test_what_litellm_adds_by_itself_and_what_it_sends_of_parameters(run, save):
    points = [{"location": "message", "role": "system"}]
    ran = run(
        "diff", "--wire", save("request.json", chat(max_tokens=16, cache_control_injection_points=points))
    )
    assert ran.out.endswith("\n  litellm's own  -> $['system'][0]  litellm\n")
    policy = save(
        "p.yaml", "version: 1\nname: p\nrules:\n  - {name: r, action: {set: {prompt_cache_key: k}}}\n"
    )
    ran = run("diff", "--wire", "--policy", policy, save("request.json", chat(model="gpt-4o")))
    assert "\n  prompt_cache_key  sent\n" in ran.out


def test_a_run_has_two_calls(run, save):
    policy = save(
        "p.yaml",
        """
version: 1
name: p
rules:
  - {name: r, match: {provider: gemini}, targets: [messages.last], action: {add_cache_control: {}}}
""",
    )
    talk = [
        {"role": "user", "content": "word " * 9_000},
        {"role": "assistant", "content": "a"},
        {"role": "user", "content": "q"},
    ]
    ran = run(
        "diff", "--wire", "--policy", policy, save("request.json", chat(talk, model="gemini/gemini-2.5-pro"))
    )
    assert "\n1 run of 1 message added, 0 already present; 1 of 1 used.\n" in ran.out
    host = "https://generativelanguage.googleapis.com/v1beta"
    assert ran.out.split("\nwire, litellm ")[1].splitlines()[1:] == [
        f"  [1] POST {host}/cachedContents",
        f"  [2] POST {host}/models/gemini-2.5-pro:generateContent",
        "  $['messages'][0]['content'][0]  -> [1] $['contents'][0] (300s)  r",
    ]


def test_a_client_marker_that_is_lost(run, save):
    request = chat(max_tokens=16)
    request["messages"][1] = {
        "role": "user",
        "content": [{"type": "text", "text": "q"}],
        "cache_control": {"type": "ephemeral"},
    }
    policy = save("p.yaml", "version: 1\nname: p\nrules: []\n")
    ran = run("diff", "--wire", "--policy", policy, save("request.json", request))
    assert ran.code == 0
    assert ran.out.endswith("  $['messages'][1]  lost by litellm  the client\n")


def test_no_marker_to_look_for(run, save):
    ran = run("diff", "--wire", save("request.json", chat(model="gpt-4o")))
    assert ran.out.endswith("  no marker is sent\n")


def test_a_request_that_litellm_refuses(run, save):
    request = save("request.json", chat(model="anthropic/claude-sonnet-4-5", prompt_cache_key="k"))
    ran = run("diff", "--wire", request)
    assert ran.code == 2
    assert "litellm builds no body for this request: " in ran.err


def test_the_wire_excludes_other_formats(run, save):
    ran = run("diff", "--wire", "--json-patch", save("request.json", chat()))
    assert ran.code == 2
    assert "--unified, --json-patch and --wire exclude each other" in ran.err


def test_a_minimum_that_nobody_knows(run, save):
    save("c.yaml", "version: 1\nminimums: {mistral: {sources: [M1], models: [{match: ['*'], tokens: 0}]}}\n")
    ran = run("providers", "--catalog", "c.yaml")
    assert ran.code == 0
    (line,) = (line for line in ran.out.splitlines() if line.startswith("mistral "))
    assert line.endswith("  not known")
