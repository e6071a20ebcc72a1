"""What the pages of a terminal and of a browser say alike."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from policy_cache.text.amounts import digits_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policy_cache.usage.live import Snapshot
    from policy_cache.usage.totals import Totals

LEGEND = (
    "read: the part of the prompts' tokens that came from the cache",
    "saved: against the same requests without caching; a minus is a loss",
    "requests/hour and saved/hour: what an hour at this pace comes to",
)
NOT_A_RULE = "A name in parentheses is no rule: who else had these tokens cached."
LEFT_OUT = "not looked at: no cache that takes markers, or a request that cannot be read"


def hourly(totals: Totals, seconds: float) -> Decimal | None:
    """USD that are saved in an hour at the pace of so many seconds; None where no price is known."""
    if 0 < totals.unpriced == totals.requests:
        return None
    return totals.known_saved * 3_600 / round(seconds)


def digits_of_page(snapshot: Snapshot) -> int:
    """How many digits all money of a page has behind the point."""
    return digits_of(_money(snapshot))


def _money(snapshot: Snapshot) -> Iterator[Decimal]:
    for row in snapshot.rows:
        for totals, seconds in ((row.hour, snapshot.seconds), (row.whole, snapshot.whole_seconds)):
            yield totals.known_saved
            yield hourly(totals, seconds) or Decimal(0)
    yield from (row.whole.known_saved for row in snapshot.rules)
    if snapshot.misses is not None:
        yield from (one.cost or Decimal(0) for one in snapshot.misses.causes)
