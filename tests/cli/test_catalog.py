"""An operator's `--catalog` governs every command that plans, simulates or judges."""

from __future__ import annotations

import json
from itertools import chain

import pytest

from policy_cache.providers.file import load_catalog
from policy_cache.studio.evaluate import evaluate
from tests.forecast.test_compare import agent

AUTOMATIC = "deepseek/deepseek-chat"
POLICY = """\
version: 1
name: p
rules:
  - name: prefix
    match: {provider: anthropic}
    targets: [tools, system]
    action: {add_cache_control: {ttl: 1h}}
  - name: tail
    match: {provider: anthropic}
    targets: [messages.last]
    action: {add_cache_control: {}}
"""
TESTS = """\
version: 1
tests:
  - name: a tail
    request: {file: request.json}
    expect: {breakpoints: []}
"""

CHANGES = {
    "minimum": 'minimums: {claude: {models: [{match: ["*"], tokens: 100000}]}}',
    "lookback": "caches: {claude: {kind: explicit, lookback: 1, lifetimes: {5m: {seconds: 300}}}}",
    "lifetime": "caches: {claude: {kind: explicit, lookback: 20, lifetimes: {5m: {seconds: 1}}}}",
    "automatic minimum": 'minimums: {deepseek: {models: [{match: ["*"], tokens: 100000}]}}',
    "automatic lifetime": "caches: {deepseek: {kind: automatic, lifetimes: {idle: {seconds: 1}}}}",
    "breakpoints": "routes: [{name: anthropic, breakpoints: 1}]",
    "ttls": "routes: [{name: anthropic, ttls: [5m]}]",
}

ON_TRACE = ("trace.jsonl", "--policy", "policy.yaml")
ON_REQUEST = ("--policy", "policy.yaml", "request.json")
COMMANDS = {
    "simulate": (("simulate", *ON_TRACE), set(CHANGES)),
    "simulate, no policy": (
        ("simulate", "trace.jsonl", "--policy", "none.yaml"),
        {"automatic minimum", "automatic lifetime"},
    ),
    "misses": (
        ("misses", *ON_TRACE),
        {"minimum", "lookback", "lifetime", "breakpoints"},
    ),
    "misses, as sent": (("misses", "marked.jsonl", "--as-sent"), {"minimum", "lookback", "lifetime"}),
    "report": (("report", *ON_TRACE, "-o", "report.html", "--force"), set(CHANGES)),
    "tune": (
        ("tune", "trace.jsonl"),
        {"minimum", "lifetime", "automatic minimum", "automatic lifetime", "breakpoints", "ttls"},
    ),
    "stats": (("stats", "recorded.jsonl"), {"lifetime", "automatic lifetime"}),
    "test": (("test", "policy.test.yaml"), {"minimum", "breakpoints", "ttls"}),
    "explain": (("explain", *ON_REQUEST), {"minimum", "breakpoints", "ttls"}),
    "diff": (("diff", *ON_REQUEST), {"minimum", "breakpoints", "ttls"}),
    "rewrite": (("rewrite", *ON_REQUEST), {"minimum", "breakpoints", "ttls"}),
    "validate": (("validate", "policy.yaml"), {"breakpoints", "ttls"}),
    "init": (
        ("init", "--provider", "anthropic", "--pauses", "long", "-o", "first.yaml", "--force"),
        {"ttls"},
    ),
    "providers": (("providers", "anthropic"), {"minimum", "lookback", "lifetime", "breakpoints", "ttls"}),
    "providers, another": (("providers", "deepseek"), {"automatic minimum", "automatic lifetime"}),
}


@pytest.fixture
def ran(run, save, folder):
    """Run a command with what it needs, and tell what it printed and wrote."""
    requests = [*agent(4), *(request | {"model": AUTOMATIC} for request in agent(4))]
    records = [
        {"ts": 20.0 * number, "request": request, "session": request["model"]}
        for number, request in enumerate(requests)
    ]
    mark = {"cache_control": {"type": "ephemeral"}}
    marked = [
        record | {"request": record["request"] | {"messages": _marked(record["request"]["messages"], mark)}}
        for record in records
    ]
    usage = {"usage": {"input_tokens": 5_000, "cache_read_input_tokens": 100, "output_tokens": 1}}
    save("policy.yaml", POLICY)
    save("none.yaml", "version: 1\nname: none\nrules: []\n")
    save("policy.test.yaml", TESTS)
    save("request.json", requests[3])
    save("trace.jsonl", "".join(json.dumps(record) + "\n" for record in records))
    save("marked.jsonl", "".join(json.dumps(record) + "\n" for record in marked))
    save("recorded.jsonl", "".join(json.dumps(record | usage) + "\n" for record in records))

    def ran(*arguments):
        ended = run(*arguments)
        assert ended.code in {0, 1}, ended.err
        written = [folder / name for name in ("report.html", "first.yaml", "first.test.yaml")]
        # What `init` says to do next names the catalog.
        printed = ended.out.replace(" --catalog catalog.yaml", "")
        return printed, *(file.read_text() for file in written if file.exists())

    return ran


def _marked(messages, mark):
    *before, last = messages
    text = last["content"]
    content = [{"type": "text", "text": text, **mark}] if isinstance(text, str) else text
    return [*before, last | {"content": content}]


@pytest.mark.parametrize(
    ("name", "change"), list(chain.from_iterable([(n, c) for c in sorted(COMMANDS[n][1])] for n in COMMANDS))
)
def test_a_change_is_seen(ran, save, name, change):
    command, _ = COMMANDS[name]
    file = save("catalog.yaml", f"version: 1\n{CHANGES[change]}\n")
    assert ran(*command, "--catalog", file) != ran(*command)


@pytest.mark.parametrize("name", COMMANDS)
def test_an_empty_change_is_none(ran, save, name):
    command, _ = COMMANDS[name]
    assert ran(*command, "--catalog", save("catalog.yaml", "version: 1\n")) == ran(*command)


@pytest.mark.parametrize("change", ["lookback", "automatic lifetime", "breakpoints"])
def test_it_reaches_every_process(ran, save, change):
    file = save("catalog.yaml", f"version: 1\n{CHANGES[change]}\n")
    command = ("simulate", *ON_TRACE, "--catalog", file)
    assert ran(*command, "--workers", "2") == ran(*command)


@pytest.mark.parametrize("change", ["minimum", "lookback", "lifetime", "breakpoints", "ttls"])
def test_it_reaches_the_studio(folder, save, change):
    request = json.dumps([*agent(4)][3])
    file = save("catalog.yaml", f"version: 1\n{CHANGES[change]}\n")
    with_it = evaluate(POLICY, request, 60.0, "p", catalog=load_catalog(folder / file))
    assert with_it["shown"] != evaluate(POLICY, request, 60.0, "p")["shown"]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_catalog_with_a_mistake_is_told(run, save, name):
    command, _ = COMMANDS[name]
    for file in ("policy.yaml", "none.yaml", "trace.jsonl", "marked.jsonl", "recorded.jsonl"):
        save(file, POLICY)
    save("request.json", "{}")
    save("policy.test.yaml", TESTS)
    ended = run(*command, "--catalog", save("catalog.yaml", "version: 1\nroutse: []\n"))
    assert (ended.code, ended.out) == (2, "")
    assert "did you mean `routes`?" in ended.err
