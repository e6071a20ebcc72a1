"""What policies cost on recorded conversations, for four lengths of pauses, beside the least possible."""

import pytest

from policy_cache import Engine
from policy_cache.forecast.compare import PolicyText, TraceOptions, compare
from policy_cache.forecast.proposal import proposal
from policy_cache.forecast.tune import tune
from policy_cache.packaged import packaged
from tests.forecast.conversations import write

PAUSES = {"15 s": 15, "2 min": 120, "7 min": 420, "15 min": 900}
SHIPPED = ["default", "interactive"]
STRATEGIES = sorted(
    path.stem for path in packaged("policies", "strategies").glob("*.yaml") if ".test." not in path.name
)


def text(name, *folders):
    return PolicyText(name, packaged("policies", *folders, f"{name}.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module", params=PAUSES)
def replayed(request, traces, tmp_path_factory):
    """The pause, and what each policy costs, in terms of the optimum."""
    path = write(tmp_path_factory.mktemp("trace") / "t.jsonl", traces / "taubench", PAUSES[request.param])
    options = TraceOptions((str(path),))
    choices, _, _ = tune(options)
    tuned = proposal(choices, "t.jsonl")
    Engine.from_text(tuned)
    policies = [text(name) for name in SHIPPED] + [text(name, "strategies") for name in STRATEGIES]
    found, _ = compare(options, [*policies, PolicyText("tuned", tuned)])
    names = [policy.name for policy in policies] + ["tuned"]
    return request.param, {
        name: float(column.total.cost / found.optimum)
        for name, column in zip(names, found.policies, strict=True)
    }


def test_what_is_tuned_costs_hardly_more_than_the_optimum(replayed):
    _, costs = replayed
    assert 1 <= costs["tuned"] <= 1.05


def test_the_default_policy_suits_an_agent_that_runs_by_itself(replayed):
    pause, costs = replayed
    if pause == "15 s":
        assert costs["default"] <= 1.03
        assert costs["default"] < costs["interactive"]
    else:
        assert costs["interactive"] < costs["default"]


def test_no_strategy_beats_what_is_shipped(replayed):
    _, costs = replayed
    best = min(costs[name] for name in SHIPPED)
    assert all(costs[name] >= best * 0.99 for name in STRATEGIES)
