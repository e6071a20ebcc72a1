"""A callback for litellm's async SDK, `Router` and proxy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from policy_cache.integrations.litellm.again import ATTEMPT, WITHOUT, Attempt, is_watched, retry_while_alive
from policy_cache.integrations.litellm.answers import (
    AnswerCallback,
    awaited,
    expect,
    is_remembered,
    remember_failure,
)
from policy_cache.integrations.litellm.rewriting import Rewriting
from policy_cache.request.prompt import AREAS
from policy_cache.usage.account import savings
from policy_cache.usage.log import log_usage
from policy_cache.usage.usage import CacheUsage

if TYPE_CHECKING:
    from typing import Unpack

    from policy_cache.integrations.litellm.rewriting import Rewriter
    from policy_cache.request.prompt import Shape
    from policy_cache.usage.accounting import Told

_SHAPES: dict[str, Shape] = {
    "completion": "chat",
    "acompletion": "chat",
    "anthropic_messages": "messages",
    "aresponses": "responses",
}


class PolicyCacheHandler(AnswerCallback):
    """Rewrites each request once its deployment is known: every attempt of a fallback for its own route.

    What a response says was written to the cache or read from it is logged in one record. While a handler
    lives, a request whose marker was refused is sent once more without.

    ```python
    litellm.callbacks.append(PolicyCacheHandler(Engine.from_file("policy.yaml")))
    ```

    Attributes:
        rewriting: The engine, and what it met with.
    """

    def __init__(self, engine: Rewriter, **told: Unpack[Told]) -> None:
        """Put an engine in front of litellm.

        Args:
            engine: The engine.
            told: Who is told of rewrites and answers; see `Told`.
        """
        super().__init__()
        self.rewriting = Rewriting(engine, meets_bridged=True, **told)
        retry_while_alive(self)

    # A later litellm may tell its hooks more, by place or by name.
    async def async_pre_call_deployment_hook(
        self, kwargs: dict[str, Any], call_type: object, *_: object, **__: object
    ) -> dict[str, Any] | None:
        """The keyword arguments to call the deployment with; None leaves them as they are."""
        try:
            shape = _SHAPES.get(str(getattr(call_type, "value", call_type)))
            # A positional call's messages are not here, and must not be given twice.
            if shape is None or AREAS[shape] not in kwargs:
                return None
            without = WITHOUT.get()
            expect(self.rewriting, kwargs, shape, left_out=without)
            sent = self.rewriting.rewrite(kwargs, shape, without=without)
            if sent is not kwargs:
                ATTEMPT.set(Attempt(self.rewriting, kwargs, sent, shape))
        except Exception as error:  # noqa: BLE001, litellm would raise it into the request
            self.rewriting.fault(error)
            return None
        return None if sent is kwargs else sent

    async def async_post_call_failure_deployment_hook(
        self,
        request_data: object,  # noqa: ARG002, litellm's own signature
        exception: Exception,
        *_: object,
        **__: object,
    ) -> None:
        """Leave out what a route refused of our markers; the call is then made once more."""
        try:
            attempt = ATTEMPT.get()
            if attempt is not None:
                remember_failure(attempt.name)
                attempt.failed(exception, finally_=not is_watched())
        except Exception as error:  # noqa: BLE001, a refusal that goes unnoticed must not hide the failure
            self.rewriting.fault(error, "a refusal was not noted")

    async def async_log_failure_event(self, kwargs: dict[str, Any], *_: object, **__: object) -> None:
        """The same for a stream that fails as it is read, when it is too late to call once more."""
        try:
            known, exception = awaited(kwargs), kwargs.get("exception")
            if known is None or known.rewriting is not self.rewriting or not isinstance(exception, Exception):
                return
            looked_at = known.left_out or is_remembered(kwargs)
            if not looked_at and not self.rewriting.left_out(known.request, known.shape):
                sent = known.engine.rewrite(known.request, shape=known.shape)
                attempt = Attempt(self.rewriting, known.request, sent, known.shape)
                attempt.failed(exception, finally_=True)
        except Exception as error:  # noqa: BLE001, as above
            self.rewriting.fault(error, "a refusal was not noted")

    def _unknown(self, kwargs: dict[str, Any], response: object) -> None:
        """Log what a synchronous call did, which this callback cannot rewrite."""
        try:
            usage = CacheUsage.from_response(response)
            model, provider = str(kwargs.get("model")), str(kwargs.get("custom_llm_provider"))
            saving = None if usage is None else savings(usage, f"{provider}/{model}")
            saved = None if saving is None else saving.saved
            log_usage(usage, model=model, provider=provider, route=None, rules=(), revision="", saved=saved)
        except Exception as error:  # noqa: BLE001, a log must never fail a request
            self.rewriting.fault(error, "an answer was not accounted for")
