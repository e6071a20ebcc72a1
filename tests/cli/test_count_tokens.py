"""`--count-tokens`: what each command says of it, and how it fails."""

import json

import pytest

from tests.forecast.test_compare import agent

CLAUDE, GEMINI = "anthropic/claude-sonnet-4-5", "gemini/gemini-2.5-pro"
COMMANDS = ("simulate", "misses", "tune", "report", "compare")


@pytest.fixture
def trace(save):
    def trace(*models):
        records = [
            {"ts": 20.0 * number, "request": request, "session": model}
            for model in models
            for number, request in enumerate(agent(4, model))
        ]
        return save("trace.jsonl", "".join(json.dumps(record) + "\n" for record in records))

    return trace


def asked(command, save, trace):
    save("none.yaml", "version: 1\nname: none\nrules: []\n")
    beside = {"report": ("-o", "page.html"), "tune": ("-o", "tuned.yaml")}.get(command, ())
    files = ("none.yaml", "none.yaml") if command == "compare" else ()
    return (command, *files, trace, "--count-tokens", *beside)


COUNTED = (
    f"{CLAUDE}: sizes are fitted to 4 prompts counted by count_tokens at 127.0.0.1: a fit to the others is "
    "off by 0.0% (median), 0.0% (at most)"
)
NOT_COUNTED = f"{GEMINI}: not counted, so its estimate stays: nothing here counts its prompts exactly"


@pytest.mark.usefixtures("emulator")
@pytest.mark.parametrize("command", COMMANDS)
def test_it_is_said_what_was_counted_and_what_was_not(run, save, trace, folder, command):
    ran = run(*asked(command, save, trace(CLAUDE, GEMINI)))
    written = {"report": "page.html", "tune": "tuned.yaml"}.get(command)
    told = (folder / written).read_text(encoding="utf-8") if written else ran.out
    told = told.replace("&#x27;", "'")
    assert COUNTED in told
    assert NOT_COUNTED in told


@pytest.mark.usefixtures("emulator")
def test_recorded_sizes_are_held_against_the_counted_ones(run, save):
    """The estimates are half of what was recorded, and follow what is counted all the same."""
    records = [{"ts": 1.0, "request": r, "usage": {"input_tokens": 11_494}} for r in agent(1, CLAUDE)]
    ran = run("simulate", save("t.jsonl", json.dumps(records[0])), "--count-tokens")
    assert ran.out.splitlines()[1:3] == [
        f"{CLAUDE}: sizes are fitted to 1 prompt counted by count_tokens at 127.0.0.1",
        "1 size of prompts that were recorded: off by 50.0% (median), 50.0% (95th percentile)",
    ]


@pytest.mark.usefixtures("emulator")
@pytest.mark.parametrize("command", ["simulate", "misses"])
def test_json_has_what_was_counted(run, trace, command):
    ran = run(command, trace(CLAUDE, GEMINI), "--count-tokens", "--output-format", "json")
    claude, gemini = json.loads(ran.out)["counted"]
    assert (claude["model"], claude["by"], claude["prompts"]) == (CLAUDE, "count_tokens at 127.0.0.1", 4)
    assert claude["largest_error"] == pytest.approx(0, abs=0.001)
    assert gemini == {
        "model": GEMINI,
        "by": None,
        "prompts": 0,
        "median_error": None,
        "largest_error": None,
        "not_counted": "nothing here counts its prompts exactly",
    }


@pytest.mark.parametrize("command", COMMANDS)
def test_without_a_key_nothing_is_written(run, save, trace, folder, monkeypatch, command):
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    ran = run(*asked(command, save, trace(CLAUDE)))
    assert ran.refused() == (
        "--count-tokens has Anthropic count prompts of claude-sonnet-4-5, and found no ANTHROPIC_API_KEY: "
        "set it, and ANTHROPIC_API_BASE where another address shall count, or leave out --count-tokens"
    )
    assert sorted(path.name for path in folder.iterdir()) == ["none.yaml", "trace.jsonl"]


@pytest.mark.parametrize("key", ["sk-s\u00e9cret", "sk-secret\n", "sk secret", "\udcffsecret"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_key_that_cannot_be_sent_is_not_told(run, save, trace, monkeypatch, command, key):
    monkeypatch.setenv("ANTHROPIC_API_KEY", key)
    assert run(*asked(command, save, trace(CLAUDE))).refused() == (
        "ANTHROPIC_API_KEY has a character that no key has: expected letters, digits and signs of ASCII"
    )


@pytest.mark.parametrize(
    "base",
    [
        *("not a url", "http://[bad", "http://me:hunter2@[x", "http://", "http://host:99999"),
        *("127.0.0.1:9", "ftp://host", "/a", "http://\udcff", "http://x\n"),
    ],
)
@pytest.mark.parametrize("name", ["ANTHROPIC_API_BASE", "ANTHROPIC_BASE_URL"])
def test_an_address_that_is_none(run, trace, monkeypatch, name, base):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "any")
    monkeypatch.delenv("ANTHROPIC_API_BASE", raising=False)
    monkeypatch.setenv(name, base)
    assert run("simulate", trace(CLAUDE), "--count-tokens").refused() == (
        f"{name} is not the URL of a server: expected one as https://api.anthropic.com"
    )


def test_gpt_needs_no_key(run, trace, monkeypatch):
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    ran = run("simulate", trace("openai/gpt-4o"), "--count-tokens")
    assert ran.code == 0
    assert "openai/gpt-4o: sizes are fitted to 4 prompts counted by litellm.token_counter: " in ran.out


def test_without_litellm(run, trace, monkeypatch):
    monkeypatch.setattr("policy_cache.cli.shared.traces.installed_litellm", lambda: None)
    assert run("simulate", trace(CLAUDE), "--count-tokens").refused() == (
        "--count-tokens needs litellm: pip install 'policy-cache[litellm]'"
    )


def test_where_no_sizes_are_fitted_there_is_nothing_to_count(run, trace):
    assert "No such option" in run("switches", trace(CLAUDE), "--count-tokens").err
