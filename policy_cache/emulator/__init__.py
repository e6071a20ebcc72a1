"""A provider on loopback: Anthropic's Messages API, with its prompt cache and its refusals.

Needs the `emulator` extra, which is looked for only when one of these names is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from policy_cache.emulator.errors import EmulatorError

if TYPE_CHECKING:
    from policy_cache.emulator.app import create_app
    from policy_cache.emulator.server import run, serve

__all__ = ["EmulatorError", "create_app", "run", "serve"]

_HOMES = {"create_app": "app", "run": "server", "serve": "server"}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        home = import_module(f"{__name__}.{_HOMES[name]}")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] not in {"starlette", "uvicorn"}:
            raise
        raise EmulatorError(f"{error.name} is not installed: pip install 'policy-cache[emulator]'") from error
    return getattr(home, name)
