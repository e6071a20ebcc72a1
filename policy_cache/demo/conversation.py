"""An agent's conversation of eight requests, each the one before with a turn added."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from policy_cache.demo.handbook import handbook
from policy_cache.demo.tools import TOOLS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MODEL = "anthropic/claude-sonnet-4-5"

QUESTION = "Refund approvals have been slow since about 09:40. Find out why, and tell me what to do."
ANSWER = (
    "Release 4.18.0 of refunds-api (09:37) cut REFUNDS_API_POOL_SIZE from 24 to 8, and approvals have "
    "waited for a connection since. Nobody was charged or refunded twice. I propose to roll back to "
    "4.17.2: please approve."
)


class _Turn(NamedTuple):
    """What the agent says before it calls a tool, the call, and what comes back."""

    text: str
    tool: str
    arguments: dict[str, Any]
    result: object


_TURNS = (
    _Turn(
        "I start with the alerts of the service.",
        "list_alerts",
        {"service": "refunds-api", "since": "09:00"},
        [
            {"at": "09:41", "alert": "approve is slow", "threshold_ms": 350, "measured_ms": 2140},
            {"at": "09:52", "alert": "approve fails", "threshold": "1 in 500", "measured": "1 in 212"},
        ],
    ),
    _Turn(
        "Both alerts are about one action. Is the pool full, as the handbook suspects?",
        "query_metrics",
        {"service": "refunds-api", "metric": "pool_waiters", "since": "09:30", "until": "09:46"},
        {"09:30": 0, "09:34": 0, "09:38": 3, "09:40": 19, "09:42": 31, "09:44": 33, "09:46": 32},
    ),
    _Turn(
        "Requests have waited for a connection since 09:38. I look for what changed just before.",
        "list_deployments",
        {"service": "refunds-api", "since": "06:00"},
        [
            {"at": "09:37", "release": "4.18.0", "kind": "code, config", "author": "m.okafor"},
            {"at": "06:12", "release": "4.17.2", "kind": "code", "author": "j.lind"},
        ],
    ),
    _Turn(
        "Release 4.18.0 fits the time, and it touched the configuration.",
        "diff_config",
        {"service": "refunds-api", "before": "4.17.2", "after": "4.18.0"},
        {
            "REFUNDS_API_POOL_SIZE": {"before": 24, "after": 8},
            "REFUNDS_API_RECEIPT_FORMAT": {"before": "v1", "after": "v2"},
        },
    ),
    _Turn(
        "The pool is a third of what it was. I check that the failures are timeouts of the pool.",
        "search_logs",
        {"service": "refunds-api", "query": "level=error action=approve", "since": "09:37", "limit": 3},
        [
            {"at": "09:44:07", "error": "PoolTimeout", "waited_ms": 2000, "customer": "*****318"},
            {"at": "09:44:09", "error": "PoolTimeout", "waited_ms": 2000, "customer": "*****774"},
            {"at": "09:44:12", "error": "PoolTimeout", "waited_ms": 2000, "customer": "*****051"},
        ],
    ),
    _Turn(
        "They are. Before I name a cause, I rule out the service that refunds-api leans on.",
        "query_metrics",
        {"service": "payments-api", "metric": "latency_p95_ms", "since": "09:30", "until": "09:46"},
        {"09:30": 181, "09:34": 176, "09:38": 179, "09:40": 183, "09:42": 174, "09:44": 180, "09:46": 177},
    ),
    _Turn(
        "payments-api is well. Money comes first: did a retry refund anybody twice?",
        "compare_totals",
        {"service": "refunds-api", "neighbour": "payments-api", "day": "2026-11-23"},
        {"refunds-api": {"rows": 1806, "cents": 7413250}, "payments-api": {"rows": 1806, "cents": 7413250}},
    ),
)


def requests() -> Iterator[dict[str, Any]]:
    """The arguments of each `litellm.completion` call."""
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": handbook()},
        {"role": "user", "content": QUESTION},
    ]
    for turn in (*enumerate(_TURNS, 1), None):
        yield {"model": MODEL, "messages": [*messages], "tools": [*TOOLS], "max_tokens": 1024}
        if turn is not None:
            messages += _messages(*turn)


def reply(request: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the model says to a request on the wire: the turn that the next request carries."""
    replies = sum(message["role"] == "assistant" for message in request["messages"])
    if replies == len(_TURNS):
        return [{"type": "text", "text": ANSWER}]
    turn = _TURNS[replies]
    return [
        {"type": "text", "text": turn.text},
        {"type": "tool_use", "id": _call_id(replies + 1), "name": turn.tool, "input": turn.arguments},
    ]


def _messages(number: int, turn: _Turn) -> list[dict[str, Any]]:
    function = {"name": turn.tool, "arguments": json.dumps(turn.arguments)}
    call = {"id": _call_id(number), "type": "function", "function": function}
    return [
        {"role": "assistant", "content": turn.text, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call["id"], "content": json.dumps(turn.result)},
    ]


def _call_id(number: int) -> str:
    return f"call_{number:02d}"
