"""Prompt-cache policies for litellm routers."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from policy_cache.engine.changes import Edit, Placement
    from policy_cache.engine.plan import Plan
    from policy_cache.errors import PathError, PolicyCacheError, PolicyError, RequestError
    from policy_cache.live.engine import Engine, LiveEngine
    from policy_cache.live.experiment import Experiment
    from policy_cache.trace.recorder import TraceRecorder
    from policy_cache.usage.usage import CacheUsage

__version__ = "0.1.0"

__all__ = [
    "CacheUsage",
    "Edit",
    "Engine",
    "Experiment",
    "LiveEngine",
    "PathError",
    "Placement",
    "Plan",
    "PolicyCacheError",
    "PolicyError",
    "RequestError",
    "TraceRecorder",
]

_HOMES = {
    "CacheUsage": "usage.usage",
    "Edit": "engine.changes",
    "Engine": "live.engine",
    "Experiment": "live.experiment",
    "LiveEngine": "live.engine",
    "PathError": "errors",
    "Placement": "engine.changes",
    "Plan": "engine.plan",
    "PolicyCacheError": "errors",
    "PolicyError": "errors",
    "RequestError": "errors",
    "TraceRecorder": "trace.recorder",
}


def __getattr__(name: str) -> object:
    """Import a name's module when it is first asked for: `validate` needs no engine."""
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
