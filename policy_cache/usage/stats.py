"""Totals of a recorded trace."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from policy_cache.usage.ledger import Ledger
from policy_cache.usage.recorded import RecordedLines
from policy_cache.usage.trial import Trial

if TYPE_CHECKING:
    from collections.abc import Iterable

    from policy_cache.providers.catalog import Catalog

_MOST_NAMES = 10_000


@dataclass(slots=True)
class Stats:
    """What a trace holds.

    Attributes:
        ledger: The totals.
        without_usage: How many requests came without usage.
        switches: How many requests went on with another model than their session's last.
        switch_cost: What those cost against staying, in USD, as far as it was recorded.
        trial: What the two policies of an experiment did; empty where none was recorded.
        broken: The numbers of the lines that are no record, from 1.
        duplicates: How many lines repeat one before, its time included, and were left out.
    """

    ledger: Ledger
    without_usage: int = 0
    switches: int = 0
    switch_cost: Decimal = Decimal(0)
    trial: Trial = field(default_factory=Trial)
    broken: list[int] = field(default_factory=list)
    duplicates: int = 0


def stats(lines: Iterable[bytes], ledger: Ledger | None = None, *, catalog: Catalog | None = None) -> Stats:
    """Sum up the lines of a trace, one at a time; what is no record, or a copy, is counted and left out.

    What a line does not say, such as one that no plug-in recorded, is summed up as `(unrecorded)`.

    Args:
        lines: The lines, as bytes of UTF-8.
        ledger: Where to add; a new one if left out.
        catalog: How long providers keep what they cache; the packaged catalog if left out.
    """
    recorded = RecordedLines(catalog)
    totals = Stats(Ledger(most=_MOST_NAMES) if ledger is None else ledger)
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        answered = recorded.read(line)
        if answered is None:
            totals.broken.append(number)
            continue
        if answered.copy:
            totals.duplicates += 1
            continue
        account = answered.account
        if account is None:
            totals.without_usage += 1
            continue
        totals.ledger.add(account)
        totals.trial.add(account)
        if account.switch is not None:
            totals.switches += 1
            totals.switch_cost += account.switch.cost or 0
    return totals
