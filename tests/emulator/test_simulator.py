"""The simulator and the emulator say the same of any sequence of requests."""

from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policy_cache import Engine
from policy_cache.forecast.replay import Replay
from policy_cache.lifetimes import Lifetimes
from policy_cache.trace.record import TraceRecord
from policy_cache.usage.usage import CacheUsage

from .bodies import HOUR, LONG, MARK, text, tool

pytestmark = pytest.mark.property

MODEL = "claude-opus-4-8"
KEYS = count()
POLICIES = [
    Engine.default(),
    Engine.from_text("""
version: 1
name: hour
rules:
  - name: prefix
    targets: [tools, system]
    action: {add_cache_control: {ttl: 1h}}
  - name: end
    targets: [messages.previous_turn, messages.last]
    action: {add_cache_control: {}}
"""),
    Engine.from_text("version: 1\nname: request\nrules:\n  - name: r\n    targets: [request]\n"
                     "    action: {add_cache_control: {}}\n"),
]  # fmt: skip

# Long enough to be cached from the first block on, or so short that only several are.
words = st.sampled_from([LONG, LONG + "2", "short", "other " * 300])
markers = st.sampled_from([{}, {}, {}, {"cache_control": MARK}, {"cache_control": HOUR}])
texts = st.builds(lambda said, marker: text(said, **marker), words, markers)
contents = words | st.lists(texts, min_size=1, max_size=3)
tools = st.lists(
    st.builds(
        lambda name, said, marker: tool(name, description=said, **marker),
        st.sampled_from("fgh"),
        words,
        markers,
    ),
    max_size=3,
    unique_by=lambda one: one["name"],
)


@st.composite
def turns(draw):
    """What a model says and calls, and what comes back."""
    number = draw(st.integers(0, 3))
    calls = [{"type": "tool_use", "id": f"c{n}", "name": "f", "input": {"n": n}} for n in range(number)]
    results = [
        {"type": "tool_result", "tool_use_id": f"c{n}", "content": draw(words), **draw(markers)}
        for n in range(number)
    ]
    said = draw(contents)
    said = [text(said)] if isinstance(said, str) else said
    return [
        {"role": "assistant", "content": [*said, *calls]},
        {"role": "user", "content": results or draw(contents)},
    ]


@st.composite
def conversations(draw):
    """A conversation as it grows, now and then changed on the way, with pauses about both lifetimes."""
    request = {"model": MODEL, "max_tokens": 16, "tools": draw(tools), "messages": []}
    if (system := draw(st.none() | contents)) is not None:
        request["system"] = system
    request["messages"] = [{"role": "user", "content": draw(contents)}]
    sent = []
    for _ in range(draw(st.integers(1, 5))):
        sent.append((draw(st.sampled_from([0, 1, 299, 300, 301, 3599, 3600])), request))
        request = request | {"messages": [*request["messages"], *draw(turns())]}
        change = draw(st.sampled_from(["none"] * 6 + ["tools", "system", "choice", "thinking", "cut"]))
        if change == "tools":
            request["tools"] = draw(tools)
        elif change == "system":
            request["system"] = draw(contents)
        elif change == "choice" and request["tools"]:
            request["tool_choice"] = {"type": "any"}
        elif change == "thinking":
            request["thinking"] = {"type": "enabled", "budget_tokens": 1024}
        elif change == "cut":
            request["messages"] = request["messages"][-1:]
            if isinstance(request["messages"][0]["content"], list):
                request["messages"] = [{"role": "user", "content": draw(contents)}]
    return sent


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
@given(st.lists(conversations(), min_size=1, max_size=2), st.sampled_from(POLICIES))
def test_they_agree_to_the_token(client, clock, both, engine):
    key = f"agree-{next(KEYS)}"
    replay = Replay([engine], by=lambda record: record.where)
    clock.now = 0.0
    learning = engine.learning(Lifetimes(clock=lambda: clock.now))
    number = 0
    reported = {}
    for gap, request in [step for conversation in both for step in conversation]:
        clock.now += gap
        # What the API would refuse never enters its cache.
        response = client.post("/v1/messages", json=learning.rewrite(request), headers={"x-api-key": key})
        if response.status_code == 400:
            continue
        number += 1
        usage = reported[str(number)] = CacheUsage.from_response(response.json())
        learning.learn(request, at=clock.now, read=usage.read, written=usage.written)
        replay.add(TraceRecord(str(number), clock.now, request, None, 0.0, key, "s"))
    [column] = replay.finish().policies
    simulated = {where: totals.tokens for where, totals in column.groups.items()}
    assert simulated == {where: usage.outcome for where, usage in reported.items()}
