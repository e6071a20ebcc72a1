"""An experiment on live traffic: two policies, each for a stable share of the sessions."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Protocol

from policy_cache.errors import RequestError
from policy_cache.request.prompt import Prompt, detect_shape
from policy_cache.request.session import session_samples

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self, Unpack

    from policy_cache.engine.engine import Answer, CompiledPolicy
    from policy_cache.engine.match import Context, Facts
    from policy_cache.engine.plan import Arm, Plan
    from policy_cache.providers.resolve import Route
    from policy_cache.request.prompt import Shape

_log = logging.getLogger("policy_cache")

_SPACE = 1 << 64


class Opened(Protocol):
    """What an experiment needs of an engine; `Engine` and `LiveEngine` have it."""

    def engine_of(self, request: Mapping[str, object], *, shape: Shape | None = None) -> CompiledPolicy: ...

    def plan(self, request: dict[str, object], **context: Unpack[Context]) -> Plan: ...

    def route(self, request: dict[str, object], **context: Unpack[Context]) -> Route: ...

    def close(self) -> None: ...


class Experiment:
    """Two engines for stable shares of sessions; takes what `Engine` takes.

    A session keeps its arm: it is told by the `session_id` of its metadata, or else by its first turn, hashed
    with the experiment's name. Both arms learn, each from its own sessions.

    ```python
    engine = Experiment(Engine.from_file("default.yaml"), Engine.from_file("hour.yaml"), percent=20)
    ```

    Attributes:
        control: The policy of the other sessions.
        variant: The policy on trial.
        percent: The share of the sessions that get it.
        name: What it is called; another name draws anew.
        faults: What kept the session of a request from being told, by kind of error.
    """

    __slots__ = ("_key", "_limit", "control", "faults", "name", "percent", "variant")

    def __init__(
        self,
        control: Opened,
        variant: Opened,
        *,
        percent: float = 50.0,
        name: str = "experiment",
    ) -> None:
        """Begin.

        Raises:
            ValueError: An arm would be empty.
        """
        limit = round(percent / 100 * _SPACE) if 0 < percent < 100 else 0
        if not 0 < limit < _SPACE:
            raise ValueError(f"percent: expected more than 0 and less than 100, found {str(percent)[:20]}")
        self.control = control
        self.variant = variant
        self.percent = percent
        self.name = name
        self.faults: Counter[str] = Counter()
        self._key = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        self._limit = limit

    def arm(self, request: Mapping[str, object], *, shape: Shape | None = None) -> Arm:
        """The arm of a request's session; a request that cannot be read is in `control`."""
        try:
            samples = session_samples(Prompt(request, shape or detect_shape(request)))
        except RequestError:  # which the engine of that arm counts
            return "control"
        except Exception as error:  # noqa: BLE001, a router must never fail because of a policy
            kind = type(error).__name__
            self.faults[kind] += 1
            if self.faults[kind] == 1:
                _log.warning("a request was taken to be of the control after %s (logged once)", kind)
            return "control"
        text = "\0".join(map(str, samples)).encode("utf-8", "surrogatepass")
        drawn = int.from_bytes(blake2b(text, digest_size=8, key=self._key).digest(), "big")
        return "variant" if drawn < self._limit else "control"

    def engine_of(self, request: Mapping[str, object], *, shape: Shape | None = None) -> CompiledPolicy:
        """The engine that answers a request."""
        return self._of(self.arm(request, shape=shape)).engine_of(request, shape=shape)

    def _of(self, arm: Arm) -> Opened:
        return self.variant if arm == "variant" else self.control

    def rewrite(self, request: dict[str, object], **context: Unpack[Context]) -> dict[str, object]:
        """Return the request to send; see `Engine.rewrite`."""
        return self.engine_of(request, shape=context.get("shape")).rewrite(request, **context)

    def plan(self, request: dict[str, object], **context: Unpack[Context]) -> Plan:
        """Decide a request and say why; the plan has its arm.

        Raises:
            RequestError: It is not a request that can be planned.
        """
        arm = self.arm(request, shape=context.get("shape"))
        return replace(self._of(arm).plan(request, **context), arm=arm)

    def route(self, request: dict[str, object], **context: Unpack[Context]) -> Route:
        """Where a request goes; see `Engine.route`.

        Raises:
            RequestError: It names no model.
        """
        return self.control.route(request, **context)

    def facts(self, request: dict[str, object], **context: Unpack[Context]) -> Facts:
        """What conditions see of a request; see `Engine.facts`.

        Raises:
            RequestError: It is not a request that can be planned.
        """
        return self.engine_of(request, shape=context.get("shape")).facts(request, **context)

    def learn(self, request: dict[str, object], **answer: Unpack[Answer]) -> None:
        """Learn from a request that was sent and answered; see `Engine.learn`."""
        self.engine_of(request, shape=answer.get("shape")).learn(request, **answer)

    def close(self) -> None:
        """Close the engines that follow files."""
        for engine in (self.control, self.variant):
            engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
