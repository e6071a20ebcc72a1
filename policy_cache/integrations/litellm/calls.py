"""Stand-ins for litellm's functions that rewrite each request.

`Calls` has them beside litellm's own, `install` puts them in their place.
"""

from __future__ import annotations

import functools
import inspect
import logging
import threading
from typing import TYPE_CHECKING, Any

import litellm

from policy_cache.integrations.litellm.answers import expect_from
from policy_cache.integrations.litellm.rewriting import Rewriting

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Unpack

    from policy_cache.integrations.litellm.rewriting import Rewriter
    from policy_cache.request.prompt import Shape
    from policy_cache.usage.accounting import Told

_REFUSALS = (litellm.BadRequestError, litellm.UnprocessableEntityError)

_log = logging.getLogger("policy_cache")
_LOCK = threading.Lock()
_originals: dict[str, Callable[..., Any]] = {}
_ours: dict[str, Callable[..., Any]] = {}
_installed: Rewriting | None = None


class Calls:
    """litellm's functions with an engine in front of them.

    ```python
    calls = Calls(Engine.from_file("policy.yaml"))
    response = await calls.acompletion(model="anthropic/claude-sonnet-4-5", messages=messages)
    ```

    Attributes:
        rewriting: The engine, and what it met with.
        completion: Takes and returns what `litellm.completion` does.
        acompletion: Takes and returns what `litellm.acompletion` does.
        anthropic_messages: Takes and returns what `litellm.anthropic_messages` does.
        responses: Takes and returns what `litellm.responses` does.
        aresponses: Takes and returns what `litellm.aresponses` does.
    """

    def __init__(self, engine: Rewriter, **told: Unpack[Told]) -> None:
        """Put an engine in front of litellm.

        Args:
            engine: The engine.
            told: Who is told of rewrites and answers; see `Told`.
        """
        self.rewriting = Rewriting(engine, **told)
        self.completion = through(self.rewriting, litellm.completion)
        self.acompletion = through_async(self.rewriting, litellm.acompletion)
        self.anthropic_messages = through_async(self.rewriting, litellm.anthropic_messages, "messages")
        self.responses = through(self.rewriting, litellm.responses, "responses")
        self.aresponses = through_async(self.rewriting, litellm.aresponses, "responses")


def through(rewriting: Rewriting, call: Callable[..., Any], shape: Shape | None = None) -> Callable[..., Any]:
    """A synchronous call of litellm's with the engine in front of it; same signature."""
    names = tuple(inspect.signature(call).parameters)

    @functools.wraps(call)
    def completion(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401, litellm's own signature
        if rewriting.retired:
            return call(*args, **kwargs)
        request = dict(zip(names, args, strict=False), **kwargs)
        expect_from(rewriting, request, shape)
        sent = rewriting.rewrite(request, shape)
        try:
            return call(**sent)
        except _REFUSALS as error:
            refusal = rewriting.after(error, request, sent, shape)
            if refusal is None:
                raise
            expect_from(rewriting, request, shape, left_out=refusal.marks)
            answer = call(**refusal.request)
            rewriting.convict(refusal)
            return answer

    return completion


def through_async(
    rewriting: Rewriting, call: Callable[..., Awaitable[Any]], shape: Shape | None = None
) -> Callable[..., Awaitable[Any]]:
    """The same for an asynchronous call."""
    names = tuple(inspect.signature(call).parameters)

    @functools.wraps(call)
    async def acompletion(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401, litellm's own signature
        if rewriting.retired:
            return await call(*args, **kwargs)
        request = dict(zip(names, args, strict=False), **kwargs)
        expect_from(rewriting, request, shape)
        sent = rewriting.rewrite(request, shape)
        try:
            return await call(**sent)
        except _REFUSALS as error:
            refusal = rewriting.after(error, request, sent, shape)
            if refusal is None:
                raise
            expect_from(rewriting, request, shape, left_out=refusal.marks)
            answer = await call(**refusal.request)
            rewriting.convict(refusal)
            return answer

    return acompletion


_CALLS: dict[str, tuple[Callable[..., Callable[..., Any]], Shape | None]] = {
    "completion": (through, None),
    "acompletion": (through_async, None),
    "anthropic_messages": (through_async, "messages"),
    "responses": (through, "responses"),
    "aresponses": (through_async, "responses"),
}


def install(engine: Rewriter, **told: Unpack[Told]) -> Rewriting:
    """Rewrite every request of this process's litellm, in any shape, synchronous or not.

    `Router`, batches, fallbacks and retries call litellm's functions, and each of their attempts is rewritten
    for its own route. What was imported by name before (`from litellm import completion`) is not reached.
    A second call puts its engine, and who is told, in the place of the first one's.

    Args:
        engine: The engine.
        told: Who is told of rewrites and answers; see `Told`.
    """
    global _installed  # noqa: PLW0603, litellm's functions are global, and so is what stands before them
    with _LOCK:
        if _installed is not None:
            _log.info("policy-cache was installed before; the new engine takes the place of the old one")
            _installed.replace(engine, **told)
            return _installed
        _installed = Rewriting(engine, meets_bridged=True, **told)
        for name, (wrap, shape) in _CALLS.items():
            _originals[name] = getattr(litellm, name)
            _ours[name] = wrap(_installed, _originals[name], shape)
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
        for name in _CALLS:
            if getattr(litellm, name) is _ours[name]:
                setattr(litellm, name, _originals[name])
