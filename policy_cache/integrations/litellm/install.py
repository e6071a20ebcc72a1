"""Putting an engine before every call that a process makes through litellm, and taking it away again."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

import litellm

from policy_cache.integrations.litellm.calls import through, through_async
from policy_cache.integrations.litellm.rewriting import Rewriting

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Unpack

    from policy_cache.integrations.litellm.rewriting import Rewriter
    from policy_cache.usage.accounting import Told

_log = logging.getLogger("policy_cache")
_LOCK = threading.Lock()
_NAMES = ("completion", "acompletion")
_originals: dict[str, Callable[..., Any]] = {}
_ours: dict[str, Callable[..., Any]] = {}
_installed: Rewriting | None = None


def install(engine: Rewriter, **told: Unpack[Told]) -> Rewriting:
    """Rewrite every request of this process's `litellm.completion` and `litellm.acompletion`.

    `Router`, batches, fallbacks and retries call these two, and each of their attempts is rewritten for
    its own route. What was imported by name before (`from litellm import completion`) is not reached.
    A second call puts its engine, and who is told, in the place of the first one's.

    Args:
        engine: The engine.
        told: Who is told of rewrites and answers: `recorder`, `metrics`, `alarm`, `ledger`.
    """
    global _installed  # noqa: PLW0603, litellm's functions are global, and so is what stands before them
    with _LOCK:
        if _installed is not None:
            _log.info("policy-cache was installed before; the new engine takes the place of the old one")
            _installed.replace(engine, **told)
            return _installed
        _installed = Rewriting(engine, **told)
        for name, wrap in zip(_NAMES, (through, through_async), strict=True):
            _originals[name] = getattr(litellm, name)
            _ours[name] = wrap(_installed, _originals[name])
            setattr(litellm, name, _ours[name])
        return _installed


def uninstall() -> None:
    """Undo `install`; does nothing where it was not called.

    What another library put before litellm's functions since then stays, and ours behind it passes
    every request on as it is.
    """
    global _installed  # noqa: PLW0603, see `install`
    with _LOCK:
        if _installed is None:
            return
        _installed.retired = True
        _installed = None
        for name in _NAMES:
            if getattr(litellm, name) is _ours[name]:
                setattr(litellm, name, _originals[name])
