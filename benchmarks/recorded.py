"""`python -m benchmarks.recorded FILE…`: how far the model is from what providers reported.

Request by request: reads and writes are off by a share of the prompt, costs by a share of what was billed.
Sizes are fitted to the same requests, as every command does. `--model NAME` as of `simulate`.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from math import ceil
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from policy_cache.forecast.calibration import calibrate
from policy_cache.forecast.compare import TraceOptions
from policy_cache.forecast.observed import Observed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policy_cache.trace.record import TraceRecord


class Errors(NamedTuple):
    """Of one request."""

    size: float
    read: float
    written: float
    cost: float | None


def kind_of(record: TraceRecord, *, first: bool) -> str:
    """What its figures depend on."""
    if record.usage is not None and record.usage.summed:
        return "tools of the provider's"
    return "first of a session" if first else "later"


def errors(path: str, model: str | None) -> Iterator[tuple[str, str, Errors]]:
    """The provider and kind of each request with usage, and how far it is off."""
    options, known = TraceOptions((path,), model=model), set()
    router = options.router()
    observed = Observed([router], calibrate(options))
    for record in options.read():
        first = record.session not in known
        known.add(record.session)
        seen = observed.add(record)
        if not seen or record.usage is None or not record.usage.prompt:
            continue
        *_, sent, recorded = seen
        if sent is None or recorded is None:
            continue
        size = record.usage.prompt
        route = router.facts(record.request).route
        cost = float(abs(sent.paid - recorded.paid) / recorded.paid) if recorded.paid else None
        found = Errors(
            abs(sent.tokens.total - size) / size,
            abs(sent.read - recorded.read) / size,
            abs(sent.written - recorded.written) / size,
            cost,
        )
        yield route.provider, kind_of(record, first=first), found


def main() -> None:
    table: defaultdict[tuple[str, str], list[Errors]] = defaultdict(list)
    *paths, model = sys.argv[1:]
    if paths[-1:] == ["--model"]:
        paths.pop()
    else:
        paths, model = [*paths, model], ""
    for path in paths:
        for provider, kind, found in errors(path, model or None):
            table[provider, kind].append(found)
    print(f"{'provider':16}{'kind':26}{'requests':>9}" + "".join(f"{n:>18}" for n in Errors._fields))
    for (provider, kind), rows in sorted(table.items()):
        figures = []
        for values in zip(*rows, strict=True):
            known = sorted(value for value in values if value is not None)
            figures.append(
                f"{median(known):.1%} / {known[ceil(0.95 * len(known)) - 1]:.1%}" if known else "unknown"
            )
        print(f"{provider:16}{kind:26}{len(rows):>9}" + "".join(f"{figure:>18}" for figure in figures))


if __name__ == "__main__":
    main()
