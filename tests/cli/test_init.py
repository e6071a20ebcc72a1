"""`policy-cache init`: what it writes for every answer is valid, tested and complete."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy_cache import Engine
from policy_cache.cli.commands.init import DEFAULT_PROVIDERS
from policy_cache.integrations.litellm import check
from policy_cache.policy.check.examine import examine
from policy_cache.policy.write import answers as written
from policy_cache.policy.write.answers import KINDS, PAUSES, ROUTERS
from policy_cache.policy.write.starter import starter
from policy_cache.providers.catalog import packaged_catalog
from policy_cache.providers.examples import examples
from policy_cache.testing.outcome import coverage, percent
from policy_cache.testing.run import Runner
from policy_cache.testing.session import Session
from policy_cache.testing.starter import starter_request, starter_tests

PROVIDERS = examples(packaged_catalog())
ALONE = [(name,) for name in PROVIDERS]
TOGETHER = [DEFAULT_PROVIDERS, tuple(PROVIDERS), ("snowflake", "openai", "gemini")]


def Answers(names=DEFAULT_PROVIDERS, *rest, **more):  # noqa: N802, in place of the class
    """Answers about providers of these names."""
    return written.Answers(tuple(PROVIDERS[name] for name in names), *rest, **more)


def outcomes(folder, answers):
    """What `validate` and `test` find in the files for some answers."""
    policy, tests = folder / "policy.yaml", folder / "policy.test.yaml"
    policy.write_text(starter(answers), encoding="utf-8")
    tests.write_text(starter_tests(answers), encoding="utf-8")
    session = Session()
    session.run(Runner(lambda: None), [tests], lambda _: True)
    return examine(policy).diagnostics, session


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pauses", PAUSES)
@pytest.mark.parametrize("providers", [*ALONE, *TOGETHER], ids=lambda names: "+".join(names)[:40])
def test_every_policy_is_silent_passes_and_acts_in_every_rule(tmp_path, providers, kind, pauses):
    for router in ROUTERS:
        diagnostics, session = outcomes(tmp_path, Answers(providers, kind, pauses, router))
        assert diagnostics == ()
        assert session.broken == {}
        assert [(one.case.name, one.problems) for one in session.every if one.status != "passed"] == []
        assert percent(coverage(session.every)) == 100


@pytest.mark.property
@given(
    st.lists(st.sampled_from(list(PROVIDERS)), min_size=1, unique=True),
    st.sampled_from(KINDS),
    st.sampled_from(PAUSES),
    st.sampled_from(ROUTERS),
)
def test_any_providers_go_together(tmp_path_factory, providers, kind, pauses, router):
    answers = Answers(tuple(providers), kind, pauses, router)
    diagnostics, session = outcomes(tmp_path_factory.getbasetemp(), answers)
    assert diagnostics == ()
    assert {one.status for one in session.every} == {"passed"}
    assert percent(coverage(session.every)) == 100


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [name for name in PROVIDERS if PROVIDERS[name].family is not None])
def test_litellm_sends_every_marker(name, kind):
    answers = Answers((name,), kind, "long")
    plan = Engine.from_text(starter(answers)).plan(starter_request(answers))
    found = check(plan)
    assert found.fates
    assert [fate.marker.at for fate in found.fates if not fate.places] == []
    assert all(found.parameters.values())


def test_every_provider_of_the_catalog_can_be_named():
    assert set(PROVIDERS) == {name for name, one in packaged_catalog().providers.items() if one.example}
    assert list(PROVIDERS) == sorted(PROVIDERS)


WRITTEN = """\
# Prompt caching for chats. Written for an hour, which costs twice the price of input, since people
# pause for longer than five minutes; every read starts the hour anew. `policy-cache simulate` tells
# whether it pays.
#
# In the proxy's config.yaml:
#
#     litellm_settings:
#       callbacks: policy_cache.integrations.litellm.proxy_handler
#       policy_cache: {policy: team.yaml}
version: 1
name: chat
mode: enforce                   # observe: log what would be done, and send requests untouched
client_markers: keep            # what a client marked stays, and counts towards the limit

