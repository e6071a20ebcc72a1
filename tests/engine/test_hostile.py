"""What comes out of hostile requests: the markers of any other request, or the request itself, and a count.

`benchmarks/hostile.py` says what they cost.
"""

from __future__ import annotations

import threading
import tracemalloc

import pytest

from benchmarks import hostile
from benchmarks.request import agent_request
from policy_cache import Engine
from policy_cache.engine import engine as engine_module
from policy_cache.errors import RequestError

SMALL = 60


def marked(request):
    """The places of the markers in tools, messages and their parts."""
    places = [("tools", index) for index, tool in enumerate(request["tools"]) if "cache_control" in tool]
    for index, message in enumerate(request["messages"]):
        content = message["content"]
        places += [("messages", index)] * ("cache_control" in message)
        if isinstance(content, list):
            parts = enumerate(content)
            places += [("messages", index, number) for number, part in parts if "cache_control" in part]
    return places


def cyclic_dict():
    metadata = {"a": 1}
    metadata["self"] = metadata
    return {"metadata": metadata}


def cyclic_list():
    value = []
    value.append(value)
    return {"x": value}


def doubling():
    """No cycle, and more places than can be counted."""
    value = ["x"]
    for _ in range(64):
        value = [value, value]
    return {"x": value}


@pytest.mark.parametrize("part", [cyclic_dict, cyclic_list, doubling])
@pytest.mark.parametrize(
    "rule",
    [
        'match: {exists: "$..zzz"}, targets: [system]',
        'match: {missing: "$..zzz"}, targets: [system]',
        'match: {exists: "$[?@..zzz]"}, targets: [system]',
        'match: {exists: "$..[?@.zzz]"}, targets: [system]',
        'targets: ["$..zzz"]',
        'targets: ["$..content"]',
        'targets: ["$..*..*"]',
    ],
)
def test_a_descent_ends(rule, part):
    engine = hostile.policy(rule)
    request = agent_request() | part()
    assert engine.rewrite(request) is request
    assert engine.failures == {"RequestError": 1}
    with pytest.raises(RequestError, match="over 200,000 values, or a cycle"):
        engine.plan(request)


def test_a_shared_part_is_no_cycle():
    part = {"a": {"b": 1}}
    engine = hostile.policy('match: {exists: "$..b", missing: "$..zzz"}, targets: [system]')
    assert marked(engine.rewrite(agent_request() | {"metadata": [part, part]})) == [("messages", 0, 0)]
    assert engine.failures == {}


def test_more_than_200_000_values_are_no_request():
    engine = hostile.policy('match: {missing: "$.metadata[?@ == 1]"}, targets: [system]')
    assert marked(engine.rewrite(agent_request() | {"metadata": [0] * 10})) == [("messages", 0, 0)]
    request = agent_request() | {"metadata": [0] * 200_001}
    assert engine.rewrite(request) is request
    assert engine.failures == {"RequestError": 1}


def test_10_000_markers_are_repaired():
    engine = Engine.default()
    request = hostile.client_markers(3_333)
    sent = engine.rewrite(request)
    assert len([place for place in marked(sent) if place[0] == "messages"]) == 4
    assert engine.plan(request).request == sent


def test_no_name_makes_a_pattern_go_back():
    engine = hostile.names()
    sent = engine.rewrite(hostile.long_names(20_000))
    assert marked(sent) == [("messages", 0, 0)]
    assert engine.plan(hostile.long_names(20_000)).matched == ("rule-4",)
    assert engine.failures == {}


def test_no_text_makes_a_search_go_back():
    engine = hostile.searching()
    request = hostile.repetitive_texts(SMALL)
    assert engine.rewrite(request) is request
    assert marked(engine.rewrite(hostile.request([hostile.user("a" * 2_000)]))) == [("messages", 0, 0)]
    assert engine.failures == {}


@pytest.mark.parametrize("half", ["\ud800", "x\udcff"])
def test_half_a_surrogate_pair_is_no_failure(half):
    engine = hostile.policy(
        'match: {model: "re:.*"}, targets: [tools]',
        'match: {exists: "$.messages[?@.content =~ \'^.+$\']", metadata: {x: "*"}}, targets: [system]',
    )
    request = agent_request() | {"model": f"anthropic/claude-{half}", "metadata": {"x": half}}
    request["messages"] = [*request["messages"], hostile.user(half)]
    assert marked(engine.rewrite(request)) == [("tools", 29), ("messages", 0, 0)]
    assert engine.failures == {}


