"""The estimate of what follows a request."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy_cache.lifetimes.pauses import BOUNDS, PRIOR, PRIOR_OF_PREFIXES, Pauses
from policy_cache.lifetimes.waiting import Waiting

STRETCHES = st.integers(0, len(BOUNDS) - 1)


@pytest.mark.property
@given(st.lists(st.tuples(st.booleans(), STRETCHES), max_size=200))
def test_what_follows_is_a_distribution_whatever_was_seen(seen):
    pauses = Pauses()
    for followed, stretch in seen:
        (pauses.follows if followed else pauses.waits_on)(stretch)
    law = pauses.law(PRIOR)
    assert all(0 <= hazard <= 1 for hazard in law.hazards)
    assert 0 <= law.short <= 1
    assert 0 <= law.medium <= 1
    assert law.short + law.medium + law.ends == pytest.approx(1, abs=1e-3)
    assert law.later <= law.seen


@pytest.mark.parametrize("general", [PRIOR, PRIOR_OF_PREFIXES])
def test_nothing_seen_is_what_is_known_in_general(general):
    law = Pauses().law(general)
    assert law.hazards == pytest.approx(general.hazards)
    assert law.seen == 0


def test_much_seen_is_what_was_seen():
    pauses = Pauses()
    for _ in range(400):
        for _ in range(3):
            pauses.follows(0)
        pauses.waits_on(0)
        pauses.follows(1)
    law = pauses.law(PRIOR)
    assert law.short == pytest.approx(3 / 4, abs=0.02)
    assert law.medium == pytest.approx(1 / 4, abs=0.02)


def test_what_is_older_counts_for_less():
    pauses = Pauses()
    for _ in range(2_000):
        pauses.follows(0)
    for _ in range(800):
        pauses.waits_on(0)
        pauses.follows(1)
    assert pauses.law(PRIOR).medium > 0.7


def test_counts_stay_finite_however_many_are_seen():
    pauses = Pauses()
    for _ in range(50_000):
        pauses.follows(0)
    assert math.isfinite(sum(pauses.followed))
    assert pauses.law(PRIOR).seen < 1_000


def test_what_still_waits_is_no_end():
    waiting = Waiting(9)
    waiting.came(1, 0.0)
    waiting.last[1] = "kept"
    assert list(waiting.passed(299.0)) == []
    assert list(waiting.passed(300.0)) == [("kept", 0)]
    assert list(waiting.passed(599.0)) == []
    assert waiting.came(1, 599.0) == 1
    assert waiting.came(1, 600.0) == 0


def test_what_waits_for_an_hour_is_let_go_of():
    waiting = Waiting(9)
    waiting.came(1, 0.0)
    waiting.last[1] = "kept"
    assert [stretch for _, stretch in waiting.passed(8_000.0)] == list(range(len(BOUNDS)))
    assert waiting.last == {}
    assert waiting.came(1, 5_001.0) is None


@pytest.mark.property
@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0, 5_000)), max_size=60), st.integers(1, 4))
def test_what_waits_is_bounded_and_passes_each_stretch_once(steps, most):
    waiting, now = Waiting(most), 0.0
    passed = {}
    for key, pause in steps:
        now += pause
        for last, stretch in waiting.passed(now):
            at, of = last
            assert now - at >= BOUNDS[stretch]
            assert stretch == passed.get(of, -1) + 1
            passed[of] = stretch
        before = waiting.last.get(key)
        stretch = waiting.came(key, now)
        assert stretch == (None if before is None else passed.get(before[1], -1) + 1)
        waiting.last[key] = now, object()
        assert len(waiting.last) <= most
