"""Each marker is found where it was planned, on every route; nothing else is marked, leaked or moved."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from policy_cache import Engine
from policy_cache.engine.reasons import ACTED
from policy_cache.integrations.litellm import WireError, wire
from policy_cache.providers.catalog import packaged_catalog
from tests.conftest import REPOSITORY
from tests.policies import policies
from tests.prompts import chat_requests
from tests.wire.matrix import KINDS, ORDER, at, bare, cell
from tests.wire.routes import ROUTES
from tests.wire.routes_page import page


def test_there_are_enough_routes():
    assert len({case.label for case in ROUTES}) == len(ROUTES) > 25


def test_the_page_is_current():
    assert (REPOSITORY / "docs" / "routes.md").read_text(encoding="utf-8") == page()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", ROUTES, ids=lambda case: case.label)
def test_planned_is_what_is_sent(case, kind):
    plan, sent, plain, named = cell(case, kind)
    assert plan.route.name == case.route
    assert (sent.leaks, plain.markers) == ((), ())
    [placement] = plan.placements
    if not plan.changed:
        assert sent.markers == ()
        assert placement.reason not in ACTED
        assert bare(sent.sent[-1].body) == bare(plain.sent[-1].body)
        return
    [marker] = sent.markers
    assert placement.reason in ACTED
    if plan.route.run:
        check_run(sent, plain, marker)
        return
    assert bare(sent.sent[-1].body) == bare(plain.sent[-1].body)
    block = at(sent.sent[-1].body, marker.location)
    if placement.reason == "applied":
        assert named in block
        if named == "RESULT" and '"tool_result"' in json.dumps(sent.sent[-1].body):
            assert '"tool_result"' in block  # the result itself, never inside its content
    else:
        standing = [word for word in ORDER if word in block]
        assert standing
        assert ORDER.index(standing[-1]) < ORDER.index(named)


def check_run(sent, plain, marker):
    """The cached part and the rest are the conversation, in its order."""
    cached, rest = sent.sent[marker.call].body, sent.sent[-1].body
    whole = plain.sent[-1].body
    assert cached["contents"] + rest["contents"] == whole["contents"]
    assert cached["system_instruction"] == whole["system_instruction"]
    assert cached["tools"] == whole["tools"]
    assert not {"system_instruction", "tools", "tool_config"} & rest.keys()
    assert cached["contents"][-1]["role"] == "user"


MARKED = {
    route.name for route in packaged_catalog().routes if route.mechanism == "explicit" and not route.run
}
EXPLICIT = [case for case in ROUTES if case.shape == "chat" and case.route in MARKED]


@pytest.mark.property
@given(policies(removing=False), chat_requests(), st.sampled_from(EXPLICIT))
def test_whatever_the_request_only_markers_are_added(policy, request, case):
    request = {**request, **case.request}
    plan = Engine.from_text(yaml.safe_dump(policy)).plan(request, shape="chat")
    try:
        plain = wire(request, shape="chat")
    except WireError:
        assume(False)  # litellm refuses some requests on some routes, marked or not
    sent = wire(plan.request, shape="chat")
    planned = [one for one in plan.placements if one.ttl is not None and one.reason in ACTED]
    assert len(sent.markers) == len(planned)
    assert bare(sent.sent[-1].body) == bare(plain.sent[-1].body)