@pytest.mark.parametrize(
    "request_",
    [hostile.overlong_model(100_000), agent_request() | {"metadata": {"model_group": "x" * 5_000}}],
    ids=["model", "alias"],
)
def test_names_of_over_2_048_characters_are_no_request(request_):
    engine = Engine.default()
    request = request_
    assert engine.rewrite(request) is request
    assert engine.failures == {"RequestError": 1}
    with pytest.raises(RequestError, match="expected names of at most 2,048 characters, found"):
        engine.plan(request)
    assert engine._programs == {}


def test_empty_assistant_messages_on_bedrock():
    engine = Engine.default()
    assert marked(engine.rewrite(hostile.blank_assistants(SMALL))) == [("messages", 0, 0)]
    assert engine.failures == {}


def test_many_parts_of_an_assistant_message_on_bedrock():
    engine = Engine.default()
    places = [("messages", 0, 0), ("messages", 1, 0), ("messages", 2, SMALL - 1)]
    assert marked(engine.rewrite(hostile.many_parts(SMALL))) == places
    assert engine.failures == {}


def test_the_hits_nearest_the_end_win_the_slots():
    request = {"messages": hostile.short_messages(SMALL)["messages"], "tools": []}
    big = {"role": "system", "content": "x" * 20_000}
    request = {"model": hostile.ANTHROPIC, **request, "messages": [big, *request["messages"]]}
    engine = hostile.everything()
    assert marked(engine.rewrite(request)) == [
        ("messages", index, 0) for index in range(SMALL - 3, SMALL + 1)
    ]
    parts = hostile.one_message(SMALL)
    last = [("messages", 1, index) for index in range(SMALL - 4, SMALL)]
    assert marked(hostile.every_part().rewrite(parts)) == last


def test_hits_below_the_minimum_are_left_alone():
    engine = hostile.everything()
    request = hostile.short_messages(SMALL)
    assert engine.rewrite(request) is request
    assert engine.failures == {}


def test_the_clients_markers_stay_where_they_are():
    engine = Engine.default()
    request = hostile.client_markers(SMALL)
    kept = hostile.everything().rewrite(request)
    assert kept is request
    left = [place for place in marked(engine.rewrite(request)) if place[0] == "messages"]
    assert len(left) == 4
    removed = engine.rewrite(hostile.client_markers_elsewhere(SMALL) | {"model": "groq/llama"})
    assert marked(removed) == []
    assert engine.failures == {}


def test_deep_lists_and_wide_tools():
    engine = Engine.default()
    assert marked(engine.rewrite(hostile.deep(SMALL))) == [("messages", 0, 0)]
    assert marked(engine.rewrite(hostile.wide_tools(SMALL))) == [("messages", 0, 0), ("messages", 1, 0)]
    assert engine.failures == {}


def test_programs_share_what_they_have_in_common():
    engine = hostile.many()
    requests = hostile.fresh_names({"messages": [hostile.user("x")]})
    engine.rewrite(next(requests))
    tracemalloc.start()
    for _ in range(200):
        engine.rewrite(next(requests))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len({id(program.left) for program in engine._programs.values()}) == 1
    assert len(engine._programs) == 201
    assert held < 200 * 8_000  # a candidate of each rule takes 10,000 bytes


def test_the_oldest_program_goes_first(monkeypatch):
    monkeypatch.setattr(engine_module, "_MOST_PROGRAMS", 3)
    engine = Engine.default()
    requests = hostile.fresh_names(agent_request())
    for _ in range(5):
        engine.rewrite(next(requests))
    assert [model[-1] for model, *_ in engine._programs] == ["2", "3", "4"]


def test_programs_that_differ_are_bounded_by_what_they_list(monkeypatch):
    monkeypatch.setattr(engine_module, "_MOST_LISTED", 100)
    engine = hostile.policy(
        *(f'match: {{model: "*{letter}"}}, targets: [tools]' for letter in "0123456789"), "targets: [system]"
    )
    requests = hostile.fresh_names(agent_request())
    for _ in range(50):
        engine.rewrite(next(requests))
    assert len(engine._programs) == len(engine._lefts) == 100 // 11


def test_threads_with_names_of_their_own(monkeypatch):
    monkeypatch.setattr(engine_module, "_MOST_PROGRAMS", 4)
    engine = Engine.default()
    wanted = engine.rewrite(agent_request())["messages"]
    wrong = []

    def send(number):
        for index in range(50):
            request = agent_request() | {"model": f"anthropic/claude-sonnet-4-5-{number}-{index % 7}"}
            if engine.rewrite(request)["messages"] != wanted:
                wrong.append(number)

    threads = [threading.Thread(target=send, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (wrong, engine.failures) == ([], {})
    assert len(engine._programs) <= 4 + len(threads)
