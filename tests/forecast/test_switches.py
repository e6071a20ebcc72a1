"""What switches of model cost, and what other routers would have paid."""

from __future__ import annotations

import json
import re
from decimal import Decimal

import pytest

from policy_cache import Engine
from policy_cache.cache.cost import cost
from policy_cache.cache.explicit import CacheOutcome
from policy_cache.forecast.switches import Switches
from policy_cache.providers.prices import list_prices
from policy_cache.report.page.switches import picture
from policy_cache.text.amounts import usd
from policy_cache.trace.reader import Trace
from policy_cache.trace.record import TraceError, TraceRecord
from policy_cache.usage.usage import CacheUsage

SONNET, HAIKU = "anthropic/claude-sonnet-4-5", "anthropic/claude-haiku-4-5"
LONG = "word " * 5_000


def conversation(*models, reply=100, pause=10.0):
    messages = [{"role": "user", "content": LONG}]
    for number, model in enumerate(models):
        messages = [
            *messages,
            {"role": "assistant", "content": "yes"},
            {"role": "user", "content": f"{number}"},
        ]
        usage = CacheUsage(output=reply)
        request = {"model": model, "messages": messages}
        yield TraceRecord(f"t:{number}", number * pause, request, usage, 1.0, "scope", "s")


def switches_of(records, models=(SONNET, HAIKU)):
    found = Switches(Engine.default(), models)
    for record in records:
        found.add(record)
    return found


def test_a_change_is_held_against_staying():
    found = switches_of(conversation(SONNET, SONNET, HAIKU, SONNET))
    there, back = found.found
    assert (there.source, there.target, there.where) == (SONNET, HAIKU, "t:2")
    # Haiku writes anew what Sonnet would have read.
    size = there.paid * 1_000_000
    assert there.stayed < there.paid
    assert there.cost == there.paid - there.stayed
    assert size > 7_000
    # Its entry at Sonnet is still alive.
    assert back.cost > 0
    assert found.pairs[SONNET, HAIKU].count == 1
    assert found.pairs[SONNET, HAIKU].cost == there.cost


def test_costs_are_those_of_the_tokens():
    found = switches_of(conversation(SONNET, reply=1_000))
    [paid] = {paid.cost for name, paid in found.bills.items() if name in {"recorded", "sticky"}}
    prices = list_prices("claude-sonnet-4-5")
    written = cost(CacheOutcome(write_5m=10_000), prices)
    assert paid == pytest.approx(written + cost(CacheOutcome(), prices, 1_000), rel=Decimal("0.4"))


def test_who_follows_quotes_pays_no_more_than_who_stays_or_goes_by_the_token():
    found = switches_of(conversation(SONNET, HAIKU, SONNET, HAIKU, SONNET))
    bills = found.bills
    assert found.compared == found.requests == 5
    assert bills["quotes"].cost <= min(bills["sticky"].cost, bills["cheapest"].cost) < bills["recorded"].cost
    assert bills["recorded"].switches == 4
    assert bills["quotes"].switches == 0


def test_routers_may_choose_among_others_than_the_traces_models():
    found = switches_of(conversation(SONNET, HAIKU, SONNET), ("openai/gpt-5.6", HAIKU))
    assert found.bills["sticky"].switches == 0
    assert found.bills["recorded"].switches == 2


def test_a_request_as_recorded_costs_what_its_usage_says():
    [record] = conversation(SONNET)
    usage = CacheUsage(read=1_000, write_5m=2_000, uncached=3_000, output=50)
    found = switches_of([record._replace(usage=usage)])
    prices = list_prices("claude-sonnet-4-5")
    assert found.bills["recorded"].cost == cost(usage.outcome, prices, 50)
    assert found.bills["recorded"].read == 1_000


def test_what_has_no_price_is_left_out_and_said():
    found = switches_of(conversation(SONNET, "mystery/model", SONNET), (SONNET, "mystery/model"))
    assert (found.requests, found.compared) == (3, 0)
    assert {pair.unknown for pair in found.pairs.values()} == {1}
    assert [switch.cost for switch in found.found] == [None, None]


def test_each_session_stays_with_a_first_model_without_a_name():
    found = switches_of(conversation("", SONNET, SONNET))
    assert (found.bills["recorded"].switches, found.bills["sticky"].switches) == (0, 0)
    assert [(run.model, run.requests) for run in found.runs[("scope", "s")]] == [("", 1), (SONNET, 2)]


def test_what_cannot_be_read_is_counted():
    found = switches_of([TraceRecord("t:1", 0.0, {"messages": []}, None, 0.0, "", "")])
    assert found.requests == 0
    assert sum(found.unread.values()) == 1


SESSION = {
    "id": "trace_1",
    "block_size": 64,
    "hash_id_scope": "local",
    "tool_tokens": 1_280,
    "system_tokens": 640,
    "requests": [
        {
            "t": 0.0,
            "type": "n",
            "model": "claude-sonnet-4-5",
            "in": 2_560,
            "out": 9,
            "hash_ids": [*range(40)],
        },
        {
            "type": "subagent",
            "tool_tokens": 640,
            "system_tokens": 0,
            "requests": [
                {"t": 3.0, "type": "s", "model": "claude-haiku-4-5", "out": 1, "hash_ids": [*range(90, 110)]}
            ],
        },
        {
            "t": 5.0,
            "type": "s",
            "model": "claude-sonnet-4-5",
            "in": 2_880,
            "out": 7,
            "hash_ids": [*range(45)],
        },
    ],
}


