"""A callback for litellm's async SDK, `Router` and proxy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litellm.integrations.custom_logger import CustomLogger

from policy_cache.integrations.litellm.rewriting import Rewriting

if TYPE_CHECKING:
    from policy_cache.integrations.litellm.rewriting import Rewriter
    from policy_cache.request.prompt import Shape

_SHAPES: dict[str, Shape] = {
    "completion": "chat",
    "acompletion": "chat",
    "anthropic_messages": "messages",
}


class PolicyCacheHandler(CustomLogger):  # type: ignore[misc]  # litellm's own class
    """Rewrites each request once its deployment is known: every attempt of a fallback for its own route.

    ```python
    litellm.callbacks.append(PolicyCacheHandler(Engine.from_file("policy.yaml")))
    ```

    Attributes:
        rewriting: The engine, and what it met with.
    """

    def __init__(self, engine: Rewriter) -> None:
        super().__init__()
        self.rewriting = Rewriting(engine)

    async def async_pre_call_deployment_hook(
        self, kwargs: dict[str, Any], call_type: object
    ) -> dict[str, Any] | None:
        """The keyword arguments to call the deployment with; None leaves them as they are."""
        try:
            shape = _SHAPES.get(str(getattr(call_type, "value", call_type)))
            # A positional call's messages are not here, and must not be given twice.
            if shape is None or "messages" not in kwargs:
                return None
            sent = self.rewriting.rewrite(kwargs, shape)
        except Exception as error:  # noqa: BLE001, litellm would raise it into the request
            self.rewriting.fault(error)
            return None
        return None if sent is kwargs else sent
