"""Confidence intervals with a session as the unit."""

from __future__ import annotations

import random
from math import inf

import pytest

from policy_cache.usage.interval import Interval, around, of_sum, student


@pytest.mark.parametrize(
    ("freedom", "t"),
    [(1, 12.706), (2, 4.303), (4, 2.776), (5, 2.571), (9, 2.262), (29, 2.045), (120, 1.980), (1e9, 1.960)],
)
def test_students_t_is_the_tables(freedom, t):
    assert student(freedom) == pytest.approx(t, rel=0.0015)


def test_without_freedom_nothing_is_known():
    assert student(0.5) == inf


@pytest.mark.parametrize(("low", "high", "certain"), [(-1, 1, False), (0.1, 2, True), (-3, -1, True)])
def test_certain_is_what_has_one_sign(low, high, certain):
    assert Interval(0, low, high).is_certain is certain


def test_one_session_says_nothing():
    assert of_sum([3.0]) is of_sum([]) is None


def test_equal_sessions_leave_no_doubt():
    assert of_sum([0.25] * 10) == around(2.5, 0.0, 9)


def test_nineteen_of_twenty_intervals_hold_the_true_sum():
    draw = random.Random(1)
    held = 0
    for _ in range(2_000):
        low, high = of_sum([draw.gauss(0.5, 2.0) for _ in range(12)])[1:]
        held += low <= 12 * 0.5 <= high
    assert 0.935 <= held / 2_000 <= 0.965
