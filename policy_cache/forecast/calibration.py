"""How large the prompts of a trace are: estimates, fitted for each model to what is known of its sizes."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from policy_cache.cache.reader import Readers
from policy_cache.cache.scale import Fit, Scale
from policy_cache.errors import RequestError
from policy_cache.forecast.counting import count

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policy_cache.forecast.compare import TraceOptions
    from policy_cache.forecast.counting import Counted

_MOST_FITTED = 1_000
_MOST_WITHOUT = 100


@dataclass(frozen=True, slots=True)
class Calibration:
    """What sizes are fitted to.

    Attributes:
        scales: For a model, its own tokens for each estimated one.
        counted: Of each model, by name, what counting its prompts told; empty where that was not asked for.
    """

    scales: Mapping[str, Scale] = field(default_factory=dict)
    counted: tuple[Counted, ...] = ()


def calibrate(options: TraceOptions) -> Calibration:
    """Fit the sizes of each model: to prompts that are counted, else to the usage that is recorded.

    Raises:
        CountError: Prompts shall be counted, and cannot be.
    """
    scales = _fitted(options)
    if options.counter is None:
        return Calibration(scales)
    counted = count(islice(options.read(), _MOST_FITTED), options.router(), options.counter)
    scales |= {model: one.scale for model, one in counted.items() if one.prompts}
    return Calibration(scales, tuple(sorted(counted.values(), key=lambda one: one.model)))


def _fitted(options: TraceOptions) -> dict[str, Scale]:
    """For each model whose usage is recorded, its scale."""
    router = options.router()
    readers = Readers({})
    fits: dict[str, Fit] = defaultdict(Fit)
    for number, record in enumerate(islice(options.read(), _MOST_FITTED)):
        usage = record.usage and record.usage.first
        if usage is None:
            if number > _MOST_WITHOUT and not fits:
                break
            continue
        try:
            route = router.facts(record.request).route
            prompt = readers.read(record.request, route)
        except RequestError:
            continue
        fits[route.model].add(prompt, usage.prompt)
    return {model: fit.scale() for model, fit in fits.items()}
