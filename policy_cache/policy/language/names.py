"""The fixed words of the policy language that the model and the checks share."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

NamedTarget: TypeAlias = Literal[
    "system",
    "tools",
    "messages.last",
    "messages.last_user",
    "messages.last_tool_result",
    "messages.previous_turn",
    "request",
]
"""A place in a request that every provider and both request shapes know."""

NAMED_TARGETS: tuple[str, ...] = get_args(NamedTarget)

TAKE_WORDS = ("first", "last", "all")

RULE_FIELDS = frozenset({"name", "description", "match", "except", "targets", "action", "stop"})
