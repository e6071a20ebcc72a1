"""Each planned marker is on litellm's wire, at its place, and nothing else is."""

from __future__ import annotations

from collections import Counter

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from policy_cache import Engine
from policy_cache.engine.reasons import ACTED
from tests.engine.test_invariants import plain
from tests.policies import policies
from tests.prompts import chat_requests, native_requests
from tests.wire.wire import Mark, marks, planned_identity, send

pytestmark = pytest.mark.property

WITH_MESSAGES = st.one_of(chat_requests(), native_requests())
WITH_MARKED_MESSAGES = st.one_of(chat_requests(3), native_requests(3))


def named(request):
    """The request with every text made unique, so that the wire tells its blocks apart."""
    number = 0

    def rename(value, name=""):
        nonlocal number
        if isinstance(value, dict):
            return {key: rename(item, key) for key, item in value.items()}
        if isinstance(value, list):
            return [rename(item, name) for item in value]
        if isinstance(value, str) and name in {"text", "content", "system"} and value and not value.isspace():
            number += 1
            return f"{value} #{number}"
        return value

    return rename(plain(request))


def expected(plan):
    return [
        Mark(planned_identity(plan.original, placement.at), placement.ttl)
        for placement in plan.placements
        if placement.ttl is not None and placement.reason in ACTED
    ]


@given(policies(), WITH_MESSAGES)
def test_every_planned_marker_is_on_the_wire_and_no_other(policy, request):
    plan = Engine.from_text(yaml.safe_dump(policy)).plan(named(request))
    body = send(plan.request, plan.route)
    assert Counter(marks(body)) == Counter(expected(plan))


@given(policies(), WITH_MARKED_MESSAGES)
def test_beside_client_markers_every_planned_marker_is_on_the_wire(policy, request):
    plan = Engine.from_text(yaml.safe_dump(policy)).plan(named(request))
    sent = marks(send(plan.request, plan.route))
    assert not Counter(expected(plan)) - Counter(sent)
    # One without effect is lost or refused whoever marks beside it; `test_agreement` follows each of them.
    idle = sum(point.slot is None for point in plan.breakpoints)
    before = breakpoints(marks(send(plan.original, plan.route)))
    assert len(breakpoints(sent)) <= max(len(before), plan.route.breakpoints + idle)


def breakpoints(found):
    """The blocks that are marked: one inside a result and one on it are the same breakpoint."""
    return {mark.block.removeprefix("inside ") for mark in found}
