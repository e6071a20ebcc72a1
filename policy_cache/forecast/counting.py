"""Counting some prompts of a trace exactly, so that the sizes of all are fitted to them."""

from __future__ import annotations

from collections import defaultdict
from statistics import median
from typing import TYPE_CHECKING, NamedTuple, Protocol

from policy_cache.cache.reader import Readers
from policy_cache.cache.scale import UNSCALED, Fit, Scale
from policy_cache.errors import PolicyCacheError, RequestError
from policy_cache.request.prompt import AREAS
from policy_cache.request.tokens import has_media
from policy_cache.text.amounts import counted
from policy_cache.text.words import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from policy_cache.cache.prompt import CachedPrompt
    from policy_cache.live.engine import Engine
    from policy_cache.providers.resolve import Route
    from policy_cache.trace.record import TraceRecord

MOST_COUNTED = 8
"""Prompts of a model that are counted: a scale has two factors, and each may cost a request."""

# What stands for text; of tools, `file` and the like are types of a schema.
_SPOKEN = (*AREAS.values(), "system", "instructions")


class CountError(PolicyCacheError):
    """Nothing can be counted: what is missing, or what the provider answered."""


class Uncountable(PolicyCacheError):  # noqa: N818, of one prompt, and no failure
    """A prompt that cannot be counted as it is, and why."""


class TokenCounter(Protocol):
    """Counts prompts as their provider does."""

    def way(self, route: Route) -> str | None:
        """What counts the prompts on a route; None where nothing does so exactly.

        Raises:
            CountError: Where they are counted is no address.
        """

    def count(self, request: Mapping[str, Any], route: Route) -> int:
        """The tokens of a request's prompt, on a route that has a way.

        Raises:
            Uncountable: This prompt cannot be counted.
            CountError: None can.
        """


class Counted(NamedTuple):
    """What counting the prompts of a model told.

    Attributes:
        model: The model, with its provider's prefix.
        way: What counted them.
        prompts: How many were counted; with none, sizes stay as they were estimated.
        scale: The model's own tokens for each estimated one, fitted to them.
        off: By what share of its size a fit to the others misses each, in the median and at most; None of
            one prompt alone.
        missing: Why none was counted; empty where some were.
    """

    model: str
    way: str = ""
    prompts: int = 0
    scale: Scale = UNSCALED
    off: tuple[float, float] | None = None
    missing: str = ""


class _Countable(NamedTuple):
    request: Mapping[str, Any]
    route: Route
    prompt: CachedPrompt


def count(records: Iterable[TraceRecord], router: Engine, counter: TokenCounter) -> dict[str, Counted]:
    """For each model, without its provider's prefix, what counting some of its prompts tells.

    They are chosen evenly from its smallest to its largest prompt, of those that hold text alone.

    Raises:
        CountError: The counter has no key, no address or no answer.
    """
    readers = Readers({})
    # By their size: equal ones tell no more.
    countable: defaultdict[str, dict[int, _Countable]] = defaultdict(dict)
    missing: dict[str, Counted] = {}
    for record in records:
        try:
            route = router.facts(record.request).route
            prompt = readers.read(record.request, route)
        except RequestError:
            continue
        if why := _why_not(record, route, counter):
            missing.setdefault(route.model, Counted(route.qualified, missing=why))
        else:
            countable[route.model][prompt.tokens] = _Countable(record.request, route, prompt)
    found = {model: _counted(_spread(prompts), counter) for model, prompts in countable.items()}
    return missing | found


def _why_not(record: TraceRecord, route: Route, counter: TokenCounter) -> str:
    if counter.way(route) is None:
        return "nothing here counts its prompts exactly"
    if not record.worded:
        return "the trace does not have its texts"
    try:
        media = has_media([record.request.get(name) for name in _SPOKEN])
    except RequestError:  # whose parts can be read one by one
        return "its prompts are too large to be looked through"
    return "its prompts hold images, documents or sound" if media else ""


def _spread(by_size: Mapping[int, _Countable]) -> list[_Countable]:
    sizes = sorted(by_size)
    last, most = len(sizes) - 1, min(MOST_COUNTED, len(sizes))
    return [by_size[sizes[round(number * last / max(1, most - 1))]] for number in range(most)]


def _counted(chosen: Sequence[_Countable], counter: TokenCounter) -> Counted:
    sizes: list[tuple[CachedPrompt, int]] = []
    refused = ""
    for request, route, prompt in chosen:
        try:
            sizes.append((prompt, counter.count(request, route)))
        except Uncountable as error:
            refused = refused or str(error)
    route = chosen[0].route
    if not sizes:
        return Counted(route.qualified, missing=refused)
    way = counter.way(route) or ""
    return Counted(route.qualified, way, len(sizes), _fit(sizes).scale(), _off(sizes))


def _fit(sizes: Iterable[tuple[CachedPrompt, int]]) -> Fit:
    fit = Fit()
    for prompt, tokens in sizes:
        fit.add(prompt, tokens)
    return fit


def _off(sizes: Sequence[tuple[CachedPrompt, int]]) -> tuple[float, float] | None:
    if len(sizes) == 1:
        return None
    errors = []
    for number, (prompt, tokens) in enumerate(sizes):
        scale = _fit([*sizes[:number], *sizes[number + 1 :]]).scale()
        estimated = prompt.tail + sum(round(block.tokens * scale.of(block.level)) for block in prompt.blocks)
        errors.append(abs(estimated - tokens) / tokens)
    return median(errors), max(errors)


def told(models: Iterable[Counted]) -> Iterator[str]:
    """What was counted and how, and what was not and why: a sentence for each model."""
    for one in models:
        name = visible(one.model)
        if not one.prompts:
            yield f"{name}: not counted, so its estimate stays: {one.missing}"
            continue
        off = ""
        if one.off is not None:
            typical, most = one.off
            off = f": a fit to the others is off by {typical:.1%} (median), {most:.1%} (at most)"
        yield f"{name}: sizes are fitted to {counted(one.prompts, 'prompt')} counted by {one.way}{off}"
