"""Loading: the model that comes out, and everything that can be said at once."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from policy_cache.errors import PolicyError
from policy_cache.policy.check import examine as examining
from policy_cache.policy.language.model import (
    Action,
    AddCacheControl,
    Match,
    Policy,
    PromptCacheOptions,
    Range,
    RemoveCacheControl,
    Rule,
    Sample,
    SetParameters,
    SplitText,
    Target,
)
from policy_cache.policy.load import load, loads

CASES = Path(__file__).parent.parent / "cases"


@pytest.fixture(scope="module")
def loaded():
    return load(CASES / "valid" / "every-field.yaml")


def diagnostics(text):
    with pytest.raises(PolicyError) as caught:
        loads(text)
    return caught.value.diagnostics


def test_every_field(loaded):
    policy = loaded.policy
    assert (policy.version, policy.name, policy.enabled) == (1, "every-field", False)
    assert (policy.mode, policy.client_markers) == ("observe", "replace")
    mark, unmark, key, split = policy.rules
    assert mark.match == Match(
        provider=("anthropic",),
        model=("*claude*", "re:claude-(opus|sonnet)-4.*"),
        alias=("team-*",),
        shape="chat",
        stream=True,
        tools=Range(min=1),
        messages=Range(min=2, max=100),
        tokens=Range(max=200_000),
        metadata={"tenant": ("acme", "3", "true"), "user.plan": ("pro",), "flag": ("false",)},
        headers={"x-agent": ("*",)},
        exists=("$.tools[*]",),
        missing=("$.response_format", "$.stop"),
        sample=Sample(percent=12.5, by="metadata.session_id"),
    )
    assert mark.except_ == Match(alias=("team-test",))
    assert mark.targets == (
        Target(at="request"),
        Target(at="messages.last_user"),
        Target(at="messages.last_tool_result"),
        Target(at="$.messages[?@.role=='user']", take=2, ttl="5m"),
        Target(at="tools", take="first"),
    )
    assert mark.action == Action(add_cache_control=AddCacheControl(ttl="1h"))
    assert mark.stop
    assert (unmark.targets, unmark.match, unmark.stop) == ((), None, False)
    assert unmark.action == Action(remove_cache_control=RemoveCacheControl())
    assert key.action.set == SetParameters(
        prompt_cache_key="{alias}-{model}-{metadata.user.id}",
        prompt_cache_retention="24h",
        prompt_cache_options=PromptCacheOptions(mode="explicit", ttl="30m"),
    )
    assert split.action.split_text == SplitText(at="## Today")
    assert [rule.action.name for rule in policy.rules] == [
        "add_cache_control",
        "remove_cache_control",
        "set",
        "split_text",
    ]


def test_an_absent_ttl_and_an_empty_action_are_the_same():
    rule = "version: 1\nname: t\nrules:\n- name: r\n  targets: [system]\n  action: {add_cache_control: %s}\n"
    assert loads(rule % "").policy == loads(rule % "{}").policy


def test_the_model_is_frozen(loaded):
    with pytest.raises(ValidationError):
        loaded.policy.name = "other"


def test_lines(loaded):
    lines = (CASES / "valid" / "every-field.yaml").read_text().split("\n")
    assert lines[loaded.line("rules", 1) - 1] == "  - name: unmark"
    assert lines[loaded.line("rules", 0, "targets", 1) - 1] == "      - messages.last_user"
    assert lines[loaded.line("rules", 0, "action") - 1] == "    action:"
    assert loaded.line("rules", 9) is None
    assert loaded.revision == loaded.source.revision


@pytest.mark.parametrize(("number", "inside"), [(1, False), (2, True), (4, True), (5, False)])
def test_a_range_includes_its_ends(number, inside):
    assert (number in Range(min=2, max=4)) is inside


def test_five_mistakes_are_five_diagnostics():
    text = (CASES / "invalid" / "five.yaml").read_text()
    assert [(d.code, d.span.line, d.span.column) for d in diagnostics(text)] == [
        ("PC123", 3, 7),
        ("PC120", 7, 7),
        ("PC122", 8, 15),
        ("PC201", 10, 19),
        ("PC301", 13, 11),
    ]


def test_an_error_is_one_line_for_each_diagnostic():
    with pytest.raises(PolicyError) as caught:
        load(CASES / "invalid" / "enum.yaml")
    path = CASES / "invalid" / "enum.yaml"
    assert str(caught.value).split("\n") == [
        f"{path}:3:7: error[PC123]: `observed` is not a value of `mode`",
        f"{path}:4:17: error[PC123]: `merge` is not a value of `client_markers`",
    ]
    assert not caught.value.unreadable
    assert caught.value.lines[2] == "mode: observed"


RULE = "version: 1\nname: t\nrules:\n- name: r\n  %s\n  action: {remove_cache_control: }\n"


@pytest.mark.parametrize(
    ("line", "code", "column"),
    [
        ("match: {metadata: {cached: yes}}", "PC118", 30),
        ("match: {metadata: {v: 1.10}}", "PC310", 25),
        ("match: {headers: {v: [+1, a]}}", "PC310", 25),
        ("targets: [$..content]", "PC204", 14),
        ("targets: [{at: system, ttl: 1h}]", "PC311", 31),
        ("except: {}", "PC312", 11),
    ],
)
def test_warnings_do_not_refuse(line, code, column):
    (warning,) = loads(RULE % line).warnings
    assert (warning.severity, warning.code) == ("warning", code)
    assert (warning.span.line, warning.span.column) == (5, column)


def test_a_warning_gives_way_to_an_error_about_the_same_value():
    assert [d.code for d in diagnostics(RULE % "targets: [no]")] == ["PC302"]


def test_what_only_the_model_refuses_is_a_diagnostic_too(monkeypatch):
    monkeypatch.setattr(examining, "_MEANING", ())
    (diagnostic,) = diagnostics(RULE % "match: {tools: {min: 3, max: 1}}")
    assert (diagnostic.code, diagnostic.span.line) == ("PC129", 5)
    assert "`min` is larger than `max`" in diagnostic.message


@pytest.mark.parametrize(
    "build",
    [
        Range,
        lambda: Range(min=2, max=1),
        Action,
        lambda: Action(split_text=SplitText(at="x"), set=SetParameters(prompt_cache_key="k")),
        SetParameters,
        PromptCacheOptions,
        lambda: Target(at="sytem"),
        lambda: Sample(percent=101, by="alias"),
        lambda: Sample(percent=10, by="session"),
        lambda: Rule(name="r", action=Action(add_cache_control=AddCacheControl())),
        lambda: Rule(name="r", targets=["system"], action={"set": {"prompt_cache_key": "k"}}),
        lambda: Policy(version=2, name="t", rules=()),
        lambda: Policy(version=1, name="t", rules=(), extra=1),
    ],
)
def test_the_model_refuses_what_the_file_format_does(build):
    with pytest.raises(ValidationError):
        build()


def test_the_model_takes_python_names():
    rule = Rule(name="r", except_=Match(model="x"), targets=["system"], action={"add_cache_control": {}})
    assert rule.except_ == Match(model=("x",))