rules:
  # Claude: the system prompt, once it is clear that a chat goes on. Its first request looks just
  # like a question that nothing follows, and would only pay for the write.
  - name: claude-prefix
    match:
      provider: [anthropic]
      model: "*claude*"
      messages: {min: 3}
    targets: [system]
    action:
      add_cache_control: {ttl: 1h}

  # Each request adds to the conversation: `messages.last` writes what is there now, and
  # `messages.previous_turn` finds what the request before wrote.
  - name: claude-conversation
    match:
      provider: [anthropic]
      model: "*claude*"
      messages: {min: 3}
    targets: [messages.previous_turn, messages.last]
    action:
      add_cache_control: {ttl: 1h}

  # These cache by themselves, or not at all. What a client marked for Claude is of no use there,
  # and some of it litellm would pass on to providers that answer 400.
  - name: no-markers-elsewhere
    match:
      provider: [groq]
    action:
      remove_cache_control: {}
"""
PROVIDED = ("--provider", "anthropic", "--provider", "groq")
OPTIONS = (*PROVIDED, "--kind", "chat", "--pauses", "long", "--router", "proxy")


def test_what_is_written(run, folder):
    assert run("init", *OPTIONS, "-o", "team.yaml") == (
        0,
        """\
Next:
  policy-cache validate team.yaml
  policy-cache test team.yaml --coverage
