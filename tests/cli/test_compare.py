"""`policy-cache compare`: what it prints, in which form, and how it exits."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

from policy_cache import Engine
from policy_cache.report.review import MARKER, MOST
from policy_cache.review.group import Groups

SECRET = "xyzzy"
SONNET = "anthropic/claude-sonnet-4-5"
CONVERSATION = """\
version: 1
name: conversation
rules:
  - name: prefix
    match: {provider: anthropic}
    targets: [system]
    action: {add_cache_control: {}}
  - name: conversation
    match: {provider: anthropic}
    targets: [messages.last]
    action: {add_cache_control: {}}
"""
OLD = CONVERSATION[: CONVERSATION.index("  - name: conversation")]
LONG = CONVERSATION.replace(
    "targets: [system]\n    action: {add_cache_control: {}}",
    "targets: [system]\n    action: {add_cache_control: {ttl: 1h}}",
)
SAME = OLD.replace("rules:", "# What follows is as it was.\nrules:").replace("name: prefix", "name: system")


def trace(sessions=3, turns=2, model=SONNET, **more):
    for number in range(sessions):
        messages = [{"role": "system", "content": f"{SECRET} {number} " + "word " * 3_000}]
        for turn in range(turns):
            messages = [*messages, {"role": "user", "content": f"q{turn} " + "word " * 500}]
            request = {"model": model, "messages": messages, **more}
            line = {"ts": 10.0 * turn + number, "session": f"s{number}", "request": request}
            yield json.dumps(line) + "\n"
            messages = [*messages, {"role": "assistant", "content": "a"}]


@pytest.fixture
def compared(run, save):
    """A run of the command on two policies and conversations."""
    save("old.yaml", OLD)
    save("new.yaml", CONVERSATION)
    save("long.yaml", LONG)
    save("same.yaml", SAME)
    save("trace.jsonl", "".join(trace()))
    return lambda *arguments: run("compare", *arguments)


FULL = """\
trace.jsonl: 6 requests in 3 sessions, 1 model, over 0:00:12
sizes are estimates by characters; no usage was recorded to fit them to

6 of 6 requests change; $0.0716 before, $0.0691 after: $0.0026 less (-3.6%), \
for 3 sessions of this kind -$0.0026 to -$0.0026 (95 %)

6 requests on anthropic, chat (anthropic/claude-sonnet-4-5): $0.0026 less, \
for 3 sessions of this kind -$0.0026 to -$0.0026 (95 %)
  + 5m breakpoint at messages.last by `conversation`  (new.yaml:10)
  for example trace.jsonl:1
"""


def test_everything_for_a_person(compared):
    ran = compared("old.yaml", "new.yaml", "trace.jsonl")
    assert (ran.code, ran.err) == (1, "")
    assert ran.out == FULL


def test_an_example_of_each_group_as_it_is_sent(compared):
    ran = compared("old.yaml", "new.yaml", "trace.jsonl", "--examples")
    assert "\n--- old.yaml\n+++ new.yaml\n" in ran.out
    assert '+          "cache_control": {' in ran.out


@pytest.mark.parametrize("form", ["full", "json", "markdown", "github"])
def test_no_text_of_a_prompt_unless_it_is_asked_for(compared, form):
    assert SECRET not in compared("old.yaml", "new.yaml", "trace.jsonl", "--output-format", form).out


def test_everything_for_a_program(compared, run):
    found = json.loads(compared("old.yaml", "new.yaml", "trace.jsonl", "--output-format", "json").out)
    assert (found["requests"], found["changed"], found["unchanged"]["requests"]) == (6, 6, 0)
    [group] = found["groups"]
    assert group["ways"] == [
        {"provider": "anthropic", "route": "anthropic", "alias": "", "shape": "chat", "requests": 6}
    ]
    assert group["changes"] == [
        {
            "kind": "added",
            "what": "messages.last",
            "rule": "conversation",
            "ttl": "5m",
            "before": "",
            "line": 10,
        }
    ]
    simulated = run(
        "simulate", "trace.jsonl", "--policy", "old.yaml", "--policy", "new.yaml", "--output-format", "json"
    )
    costs = [row["total"]["cost_usd"] for row in json.loads(simulated.out)["rows"]][-2:]
    assert [found["total"]["before_usd"], found["total"]["after_usd"]] == costs
    assert group["worth"]["difference_usd"] == found["total"]["difference_usd"]


MARKDOWN = f"""\
{MARKER}
### <code>old.yaml</code> → <code>long.yaml</code>

