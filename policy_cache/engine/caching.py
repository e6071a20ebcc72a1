"""The `caching:` block that a router carries in its own configuration, and the switch for all of it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from policy_cache.errors import PolicyError
from policy_cache.policy.diagnostics import Diagnostic, listed, quoted, suggest
from policy_cache.request.location import kind_of

if TYPE_CHECKING:
    from collections.abc import Mapping

SWITCH = "POLICY_CACHE_DISABLED"
_BLOCK = "caching"


class Caching(NamedTuple):
    """What a `caching:` block says.

    Attributes:
        enabled: Whether anything is done at all.
        policy: The policy file; None for the packaged default.
        providers: Globs over the providers whose requests may change; empty for all.
        catalog: A catalog file.
    """

    enabled: bool
    policy: str | None
    providers: tuple[str, ...]
    catalog: str | None


def is_disabled() -> bool:
    """Whether the environment switches everything off: `POLICY_CACHE_DISABLED=1`."""
    return os.environ.get(SWITCH, "").lower() in {"1", "true", "yes", "on"}


def read_config(config: Mapping[str, object] | None) -> Caching:
    """Read a `caching:` block; one that was left out, or is empty, does nothing.

    Raises:
        PolicyError: A member is unknown or of the wrong type.
    """
    if not config:
        return Caching(enabled=False, policy=None, providers=(), catalog=None)
    if not hasattr(config, "items"):
        _refuse("PC122", f"expected a mapping for `{_BLOCK}`, found {kind_of(config)}")
    for name in config:
        if name not in Caching._fields:
            close = suggest(str(name), Caching._fields)
            help_ = f"did you mean {quoted(close)}?" if close else f"allowed here: {listed(Caching._fields)}"
            _refuse("PC120", f"unknown field {quoted(str(name))} in `{_BLOCK}`", help_)
    enabled = config.get("enabled", True)
    if not isinstance(enabled, bool):
        _refuse("PC122", f"expected true or false for `enabled` in `{_BLOCK}`, found {kind_of(enabled)}")
    providers = config.get("providers") or ()
    listed_ = (providers,) if isinstance(providers, str) else providers
    if not isinstance(listed_, (list, tuple)) or not all(isinstance(name, str) for name in listed_):
        _refuse(
            "PC122", f"expected a list of names for `providers` in `{_BLOCK}`, found {kind_of(providers)}"
        )
    return Caching(enabled, _file(config, "policy"), tuple(listed_), _file(config, "catalog"))


def _file(config: Mapping[str, object], name: str) -> str | None:
    value = config.get(name)
    if value is not None and not isinstance(value, (str, os.PathLike)):
        _refuse("PC122", f"expected the path of a file for `{name}` in `{_BLOCK}`, found {kind_of(value)}")
    return None if value is None else str(value)


def _refuse(code: str, message: str, help_: str | None = None) -> NoReturn:
    raise PolicyError([Diagnostic(code, "error", message, help=help_, file=_BLOCK)])
