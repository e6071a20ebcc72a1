"""Requests under way through litellm, and the callback by which it tells what came back."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from uuid import uuid4

import litellm
from litellm.integrations.custom_logger import CustomLogger

from policy_cache.engine.engine import is_disabled
from policy_cache.usage.accounting import is_ping

if TYPE_CHECKING:
    from policy_cache.engine.plan import Mark
    from policy_cache.integrations.litellm.rewriting import Rewriter, Rewriting
    from policy_cache.request.prompt import Shape
    from policy_cache.usage.accounting import Accounting, Asked

# More than a process has under way at once; a request that failed is forgotten only by this bound.
_MOST_AWAITED = 2_000
_MOST_ANSWERED = 10_000
_T = TypeVar("_T")


class _Awaited(NamedTuple):
    """A request whose answer is awaited, as it came, when it was sent, and the engine that saw it.

    Attributes:
        asked: The request in another shape that litellm made this one of, and that shape.
    """

    rewriting: Rewriting
    accounting: Accounting
    engine: Rewriter
    request: dict[str, Any]
    shape: Shape | None
    left_out: frozenset[Mark]
    at: float
    asked: Asked | None


# By litellm's id of the call, for the whole process, as litellm's callbacks are. None has a lock, since
# each use of them is one call that no thread interrupts.
_awaited: OrderedDict[str, _Awaited] = OrderedDict()
_answered: OrderedDict[str, None] = OrderedDict()
_failed: OrderedDict[str, None] = OrderedDict()


class AnswerCallback(CustomLogger):  # type: ignore[misc]  # litellm's own class
    """Accounts for the answers of requests that are awaited, each once, whoever else is registered."""

    # litellm passes the times, too, by name.
    async def async_log_success_event(
        self, kwargs: dict[str, Any], response_obj: object, *_: object, **__: object
    ) -> None:
        """An asynchronous call was answered; also a stream, at its end."""
        self._answered(kwargs, response_obj)

    def log_success_event(
        self, kwargs: dict[str, Any], response_obj: object, *_: object, **__: object
    ) -> None:
        """The same for a synchronous call."""
        self._answered(kwargs, response_obj)

    def _answered(self, kwargs: dict[str, Any], response: object) -> None:
        name = str(kwargs.get("litellm_call_id"))
        awaited = _awaited.pop(name, None)
        if kwargs.get("cache_hit") is True:  # litellm kept the answer: no provider was asked
            return
        if awaited is None:
            if name not in _answered and not _is_ping(kwargs):
                self._unknown(kwargs, response)
            return
        _keep(_answered, _MOST_ANSWERED, name, None)
        rewriting, accounting, engine, request, shape, left_out, at, asked = awaited
        try:
            accounting.answered(engine, request, response, shape=shape, left_out=left_out, at=at, asked=asked)
        except* Exception as group:  # noqa: BLE001, a log must never fail a request
            for error in group.exceptions:
                rewriting.fault(error, "an answer was not accounted for")

    def _unknown(self, kwargs: dict[str, Any], response: object) -> None:
        """An answer to a request that no engine saw."""


def expect(
    rewriting: Rewriting,
    request: dict[str, Any],
    shape: Shape | None = None,
    *,
    left_out: frozenset[Mark] = frozenset(),
) -> None:
    """Await the answer to a request that is about to be sent, or sent again without some markers.

    An outer request keeps its place when something further in sees it as it was rewritten.
    """
    name = request.get("litellm_call_id")
    if not isinstance(name, str) or is_disabled():
        return
    before = _awaited.get(name)
    if before is not None and before.rewriting is not rewriting:
        return
    left_out |= rewriting.left_out(request, shape)
    accounting, engine = rewriting.accounting, rewriting.engine
    _keep(
        _awaited,
        _MOST_AWAITED,
        name,
        _Awaited(rewriting, accounting, engine, request, shape, left_out, time.time(), _asked(before, shape)),
    )


def _asked(before: _Awaited | None, shape: Shape | None) -> Asked | None:
    """What a request in this shape was made of, by what was awaited before under its id."""
    if before is None or (before.shape or "chat") == (shape or "chat"):
        return None if before is None else before.asked
    if before.asked is not None and before.asked[1] == (shape or "chat"):
        return None  # the outer one again, at another deployment
    return before.request, before.shape or "chat"


def _is_ping(kwargs: Mapping[str, object]) -> bool:
    parameters = kwargs.get("litellm_params")
    return isinstance(parameters, Mapping) and is_ping(parameters)


def awaited(kwargs: dict[str, Any]) -> _Awaited | None:
    """The request of a call that litellm tells of, while its answer is awaited."""
    return _awaited.get(str(kwargs.get("litellm_call_id")))


def remember_failure(name: str) -> None:
    """Note that why a call failed is looked into already, before litellm logs that it did."""
    _keep(_failed, _MOST_ANSWERED, name, None)


def is_remembered(kwargs: dict[str, Any]) -> bool:
    """Whether it is."""
    return str(kwargs.get("litellm_call_id")) in _failed


def _keep(kept: OrderedDict[str, _T], most: int, name: str, value: _T) -> None:
    kept[name] = value
    if len(kept) > most:
        with suppress(KeyError):  # another thread was faster
            kept.popitem(last=False)


def expect_from(
    rewriting: Rewriting,
    request: dict[str, Any],
    shape: Shape | None = None,
    *,
    left_out: frozenset[Mark] = frozenset(),
) -> None:
    """Await the answer to a stand-in's request: with an id, and a callback that litellm tells.

    The callback stays: answers may come at any time, and it does nothing for the requests of others.
    """
    try:
        if not isinstance(request.get("litellm_call_id"), str):
            request["litellm_call_id"] = str(uuid4())
        if not any(isinstance(callback, AnswerCallback) for callback in litellm.callbacks):
            litellm.callbacks.append(AnswerCallback())
        expect(rewriting, request, shape, left_out=left_out)
    except Exception as error:  # noqa: BLE001, an answer that goes unnoticed must never fail a request
        rewriting.fault(error, "an answer will not be accounted for")
