"""`simulate --by rule` and `stats --by rule` of the same recorded requests agree to the token."""

from __future__ import annotations

import asyncio

import pytest

from policy_cache import Engine, TraceRecorder
from policy_cache.forecast.compare import PolicyText, TraceOptions, compare
from policy_cache.integrations.litellm import Calls
from policy_cache.usage.stats import stats
from tests.doubles import close_clients

LONG = "word " * 3_000
RULE = "{{name: {}, targets: [{}], action: {{add_cache_control: {{ttl: {}}}}}}}"
POLICIES = {
    "two rules": [("prefix", "tools, system", "1h"), ("talk", "messages.previous_turn, messages.last", "5m")],
    "one rule": [("all", "tools, system, messages.last", "5m")],
    "a rule for each": [
        ("tools", "tools", "1h"),
        ("system", "system", "1h"),
        ("last", "messages.last", "5m"),
    ],
}
FUNCTION = {
    "name": "f",
    "description": "d " * 900,
    "parameters": {
        "type": "object",
        "properties": {"long_name": {"type": "string", "description": "é" * 40}},
    },
}


def cached(totals):
    return totals.read, totals.write_5m, totals.write_1h


@pytest.mark.parametrize("rules", POLICIES.values(), ids=POLICIES)
def test_they_agree(address, tmp_path, rules):
    policy = f"{{version: 1, name: p, rules: [{', '.join(RULE.format(*rule) for rule in rules)}]}}"
    trace = tmp_path / "trace.jsonl"

    async def talk(calls):
        for session in range(3):
            messages = [{"role": "system", "content": LONG}, {"role": "user", "content": f"{session} " * 900}]
            for turn in range(4):
                sent = {"model": "anthropic/claude-sonnet-4-5", "messages": messages, "max_tokens": 16}
                tools = [{"type": "function", "function": FUNCTION}]
                await calls.acompletion(**sent, tools=tools, api_base=address, api_key="k")
                messages = [
                    *messages,
                    {"role": "assistant", "content": f"answer {turn}"},
                    {"role": "user", "content": f"{turn} again " * 200},
                ]
        await close_clients()

    with TraceRecorder(trace) as recorder:
        calls = Calls(Engine.from_text(policy), recorder=recorder)
        asyncio.run(talk(calls))
    with trace.open("rb") as lines:
        reported = stats(lines).ledger.by["rule"]
    found, _ = compare(TraceOptions((str(trace),)), [PolicyText("p", policy)], by="rule")
    assert found.requests == 12
    simulated = {name: cached(totals) for name, totals in found.policies[0].groups.items()}
    assert {name: cached(entry.total) for name, entry in reported.items()} == simulated
    assert sum(read for read, *_ in simulated.values()) > 30_000