6 of 6 requests change; $0.0716 before, $0.0980 after: $0.0264 more (+36.8%), \
for 3 sessions of this kind +$0.0264 to +$0.0264 (95 %).

Over trace.jsonl.

- sizes are estimates by characters; no usage was recorded to fit them to

<details><summary><code>6 requests on anthropic, chat (anthropic/claude-sonnet-4-5)</code>: $0.0264 more, \
for 3 sessions of this kind +$0.0264 to +$0.0264 (95 %)</summary>

```diff
~ 5m -> 1h at system by `prefix`  (long.yaml:6)
+ 5m breakpoint at messages.last by `conversation`  (long.yaml:10)
```

For example <code>trace.jsonl:1</code>.

</details>
"""


def test_a_comment(compared):
    ran = compared("old.yaml", "long.yaml", "trace.jsonl", "--output-format", "markdown")
    assert (ran.code, ran.out) == (1, MARKDOWN)


def test_annotations(compared):
    ran = compared("old.yaml", "new.yaml", "trace.jsonl", "--output-format", "github")
    first, second = ran.out.splitlines()
    assert first.startswith("::notice file=new.yaml::6 of 6 requests change; ")
    assert second.startswith("::notice file=new.yaml,line=10::6 requests on anthropic, chat (")
    assert second.endswith("%0A+ 5m breakpoint at messages.last by `conversation`  (new.yaml:10)")


@pytest.mark.parametrize("arguments", [("trace.jsonl",), ()], ids=["a trace", "no trace"])
def test_a_change_without_effect(compared, arguments):
    ran = compared("old.yaml", "same.yaml", *arguments)
    assert (ran.code, ran.err) == (0, "")
    assert "nothing changes: all of " in ran.out


def test_what_can_change_at_all(compared, save):
    save(
        "new.test.yaml",
        "version: 1\ntests:\n  - name: t\n    context: {provider: anthropic}\n"
        "    request:\n      model: claude-sonnet-4-5\n"
        '      messages: [{role: user, content: {repeat: "word ", times: 9000}}]\n'
        "    expect: {unchanged: false}\n",
    )
    ran = compared("old.yaml", "new.yaml")
    assert ran.code == 1
    assert "  + 5m breakpoint at messages.last by `conversation`  (new.yaml:10)\n" in ran.out
    assert "for example new.test.yaml:3\n" in ran.out


class TestFailing:
    @pytest.mark.parametrize(
        ("policies", "on", "code"),
        [
            (("old.yaml", "new.yaml"), "cost", 0),
            (("new.yaml", "old.yaml"), "cost", 1),
            (("new.yaml", "long.yaml"), "cost", 1),
            (("old.yaml", "new.yaml"), "loss", 0),
            (("old.yaml", "new.yaml"), "refusal", 0),
        ],
    )
    def test_on_what_is_named(self, compared, policies, on, code):
        assert compared(*policies, "trace.jsonl", "--fail-on", on).code == code

    @pytest.mark.parametrize("arguments", [(), ("unknown.jsonl",)], ids=["no trace", "no price"])
    def test_on_a_cost_that_nobody_knows(self, compared, save, arguments):
        save("unknown.jsonl", "".join(trace(model="anthropic/claude-future-9")))
        ran = compared("old.yaml", "new.yaml", *arguments, "--fail-on", "cost")
        assert ran.code == 2
        assert "--fail-on cost" in ran.err

    def test_on_a_refusal(self, compared, save):
        marked = {"type": "text", "text": "word " * 3_000, "cache_control": {"type": "ephemeral"}}
        messages = [{"role": "user", "content": [marked]} for _ in range(5)]
        save("five.jsonl", json.dumps({"request": {"model": SONNET, "messages": messages}}) + "\n")
        save("repair.yaml", OLD.replace("rules:", "client_markers: repair\nrules:"))
        ran = compared("repair.yaml", "old.yaml", "five.jsonl", "--fail-on", "refusal")
        assert ran.code == 1
        assert "  ! newly refused by the provider\n" in ran.out
        assert compared("repair.yaml", "old.yaml", "five.jsonl", "--fail-on", "loss").code == 0


class TestHostile:
    def test_a_comment_has_room_for_so_much(self, compared, save):
        lines = []
        for number in range(900):
            line = next(trace(1, 1, metadata={"model_group": f"{'`' * 5}</details>{number}" + "é" * 60}))
            lines.append(line)
        save("many.jsonl", "".join(lines))
        ran = compared("old.yaml", "new.yaml", "many.jsonl", "--output-format", "markdown")
        assert len(ran.out.encode()) <= MOST
        groups, rest = re.search(r"… and ([\d,]+) groups more, of ([\d,]+) requests\.", ran.out).groups()
        assert groups == rest
        assert ran.out.count("<details>") == ran.out.count("</details>") == 900 - int(groups)

    def test_whatever_there_is_to_say(self, compared, save):
        lines = (next(trace(1, 1, model=f"nobody/{number}" + "x" * 90)) for number in range(1_500))
        save("models.jsonl", "".join(lines))
        ran = compared("old.yaml", "new.yaml", "models.jsonl", "--output-format", "markdown")
        assert len(ran.out.encode()) <= MOST
        assert "more" in ran.out

    def test_nobody_is_mentioned(self, compared, save):
        save("at.jsonl", "".join(trace(metadata={"model_group": "```\n# hi @team #12"})))
        out = compared("old.yaml", "new.yaml", "at.jsonl", "--output-format", "markdown").out
        outside = re.sub("<code>.*?</code>|```diff.*?```", "", out, flags=re.DOTALL)
        assert "@team" not in outside
        assert "#12" not in outside

    def test_one_request_that_is_too_large_costs_that_request(self, compared, save, run):
        parts = [{"type": "text", "text": "q"}, {"type": "x", "numbers": [0] * 250_000}]
        messages = [{"role": "user", "content": parts}]
        large = json.dumps({"ts": 1.0, "request": {"model": SONNET, "messages": messages}, "session": "l"})
        save("large.jsonl", large + "\n" + "".join(trace(1)))
        ran = compared("old.yaml", "new.yaml", "large.jsonl")
        assert ran.code == 1
        assert "2 of 2 requests change; " in ran.out
        assert "1 request left out: $: expected a request, found over 200,000 values" in ran.out
        for command in ("simulate", "misses"):
            assert "left out: $: expected a request" in run(command, "large.jsonl").out

    def test_groups_are_bounded_whatever_a_client_calls_itself(self):
        groups = Groups()
        engines = [Engine.from_text(text) for text in (OLD, CONVERSATION)]
        for number in range(1_100):
            [line] = trace(1, 1, metadata={"model_group": f"g{number}"})
            groups.of("here", json.loads(line)["request"], *engines, {}).requests += 1
        assert len(groups.changed) == 1_001
        assert sum(group.requests for group in groups.changed.values()) == 1_100
        assert all(group.example.before is None for group in groups.changed.values())

    def test_a_rule_whose_name_is_markup(self, compared, save):
        name = "````\\n</details><script>"
        save("odd.yaml", CONVERSATION.replace("- name: conversation", f'- name: "{name}"'))
        ran = compared("old.yaml", "odd.yaml", "trace.jsonl", "--output-format", "markdown")
        [fence] = re.findall(r"^(`+)diff$", ran.out, re.MULTILINE)
        [body] = re.findall(rf"^{fence}diff\n(.*?)\n{fence}$", ran.out, re.MULTILINE | re.DOTALL)
        assert body.count("\n") == 0
        assert "<script>" not in ran.out.replace(body, "")

    def test_a_price_that_is_unknown_is_no_zero(self, compared, save):
        save("unknown.jsonl", "".join(trace(model="anthropic/claude-future-9")))
        ran = compared("old.yaml", "new.yaml", "unknown.jsonl")
        assert "6 of 6 requests change; what that costs is unknown\n" in ran.out
        assert "(anthropic/claude-future-9): of unknown cost\n" in ran.out
        found = json.loads(compared("old.yaml", "new.yaml", "unknown.jsonl", "--output-format", "json").out)
        assert (found["total"]["difference_usd"], found["total"]["sessions"]) == (None, 0)

    def test_a_session_of_unknown_price_makes_nothing_more_certain(self, compared, save):
        lines = [*trace(1), *trace(3, model="anthropic/claude-future-9")]
        save("both.jsonl", "".join(lines))
        ran = compared("old.yaml", "new.yaml", "both.jsonl")
        assert ", of one session: how sure that is cannot be said; 6 requests of unknown price" in ran.out

    def test_a_trace_where_a_policy_was_expected(self, compared):
        ran = compared("old.yaml", "trace.jsonl")
        assert ran.code == 2
        assert "trace.jsonl is a trace, where the policy NEW was expected" in ran.err

    def test_all_models_unknown(self, compared, save):
        save("unknown.jsonl", "".join(trace(model="nobody/knows")))
        ran = compared("old.yaml", "new.yaml", "unknown.jsonl")
        assert ran.code == 0
        assert "no price is known for nobody/knows" in ran.out
        assert "nothing changes" in ran.out

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("no.yaml", "new.yaml"), "no.yaml"),
            (("git:", "new.yaml"), "git:: expected git:REVISION:PATH"),
            (("git:HEAD", "new.yaml"), "git:HEAD: expected git:REVISION:PATH"),
            (("git:--help:x", "new.yaml"), "git:--help:x: expected git:REVISION:PATH"),
            (("old.yaml", "new.yaml", "none.jsonl"), "none.jsonl: No such file"),
            (("old.yaml", "new.yaml", "empty.jsonl"), "empty.jsonl: nothing to evaluate: it is empty"),
        ],
    )
    def test_what_cannot_be_done(self, compared, save, arguments, message):
        save("empty.jsonl", "")
        ran = compared(*arguments)
        assert (ran.code, ran.out) == (2, "")
        assert message in ran.err

    def test_an_old_policy_that_is_not_valid(self, compared, save):
        save("bad.yaml", OLD.replace("targets", "target"))
        ran = compared("bad.yaml", "new.yaml", "trace.jsonl")
        assert (ran.code, ran.out) == (2, "")
        assert "bad.yaml:" in ran.err
        assert "did you mean `targets`?" in ran.err


@pytest.fixture
def repository(folder, save):
    def git(*arguments):
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)

    git("init", "--quiet", "--initial-branch", "main")
    save("policy.yaml", OLD)
    git("add", "policy.yaml")
    git("commit", "--quiet", "--message", "old")
    save("policy.yaml", CONVERSATION)


@pytest.mark.usefixtures("repository")
class TestRevisions:
    def test_the_policy_as_it_was(self, compared):
        ran = compared("git:HEAD:policy.yaml", "policy.yaml", "trace.jsonl")
        assert ran.code == 1
        assert "  + 5m breakpoint at messages.last by `conversation`  (policy.yaml:10)\n" in ran.out

    def test_on_both_sides_it_is_the_same(self, compared):
        assert compared("git:HEAD:policy.yaml", "git:main:policy.yaml", "trace.jsonl").code == 0

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("git:v9:policy.yaml", "git:v9:policy.yaml: invalid object name 'v9'."),
            ("git:HEAD:no.yaml", "git:HEAD:no.yaml: path 'no.yaml' does not exist in 'HEAD'"),
        ],
    )
    def test_what_git_does_not_have(self, compared, name, message):
        assert compared(name, "policy.yaml", "trace.jsonl").refused() == message


def test_outside_of_a_repository(compared):
    assert "not a git repository" in compared("git:HEAD:policy.yaml", "new.yaml").refused()
