"""A litellm `Router` keeps a conversation where it is warm."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from litellm.integrations.custom_logger import CustomLogger

from policy_cache.cache.memo import Memo
from policy_cache.warmth.quote import checked_premium, prefer

if TYPE_CHECKING:
    from collections.abc import Callable

    from policy_cache.warmth import Quote, Warmth

_log = logging.getLogger("policy_cache")

_MOST_DEPLOYMENTS = 2_048
# A retry comes sooner than that.
_A_MOMENT = 1.0


class PreferWarm(CustomLogger):  # type: ignore[misc]  # litellm's own class
    """A pre-call filter: of a conversation's healthy deployments, those where it is warm.

    The Router asks it after its own cooldowns, tags and budgets, for each attempt, and chooses among what it
    leaves. A conversation that is warm nowhere, as each is at its beginning, goes where the Router wants; so
    does one whose warm deployment costs more than `max_premium`, or has just failed. No retry goes where the
    attempt before has failed, as long as there is another deployment. litellm asks filters in its
    asynchronous calls alone (`acompletion`, `aresponses`, `anthropic_messages`, the proxy).

    ```python
    warmth = Warmth(engine)
    litellm.callbacks = [PolicyCacheHandler(engine, warmth=warmth), PreferWarm(warmth)]
    ```

    Attributes:
        faults: What went wrong in it, by kind of error; the Router then chooses among all.
        kept: How many requests it kept where they were warm.
    """

    def __init__(
        self,
        warmth: Warmth,
        *,
        max_premium: float = 0.1,
        avoid_for: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Keep conversations by what is known to be warm.

        Args:
            warmth: What is known; the handler, `Calls` or `install` feeds it.
            max_premium: What a warm deployment may cost above the cheapest one, this request and the turns
                to come: 0.1 for a tenth.
            avoid_for: For how many seconds no request is kept at a deployment that failed.
            clock: The time in seconds.

        Raises:
            ValueError: `max_premium` is negative, or not finite.
        """
        super().__init__()
        self._warmth = warmth
        self._max_premium = checked_premium(max_premium)
        self._avoid_for = avoid_for
        self._clock = clock
        self._failed: Memo[str, float] = Memo(_MOST_DEPLOYMENTS)
        self.faults: Counter[str] = Counter()
        self.kept = 0

    async def async_filter_deployments(
        self,
        model: str,
        healthy_deployments: list[dict[str, Any]],
        messages: list[Any] | None,
        request_kwargs: dict[str, Any] | None = None,
        parent_otel_span: object = None,  # noqa: ARG002, litellm's own signature
    ) -> list[dict[str, Any]]:
        """The deployments that the Router may choose among."""
        try:
            if len(healthy_deployments) < 2:
                return healthy_deployments
            request = {**(request_kwargs or {}), "model": model}
            if messages is not None:
                request["messages"] = messages
            if self._warmth.is_shared:  # another machine is asked
                quotes = await asyncio.to_thread(self._warmth.quote, request, healthy_deployments)
            else:
                quotes = self._warmth.quote(request, healthy_deployments)
            chosen = self._chosen(quotes)
            if chosen:
                self.kept += 1
            else:
                chosen = self._open(quotes, _A_MOMENT)
            return [healthy_deployments[index] for index in chosen] or healthy_deployments
        except Exception as error:  # noqa: BLE001, a router must never fail because of a filter
            kind = type(error).__name__
            self.faults[kind] += 1
            if self.faults[kind] == 1:
                _log.warning("deployments were not filtered after %s (logged once)", kind)
            return healthy_deployments

    async def async_log_failure_event(self, kwargs: dict[str, Any], *_: object, **__: object) -> None:
        """A deployment failed: nothing is kept there for a while."""
        params = kwargs.get("litellm_params") if isinstance(kwargs, dict) else None
        self._avoid(params)

    async def async_post_call_failure_deployment_hook(
        self, request_data: object, *_: object, **__: object
    ) -> None:
        """The same, told before the Router tries again."""
        self._avoid(request_data)

    def _avoid(self, params: object) -> None:
        info = params.get("model_info") if isinstance(params, Mapping) else None
        name = info.get("id") if isinstance(info, Mapping) else None
        if isinstance(name, str):
            self._failed.put(name, self._clock())

    def _chosen(self, quotes: list[Quote]) -> list[int]:
        """Where the request is kept; empty where the Router may send it anywhere."""
        open_ = self._open(quotes, self._avoid_for)
        best = prefer([quotes[number] for number in open_], self._max_premium)
        if best is None or not best.in_conversation:
            return []
        return [n for n in open_ if quotes[n].in_conversation and quotes[n].total == best.total]

    def _open(self, quotes: list[Quote], seconds: float) -> list[int]:
        """Those that did not fail within so many seconds."""
        since = self._clock() - seconds
        failed = (self._failed.get(quote.candidate) for quote in quotes)
        return [number for number, at in enumerate(failed) if at is None or at <= since]
