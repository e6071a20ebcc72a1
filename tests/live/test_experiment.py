"""An experiment: a session keeps its policy, and each policy gets its share of sessions."""

from __future__ import annotations

import json
from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy_cache import Engine, PolicyError
from policy_cache.live.engine import LiveEngine
from policy_cache.live.experiment import Experiment
from tests.engine.requests import chat, tool

CONTROL = "version: 1\nname: c\nrules:\n  - {name: c, targets: [system], action: {add_cache_control: {}}}\n"
VARIANT = CONTROL.replace("{add_cache_control: {}}", "{add_cache_control: {ttl: 1h}}")
MODELS = ["anthropic/claude-sonnet-4-5", "openai/gpt-5.6", "gemini/gemini-2.5-flash"]


def experiment(**more):
    return Experiment(Engine.from_text(CONTROL), Engine.from_text(VARIANT), **more)


def named(number, **more):
    return {**chat(tools=[tool()]), "metadata": {"session_id": f"session-{number}"}, **more}


@pytest.mark.parametrize("percent", [1, 20, 50, 90])
def test_each_policy_gets_its_share_of_the_sessions(percent):
    trial, sessions = experiment(percent=percent), 5_000
    share = sum(trial.arm(named(number)) == "variant" for number in range(sessions)) / sessions
    assert abs(share - percent / 100) < 4 * sqrt(percent / 100 * (1 - percent / 100) / sessions)


def test_another_name_draws_anew():
    arms = [[experiment(name=name).arm(named(number)) for number in range(400)] for name in ("a", "b")]
    alike = sum(one == other for one, other in zip(*arms, strict=True))
    assert 150 < alike < 250


@given(
    st.text(max_size=40),
    st.lists(st.tuples(st.sampled_from(MODELS), st.text(max_size=20), st.text(max_size=20)), min_size=1),
)
def test_a_conversation_keeps_its_policy_whatever_is_said_and_wherever_it_goes(first, turns):
    trial = experiment()
    messages = [{"role": "system", "content": "s"}, {"role": "user", "content": first}]
    arms = set()
    for model, answer, question in turns:
        arms.add(trial.arm({"model": model, "messages": messages}))
        messages = [
            *messages,
            {"role": "assistant", "content": answer},
            {"role": "user", "content": question},
        ]
    assert len(arms) == 1


def test_a_request_is_rewritten_by_its_arm_and_the_plan_says_so():
    trial, seen = experiment(), set()
    for number in range(40):
        request = named(number)
        plan, arm = trial.plan(request), trial.arm(request)
        engine = {"control": trial.control, "variant": trial.variant}[arm]
        assert trial.engine_of(request) is engine
        assert trial.rewrite(request) == engine.rewrite(request) == plan.request
        assert plan.arm == arm
        assert plan.without(plan.marks.values()).arm == arm
        assert trial.facts(request).request is request
        assert trial.route(request) == engine.route(request)
        seen.add(arm)
    assert seen == {"control", "variant"}


class Odd(dict):
    def get(self, *_):
        raise RuntimeError


@pytest.mark.parametrize(
    "request_",
    [
        {},
        None,
        {"model": "x", "messages": 3},
        {"model": "x", "messages": [{"role": "user", "content": "\ud800"}]},
        {"model": "x", "messages": [Odd(role="user")]},
        Odd(model="x", messages=[]),
    ],
    ids=repr,
)
def test_what_cannot_be_read_passes_through(request_, caplog):
    trial = experiment()
    for _ in range(2):
        assert trial.rewrite(request_) is request_
        trial.learn(request_)
    told = [record for record in caplog.records if "of the control after" in record.getMessage()]
    assert len(told) == len(trial.faults)
    assert all(number > 1 for number in trial.faults.values())


def test_what_keeps_a_session_from_being_told_is_counted_and_logged_once(caplog):
    trial = experiment()
    for _ in range(3):
        assert trial.arm({"model": "x", "messages": [Odd(role="user")]}) == "control"
        assert trial.arm({"model": "x", "messages": 3}) == "control"
    # Of a request that nobody can read, its engine keeps count.
    assert trial.faults == {"RuntimeError": 3}
    assert caplog.text.count("a request was taken to be of the control after RuntimeError (logged once)") == 1


@pytest.mark.parametrize("percent", [0, 100, -1, 101, float("nan"), 1e-300, 10**400])
def test_no_arm_may_be_empty(percent):
    with pytest.raises(ValueError, match="percent: expected more than 0 and less than 100"):
        experiment(percent=percent)


class TestOptions:
    @pytest.fixture
    def files(self, tmp_path):
        (tmp_path / "control.yaml").write_text(CONTROL)
        (tmp_path / "variant.yaml").write_text(VARIANT)
        return {
            "policy": str(tmp_path / "control.yaml"),
            "experiment": {"policy": str(tmp_path / "variant.yaml")},
        }

    def test_two_files(self, files):
        trial = Engine.from_config(files)
        assert (trial.percent, trial.name) == (50.0, "experiment")
        assert trial.variant.policy.source.name.endswith("variant.yaml")
        assert trial.variant.lifetimes is not trial.control.lifetimes

    def test_two_files_that_are_followed(self, files):
        files = {**files, "watch": True, "experiment": {**files["experiment"], "percent": 5, "name": "hour"}}
        with Engine.from_config(files) as trial:
            assert (trial.percent, trial.name) == (5.0, "hour")
            assert isinstance(trial.control, LiveEngine)
            assert isinstance(trial.variant, LiveEngine)

    @pytest.mark.parametrize(
        ("block", "message"),
        [
            ({}, "`caching.experiment` has no `policy`"),
            ({"polcy": "x"}, "unknown field `polcy` in `caching.experiment`"),
            ({"policy": "x", "percent": 0}, "`percent` in `caching.experiment` is 0: one of the two"),
            ({"policy": "x", "percent": 100}, "`percent` in `caching.experiment` is 100: one of the two"),
            ({"policy": "x", "percent": "50"}, "expected a number for `percent` in `caching.experiment`"),
            ({"policy": "nowhere.yaml"}, "nowhere.yaml"),
            ({"policy": "x", "percent": 10**400}, "must be finite and not negative"),
        ],
        ids=json.dumps,
    )
    def test_what_is_wrong_with_it(self, files, block, message):
        with pytest.raises(PolicyError, match=message):
            Engine.from_config({**files, "experiment": block})
