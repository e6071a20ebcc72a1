"""A second try for what a handler marked: a callback hears of a refusal, but cannot send anything again."""

from __future__ import annotations

import functools
import threading
import weakref
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import litellm

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from policy_cache.engine.plan import Mark
    from policy_cache.integrations.litellm.rewriting import Refusal, Rewriting
    from policy_cache.request.prompt import Shape

_REFUSALS = frozenset({400, 422})
# What `Router` and proxy send prompts through.
_NAMES = ("acompletion", "anthropic_messages", "aresponses")
_LOCK = threading.RLock()  # a handler may be collected while another one is made
_handlers: weakref.WeakSet[object] = weakref.WeakSet()
_ours: dict[str, Callable[..., Any]] = {}


class Attempt:
    """One call of a deployment that a handler marked.

    Attributes:
        name: litellm's id of the call.
        refusal: What of it the provider refused, once it did.
    """

    def __init__(
        self,
        rewriting: Rewriting,
        request: dict[str, Any],
        sent: dict[str, Any],
        shape: Shape | None,
    ) -> None:
        self.name = str(request.get("litellm_call_id"))
        self._rewriting = rewriting
        self._request = request
        self._sent = sent
        self._shape = shape
        self.refusal: Refusal | None = None

    def failed(self, error: Exception, *, finally_: bool) -> None:
        """Note why the call failed; `finally_` where no second call will tell whether a marker was why."""
        if getattr(error, "status_code", None) not in _REFUSALS:
            return
        self.refusal = self._rewriting.after(error, self._request, self._sent, self._shape)
        if finally_:
            self.convict()

    def convict(self) -> None:
        """Leave out on its route what was refused."""
        if self.refusal is not None:
            self._rewriting.convict(self.refusal)


# The innermost call of a deployment that is under way here: a handler's hooks run inside it.
ATTEMPT: ContextVar[Attempt | None] = ContextVar("attempt", default=None)
# Whether a call is under way here that will be made once more, and what the second one leaves out.
_WATCHED: ContextVar[bool] = ContextVar("watched", default=False)
WITHOUT: ContextVar[frozenset[Mark]] = ContextVar("without", default=frozenset())


def is_watched() -> bool:
    """Whether the call that is under way here is made once more after a refusal."""
    return _WATCHED.get()


def retry_while_alive(handler: object) -> None:
    """Call litellm's functions once more after a refusal that a handler noted, until it is collected.

    The second call finds the route unmarked. A `Router` of litellm before 1.110 binds one of them
    when it is made, so the handler must come first; a refusal is noted even where no second call is made.
    """
    with _LOCK:
        weakref.finalize(handler, _release).atexit = False
        _handlers.add(handler)
        for name in _NAMES:
            call = getattr(litellm, name)
            if not _stands_before(name, call):
                _ours[name] = _retrying(call)
                setattr(litellm, name, _ours[name])


def _release() -> None:
    """Undo it with the last handler. What another library put before ours stays, and ours does nothing."""
    with _LOCK:
        if list(_handlers):
            return
        for name, ours in list(_ours.items()):
            if getattr(litellm, name) is ours:
                setattr(litellm, name, ours.__wrapped__)
                del _ours[name]


def _stands_before(name: str, call: Callable[..., Any] | None) -> bool:
    while call is not None:
        if call is _ours.get(name):
            return True
        call = getattr(call, "__wrapped__", None)
    return False


def _retrying(call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(call)
    async def once_more(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401, litellm's own signature
        outer = ATTEMPT.get(), _WATCHED.get(), WITHOUT.get()
        ATTEMPT.set(None)
        _WATCHED.set(True)
        try:
            return await call(*args, **kwargs)
        except Exception:
            # The call is made again only after a refusal, which is counted once the second one is taken.
            attempt = ATTEMPT.get()
            if attempt is None or attempt.refusal is None:
                raise
            ATTEMPT.set(None)
            WITHOUT.set(attempt.refusal.marks)
            answer = await call(*args, **kwargs)
            attempt.convict()
            return answer
        finally:
            ATTEMPT.set(outer[0])
            _WATCHED.set(outer[1])
            WITHOUT.set(outer[2])

    return once_more