""",
        "wrote team.yaml\nwrote team.test.yaml\n",
    )
    assert (folder / "team.yaml").read_text() == WRITTEN
    assert sorted(path.name for path in folder.iterdir()) == ["team.test.yaml", "team.yaml"]


def test_without_a_terminal_it_says_what_it_takes_for_granted(run, folder):
    ran = run("init", "--kind", "one-shot")
    assert ran.err == (
        "policy-cache: taken for granted: --provider anthropic,azure_ai,bedrock,vertex_ai --pauses short "
        "--router library\nwrote policy.yaml\nwrote policy.test.yaml\n"
    )
    assert (folder / "policy.yaml").read_text() == starter(Answers(kind="one-shot"))


class Terminal(io.StringIO):
    """Somebody who types."""

    def isatty(self):
        return True


@pytest.fixture
def typed(run, monkeypatch):
    """Run `init` at a terminal where these lines are typed."""

    def typed(text, *arguments):
        monkeypatch.setattr("policy_cache.cli.commands.init.sys.stdin", None)
        terminal = Terminal(text)
        monkeypatch.setattr("tests.cli.conftest.TextIOWrapper", lambda *_, **__: terminal)
        return run("init", *arguments)

    return typed


def test_at_a_terminal_it_asks_for_what_no_option_says(typed, folder):
    ran = typed("antropic\nBedrock, openai\n\nlong\n", "--router", "callback")
    assert ran.code == 0
    assert "no provider is called 'antropic'; did you mean 'anthropic'?" in ran.err
    assert "taken for granted" not in ran.err
    assert "How do requests reach litellm" not in ran.err
    answers = Answers(("bedrock", "openai"), "agent", "long", "callback")
    assert (folder / "policy.yaml").read_text() == starter(answers)


def test_whoever_leaves_gets_nothing(typed, folder):
    ran = typed("anthropic\n")
    assert ran.code == 2
    assert ran.err.endswith("policy-cache: nothing was written\n")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("there", ["policy.yaml", "policy.test.yaml", "request.json"])
def test_nothing_is_written_over(run, save, folder, there):
    save(there, "mine")
    ran = run("init", "--request")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.endswith(f"Error: {there} exists; --force writes over it\n")
    assert [path.name for path in folder.iterdir()] == [there]
    assert run("init", "--request", "--force").code == 0
    assert (folder / there).read_text() != "mine"


def test_all_or_nothing(run, folder):
    (folder / "request.json").mkdir()
    ran = run("init", "--request", "--force", *OPTIONS)
    assert ran.code == 2
    assert ran.err.endswith("policy-cache: request.json: not a plain file\n")
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]
    assert run("init", *OPTIONS, "-o", "nowhere/policy.yaml").refused() == (
        "nowhere/policy.yaml: No such file or directory"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--provider", "grok"), "no provider is called 'grok'; did you mean 'groq'?"),
        (("--provider", "qqqqqq"), "no provider is called 'qqqqqq'; one of aihubmix, anthropic, azure, "),
        (("--provider", ","), "name one provider at least"),
        (("-o", "policy.json"), "a policy is called *.yaml or *.yml, and no test: policy.json"),
        (("-o", "a.test.yaml"), "a policy is called *.yaml or *.yml, and no test: a.test.yaml"),
    ],
)
def test_what_cannot_be_asked_for(run, folder, arguments, said):
    ran = run("init", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert list(folder.iterdir()) == []


@pytest.mark.usefixtures("folder")
def test_a_new_user_is_there_in_five_commands(run):
    first = run("init", "--request")
    assert first.code == 0
    commands = [line.removeprefix("  policy-cache ").split() for line in first.out.splitlines()[1:]]
    assert [command[0] for command in commands] == ["validate", "test", "diff"]
    validated, tested, differs = (run(*command) for command in commands)
    assert validated == (0, "Valid: 2 rules in 1 file.\n", "")
    assert tested.code == 0
    assert tested.out.startswith("5 passed in 1 file.\n")
    assert tested.out.endswith("Coverage: 100% of the rules.\n")
    assert differs.code == 1
    assert differs.out.endswith("\n4 breakpoints added, 0 already present; 4 of 4 used.\n")
    explained = run("explain", "--policy", "policy.yaml", "request.json", "--why", "['messages'][4]")
    assert explained.out.endswith(
        "result: claude-conversation marks it at $['messages'][4]['content'] (5m).\n"
    )
    assert json.loads(Path("request.json").read_text()) == starter_request(Answers())


def test_a_link_is_something_that_exists(run, folder):
    (folder / "policy.yaml").symlink_to("real.yaml")
    assert run("init", *OPTIONS).err.endswith("Error: policy.yaml exists; --force writes over it\n")
    assert run("init", "--force", *OPTIONS).code == 0
    assert (folder / "policy.yaml").is_symlink()
    assert (folder / "real.yaml").read_text().startswith("#")


def test_a_name_like_an_option(run, folder):
    ran = run("init", *OPTIONS, "--output=-x.yaml")
    assert "policy-cache validate ./-x.yaml\n" in ran.out
    assert (folder / "-x.yaml").exists()


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("name", ["a" * 300 + ".yaml", "a" * 250 + ".yaml"])
def test_a_name_that_is_too_long(run, name):
    said = run("init", *OPTIONS, "-o", name).refused()
    assert said.endswith(".yaml: File name too long")
    assert "\n" not in said


ACME = """\
version: 1
providers:
  acme: {example: large-2}
  other: {example: small}
families: {acme: {title: Acme, models: ["large-*"]}}
routes:
  - name: acme
    providers: [acme, other]
    mechanism: explicit
    breakpoints: 2
    ttls: [5m]
    blocks: {chat: openai-shape}
"""


def test_a_provider_of_ones_own(run, save, folder):
    """What it takes is told by its route; of a model without a family, the provider names the rules."""
    catalog = save("catalog.yaml", ACME.replace("large-2}", "large-2, family: acme}"))
    ran = run(
        "init", "--catalog", catalog, "--provider", "acme,other", "--kind", "one-shot", "--pauses", "long"
    )
    assert ran.code == 0
    commands = [line.removeprefix("  policy-cache ").split() for line in ran.out.splitlines()[1:]]
    assert commands[0][-2:] == ["--catalog", "catalog.yaml"]
    written = (folder / "policy.yaml").read_text()
    assert "  # Acme: the system prompt" in written
    assert '      provider: [acme]\n      model: "large-*"\n    targets: [system]\n' in written
    assert "      provider: [other]\n    targets: [system]\n" in written
    assert "ttl: 1h" not in written
    assert [run(*command).code for command in commands] == [0, 0]
