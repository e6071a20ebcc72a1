"""policy-cache in front of litellm: plug-ins for a router, and what a request looks like on the wire."""

from __future__ import annotations

from importlib import import_module

from policy_cache.integrations.litellm.calls import Calls, install, uninstall
from policy_cache.integrations.litellm.handler import PolicyCacheHandler
from policy_cache.integrations.litellm.keep_warm import KeepWarm, KeepWarmThread
from policy_cache.integrations.litellm.routing import PreferWarm
from policy_cache.integrations.litellm.wire import Check, Fate, Wire, WireError, WireMarker, check, wire

__all__ = [
    "Calls",
    "Check",
    "Fate",
    "KeepWarm",
    "KeepWarmThread",
    "PolicyCacheHandler",
    "PreferWarm",
    "Wire",
    "WireError",
    "WireMarker",
    "check",
    "install",
    "uninstall",
    "wire",
]


def __getattr__(name: str) -> object:
    """`proxy_handler` is made when a proxy's configuration first asks for it."""
    if name != "proxy_handler":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    handler: object = import_module(f"{__name__}.proxy").proxy_handler()
    globals()[name] = handler
    return handler
