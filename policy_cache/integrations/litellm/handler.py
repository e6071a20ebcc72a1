"""A callback for litellm's async SDK, `Router` and proxy."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from litellm.integrations.custom_logger import CustomLogger

from policy_cache.engine.reasons import ACTED
from policy_cache.integrations.litellm.rewriting import Rewriting
from policy_cache.integrations.usage import CacheUsage, log_usage

if TYPE_CHECKING:
    from policy_cache.integrations.collapse import CollapseAlarm
    from policy_cache.integrations.litellm.rewriting import Rewriter
    from policy_cache.integrations.metrics import Metrics
    from policy_cache.integrations.recorder import TraceRecorder
    from policy_cache.request.prompt import Shape

_SHAPES: dict[str, Shape] = {
    "completion": "chat",
    "acompletion": "chat",
    "anthropic_messages": "messages",
}
_MOST_PENDING = 10_000


class PolicyCacheHandler(CustomLogger):  # type: ignore[misc]  # litellm's own class
    """Rewrites each request once its deployment is known: every attempt of a fallback for its own route.

    What a response says was written to the cache or read from it is logged in one record.

    ```python
    litellm.callbacks.append(PolicyCacheHandler(Engine.from_file("policy.yaml")))
    ```

    Attributes:
        rewriting: The engine, and what it met with.
    """

    def __init__(
        self,
        engine: Rewriter,
        *,
        recorder: TraceRecorder | None = None,
        metrics: Metrics | None = None,
        alarm: CollapseAlarm | None = None,
    ) -> None:
        """Put an engine in front of litellm.

        Args:
            engine: The engine.
            recorder: Gets each answered request, as it came.
            metrics: Gets what was rewritten, answered, and went wrong.
            alarm: Warns when a session stops reading its cache.
        """
        super().__init__()
        self.rewriting = Rewriting(engine, metrics=metrics)
        self._recorder = recorder
        self._metrics = metrics
        self._alarm = alarm
        # Requests whose response is awaited: the engine that saw each, and the request as it came.
        self._pending: OrderedDict[str, tuple[Rewriter, dict[str, Any], Shape]] = OrderedDict()

    async def async_pre_call_deployment_hook(
        self, kwargs: dict[str, Any], call_type: object
    ) -> dict[str, Any] | None:
        """The keyword arguments to call the deployment with; None leaves them as they are."""
        try:
            shape = _SHAPES.get(str(getattr(call_type, "value", call_type)))
            # A positional call's messages are not here, and must not be given twice.
            if shape is None or "messages" not in kwargs:
                return None
            self._await(kwargs, shape)
            sent = self.rewriting.rewrite(kwargs, shape)
        except Exception as error:  # noqa: BLE001, litellm would raise it into the request
            self.rewriting.fault(error)
            return None
        return None if sent is kwargs else sent

    # litellm passes the times, too, by name.
    async def async_log_success_event(
        self, kwargs: dict[str, Any], response_obj: object, *_: object, **__: object
    ) -> None:
        """Log what a response says of the cache."""
        self._log(kwargs, response_obj)

    def log_success_event(
        self, kwargs: dict[str, Any], response_obj: object, *_: object, **__: object
    ) -> None:
        """The same for a synchronous call, which this callback cannot rewrite."""
        self._log(kwargs, response_obj)

    def _await(self, kwargs: dict[str, Any], shape: Shape) -> None:
        name = kwargs.get("litellm_call_id")
        if isinstance(name, str):
            self._pending[name] = (self.rewriting.engine, kwargs, shape)
            if len(self._pending) > _MOST_PENDING:
                self._pending.popitem(last=False)

    def _log(self, kwargs: dict[str, Any], response: object) -> None:
        try:
            usage = CacheUsage.from_response(response)
            pending = self._pending.pop(str(kwargs.get("litellm_call_id")), None)
            if pending is not None and self._recorder is not None:
                self._recorder.record(pending[1], response=response)
            told = usage is not None and bool(usage.read or usage.written)
            if pending is None:
                if not told:
                    return
                model, provider = str(kwargs.get("model")), str(kwargs.get("custom_llm_provider"))
                log_usage(usage, model=model, provider=provider, route=None, rules=(), revision="")
                return
            engine, request, shape = pending
            if not told and self._metrics is None and self._alarm is None:
                return
            plan = engine.plan(request, shape=shape)
            if self._metrics is not None:
                self._metrics.answered(plan, usage)
            if self._alarm is not None:
                self._alarm.answered(plan, usage)
            log_usage(
                usage,
                model=plan.route.model,
                provider=plan.route.provider,
                route=plan.route.name,
                rules=tuple(dict.fromkeys(p.source.rule for p in plan.placements if p.reason in ACTED)),
                revision=plan.policy[1],
            )
        except Exception as error:  # noqa: BLE001, a log must never fail a request
            self.rewriting.fault(error, "an answer was not accounted for")
