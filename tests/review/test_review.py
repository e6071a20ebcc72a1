"""A review of a trace: its groups' money is the simulation's, to the last digit."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy_cache import Engine
from policy_cache.forecast.compare import PolicyText, TraceOptions, compare
from policy_cache.packaged import packaged
from policy_cache.review.review import Asked, review_requests, review_trace
from tests.forecast.conversations import write
from tests.forecast.test_compare import agent
from tests.policies import policies

MODELS = [
    "anthropic/claude-sonnet-4-5",
    "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "openai/gpt-5.6",
    "openai/gpt-4o",
    "gemini/gemini-2.5-flash",
    "nobody/knows",
]


def shipped(name):
    return PolicyText(f"{name}.yaml", packaged("policies", f"{name}.yaml").read_text(encoding="utf-8"))


def checked(options, old, new):
    """A review, held against what `simulate` finds of the same trace."""
    review = review_trace(options, old, new)
    found, _ = compare(options, [old, new])
    before, after = (column.total for column in found.policies)
    worths = [*review.groups.changed.values(), review.groups.unchanged]
    assert sum(worth.requests for worth in worths) == found.requests == review.requests
    assert sum((worth.difference for worth in worths), Decimal(0)) == after.paid - before.paid
    assert (review.whole.before, review.whole.after) == (before, after)
    assert review.whole.difference == after.paid - before.paid
    return review


@st.composite
def records(draw):
    """Conversations of several models, one request of each in turn."""
    found = []
    for number in range(draw(st.integers(1, 3))):
        model, pause = draw(st.sampled_from(MODELS)), draw(st.sampled_from([10.0, 200.0, 2_000.0]))
        for turn, request in enumerate(agent(draw(st.integers(1, 4)), model)):
            found.append({"ts": 5.0 * number + pause * turn, "session": f"s{number}", "request": request})
    return sorted(found, key=lambda record: record["ts"])


@settings(max_examples=30)
@given(records(), policies(splitting=True), policies(splitting=True))
def test_groups_sum_to_the_simulations_difference(tmp_path_factory, given_records, old, new):
    path = tmp_path_factory.mktemp("review") / "trace.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in given_records), encoding="utf-8")
    checked(
        TraceOptions((str(path),)), PolicyText("old", json.dumps(old)), PolicyText("new", json.dumps(new))
    )


@pytest.mark.parametrize("mean", [15, 120, 900])
def test_recorded_conversations_under_the_shipped_policies(traces, tmp_path, mean):
    options = TraceOptions((str(write(tmp_path / "trace.jsonl", traces / "taubench", mean)),))
    review = checked(options, shipped("default"), shipped("interactive"))
    assert review.changed


def test_recorded_sessions_under_the_shipped_policies(traces):
    files = sorted((traces / "claude-code").glob("trace_00*.json"))
    review = checked(TraceOptions(tuple(map(str, files))), shipped("default"), shipped("interactive"))
    assert review.changed
    low, high = review.whole.interval[1:]
    assert low < float(review.whole.difference) < high


def test_a_policy_against_itself_changes_nothing(tmp_path):
    path = tmp_path / "trace.jsonl"
    path.write_text("".join(json.dumps({"request": one}) + "\n" for one in agent(3)), encoding="utf-8")
    review = checked(TraceOptions((str(path),)), shipped("default"), shipped("default"))
    assert (review.changed, review.whole.difference) == (0, 0)


def test_a_request_that_cannot_be_planned_is_named():
    engine = Engine.default()
    review = review_requests(engine, engine, [Asked("here", {"model": "x"}, {})])
    assert review.requests == 0
    assert list(review.unread) == ["here: $['messages']: expected a list of messages, found nothing"]