def test_a_session_of_sizes_and_hashes_is_read():
    lines = [("t:1", json.dumps(SESSION).encode()), ("t:2", json.dumps(SESSION | {"id": "other"}).encode())]
    trace = Trace(lines)
    first, inner, second, *later = list(trace)
    assert trace.summary.used == 6
    assert [record.where for record in (first, inner, second)] == ["t:1#1", "t:1#2", "t:1#3"]
    assert [record.at for record in (first, inner, second, *later)] == [0, 3, 5, 6, 9, 11]
    assert (first.session, inner.session, second.session) == ("trace_1", "trace_1.1", "trace_1")
    assert (first.scope, later[0].scope) == ("trace_1", "other")
    assert (first.usage.output, first.usage.prompt) == (9, 0)
    assert [m["role"] for m in second.request["messages"]] == ["user", "assistant", "user"]
    # The second prompt begins as the first one does, and the rest is new.
    assert second.request["messages"][0] == first.request["messages"][0]
    assert second.request["tools"] == first.request["tools"]
    assert len(first.request["system"]) == 640 * 3.5
    engine = Engine.default()
    assert engine.plan(second.request).changed


@pytest.mark.parametrize("more", [b"", b',"requests":3,"id":"x"'])
def test_a_session_that_is_none_is_a_broken_line(more):
    trace = Trace([("t:1", b'{"hash_id_scope":"local"%b}' % more)])
    assert list(trace) == []
    assert trace.summary.broken == 1


def nested(depth):
    """A request of a subagent's subagent, and so on, as JSON: no encoder goes so deep."""
    return '{"type":"subagent","requests":[' * depth + '{"model":"m","hash_ids":[1]}' + "]}" * depth


SIZED = "no session of sizes and hashes: expected "


@pytest.mark.parametrize(
    ("member", "said"),
    [
        ('"block_size": 0', SIZED + "`int` >= 1 - at `$.block_size`"),
        ('"block_size": 1000000000000', SIZED + "`int` <= 1000000 - at `$.block_size`"),
        ('"block_size": 9223372036854775808', SIZED + "`int` <= 1000000 - at `$.block_size`"),
        ('"block_size": 1.5', SIZED + "`int`, got `float` - at `$.block_size`"),
        ('"tool_tokens": -1', SIZED + "`int` >= 0 - at `$.tool_tokens`"),
        ('"system_tokens": 1000000000', SIZED + "`int` <= 100000000 - at `$.system_tokens`"),
        ('"requests": [{"out": 1000000000}]', SIZED + "`int` <= 100000000 - at `$.requests[0].out`"),
        ('"requests": [{"t": 1e300}]', SIZED + "`float` <= 10000000000.0 - at `$.requests[0].t`"),
        (f'"requests": [{{"hash_ids": {[*range(21)]}}}]', "a prompt of over 20,000,000 tokens"),
        (f'"requests": [{nested(50)}]', "nested too deeply"),
        (f'"requests": [{nested(900)}]', "nested too deeply"),
        (f'"requests": [{nested(100_000)}]', "nested too deeply"),
    ],
    ids=lambda text: text[:40],
)
def test_a_session_that_nobody_had_is_one_broken_line(member, said):
    broken = f'{{"id":"x","hash_id_scope":"local","block_size":1000000,"requests":[],{member}}}'
    lines = [("t:1", json.dumps(SESSION)), ("t:2", broken), ("t:3", json.dumps(SESSION))]
    trace = Trace((where, line.encode()) for where, line in lines)
    assert [record.where for record in trace] == ["t:1#1", "t:1#2", "t:1#3", "t:3#1", "t:3#2", "t:3#3"]
    assert (trace.summary.broken, trace.summary.first_broken) == (1, [f"t:2: {said}"])
    with pytest.raises(TraceError, match=re.escape(said)):
        list(Trace([("t:2", broken.encode())], broken="fail"))


def test_a_prompt_that_is_asked_again_is_the_same():
    request = SESSION["requests"][0]
    first, again = Trace(
        [("t:1", json.dumps(SESSION | {"requests": [request, request | {"t": 1.0}]}).encode())]
    )
    assert again.request == first.request


def test_a_session_that_changed_its_model_is_a_line():
    records = [record._replace(session="<s>") for record in conversation(SONNET, SONNET, HAIKU, SONNET)]
    found = switches_of([*records, *conversation(SONNET, SONNET)])
    assert [(key[1], [(run.model, run.requests) for run in runs]) for key, runs in found.runs.items()] == [
        ("<s>", [(SONNET, 2), (HAIKU, 1), (SONNET, 1)])
    ]
    drawn = picture(found)
    assert drawn.count("<rect") == 3
    assert drawn.count("<circle") == 2
    assert "&lt;s&gt;" in drawn
    assert "<s>" not in drawn
    assert all(usd(switch.cost, cents=True) in drawn for switch in found.found)
    assert picture(switches_of(conversation(SONNET, SONNET))) == ""
