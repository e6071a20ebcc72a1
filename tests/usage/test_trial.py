"""What an experiment shows: how often it errs, and what it says when."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest

from policy_cache.providers.prices import Prices
from policy_cache.report.experiment import experiment_json, verdict
from policy_cache.usage.account import Account
from policy_cache.usage.trial import FEWEST, Trial
from policy_cache.usage.usage import CacheUsage

RATES = Prices(*map(Decimal, ("3", "15", "0.3", "3.75", "6")))


def account(arm, session, usage, rates=RATES):
    return Account(
        model="m",
        route="r",
        revision="1",
        rules=(),
        usage=usage,
        rates=rates,
        shares=(),
        start="cold",
        arm=arm,
        session=session.to_bytes(8, "big"),
    )


def traffic(seed, sessions, *, dearer=1.0, percent=50, spread=1.0):
    """Sessions of very different length and size, each of whose requests are alike."""
    draw, trial = random.Random(seed), Trial()
    for session in range(sessions):
        arm = "variant" if draw.random() < percent / 100 else "control"
        size = round(draw.lognormvariate(8, spread))
        for turn in range(1 + int(draw.expovariate(1 / 4))):
            uncached = round(size * (0.2 + draw.random() * 0.1))
            if arm == "variant":
                uncached = round(uncached * dearer)
            trial.add(account(arm, session, CacheUsage(read=size * min(turn, 1), uncached=uncached)))
    return trial


@pytest.fixture(scope="module")
def equal():
    """Runs of an experiment on two equal policies."""
    return [traffic(seed, 300) for seed in range(500)]


def test_equal_policies_differ_significantly_in_one_run_of_twenty(equal):
    certain = sum(trial.cost.more.is_certain for trial in equal)
    assert 0.03 <= certain / len(equal) <= 0.07


def test_so_do_their_read_shares(equal):
    certain = sum(trial.read_share.more.is_certain for trial in equal)
    assert 0.03 <= certain / len(equal) <= 0.07


def test_nineteen_of_twenty_intervals_hold_a_true_difference():
    runs, held = 200, 0
    plain, dear = (
        traffic(1, 30_000, dearer=dearer, percent=99.99).arms["variant"].cost.value for dearer in (1.0, 1.5)
    )
    for seed in range(runs):
        low, high = traffic(seed, 200, dearer=1.5).cost.more[1:]
        held += low <= dear - plain <= high
    assert 0.92 <= held / runs <= 0.98


def test_requests_of_a_session_are_one_observation():
    """The same traffic, each session's requests a hundred times: nothing more is known."""
    once, often = Trial(), Trial()
    draw = random.Random(3)
    for session in range(60):
        arm = "variant" if session % 2 else "control"
        one = account(arm, session, CacheUsage(uncached=draw.randrange(100, 10_000)))
        once.add(one)
        for _ in range(100):
            often.add(one)
    assert often.cost.more == pytest.approx(once.cost.more)


@pytest.mark.parametrize("sessions", [0, 1, 2 * (FEWEST - 1)])
def test_of_few_sessions_nothing_is_said(sessions):
    trial = Trial()
    for session in range(sessions):
        trial.add(account("variant" if session % 2 else "control", session, CacheUsage(uncached=100)))
    assert trial.cost is None
    assert trial.missing(0.05) is None
    assert verdict(trial, 0.05).startswith("It is not known yet which costs less")


def test_it_goes_on_until_the_difference_is_known_well_enough():
    early, late = (traffic(5, sessions, dearer=1.2, spread=0.5) for sessions in (100, 6_000))
    assert verdict(early, 0.05).startswith("Go on: ")
    assert verdict(late, 0.05).startswith("Stop: the variant costs more")
    missing = early.missing(0.05)
    more = traffic(5, 100 + 2 * missing, dearer=1.2, spread=0.5)
    assert 0.03 < more.cost.reach < 0.07


def test_equal_policies_come_to_an_end():
    trial = Trial()
    for session in range(200):
        trial.add(account("variant" if session % 2 else "control", session, CacheUsage(uncached=100)))
    assert verdict(trial, 0.05) == (
        "Stop: whichever costs less, they differ by at most 0 % of what the control costs."
    )


def test_unknown_prices_are_left_out():
    trial = traffic(1, 100)
    before = trial.cost
    for session in range(40):
        trial.add(account("control", session, CacheUsage(uncached=10**6), rates=None))
    assert trial.cost == before
    assert trial.arms["control"].unpriced == 40
    assert experiment_json(trial, 0.05)["arms"]["control"]["unpriced"] == 40


def test_memory_does_not_grow_with_sessions():
    trial = Trial()
    for session in range(100_000):
        trial.add(account("control", session * 7_919, CacheUsage(uncached=1)))
    assert trial.arms["control"].sessions <= 65_536
    assert trial.arms["control"].requests == 100_000


def test_what_is_in_no_experiment_is_left_out():
    trial = Trial()
    trial.add(account(None, 1, CacheUsage(uncached=1)))
    assert [arm.requests for arm in trial.arms.values()] == [0, 0]
