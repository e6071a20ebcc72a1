"""What happens, in JSON's types."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from policy_cache.report.diagnostics.render import FORMAT_VERSION
from policy_cache.report.live.wording import digits_of_page, hourly

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from policy_cache.usage.live import Misses, Row, Snapshot
    from policy_cache.usage.totals import Totals


def as_json(snapshot: Snapshot, most: int | None = None) -> dict[str, object]:
    """Everything that is known; what is not is null.

    Args:
        snapshot: What is known.
        most: How many rows of each table, the busiest; all of them if left out.
    """
    return {
        "format_version": FORMAT_VERSION,
        "at": snapshot.at,
        "since": snapshot.since,
        "latest": snapshot.latest,
        "origin": snapshot.origin,
        "usd_digits": digits_of_page(snapshot),
        "hour": _figures(snapshot.hour, snapshot.seconds),
        "whole": _figures(snapshot.whole, snapshot.whole_seconds),
        "rows": _rows(snapshot.rows[:most], snapshot),
        "rows_left_out": _left_out(snapshot.rows, most),
        "rules": _rows(snapshot.rules[:most], snapshot),
        "rules_left_out": _left_out(snapshot.rules, most),
        "policies": [{**one._asdict(), "title": one.title} for one in snapshot.policies[:most]],
        "minutes": [{"at": minute.at, **_figures(minute.totals, 60.0)} for minute in snapshot.minutes],
        "without_usage": snapshot.without_usage,
        "broken_lines": snapshot.broken,
        "duplicate_lines": snapshot.duplicates,
        "faults": None if snapshot.faults is None else dict(snapshot.faults),
        "misses": None if snapshot.misses is None else _misses(snapshot.misses),
    }


def _figures(totals: Totals, seconds: float) -> dict[str, object]:
    unknown = 0 < totals.requests == totals.unpriced
    return {
        "requests": totals.requests,
        "requests_per_hour": totals.requests * 3_600 / seconds,
        "hits": totals.hits,
        "read": totals.read,
        "written": totals.written,
        "uncached": totals.uncached,
        "read_share": totals.read / totals.prompt if totals.prompt else None,
        "saved_usd": None if unknown else _number(totals.known_saved),
        "saved_usd_per_hour": _number(hourly(totals, seconds)),
        "unpriced": totals.unpriced,
    }


def _number(amount: Decimal | None) -> float | None:
    number = None if amount is None else float(amount)
    return number if number is None or math.isfinite(number) else None


def _rows(rows: Sequence[Row], snapshot: Snapshot) -> list[dict[str, object]]:
    return [
        {
            "name": row.name,
            "hour": _figures(row.hour, snapshot.seconds),
            "whole": _figures(row.whole, snapshot.whole_seconds),
        }
        for row in rows
    ]


def _left_out(rows: Sequence[Row], most: int | None) -> int:
    return 0 if most is None else max(0, len(rows) - most)


def _misses(misses: Misses) -> dict[str, object]:
    return {
        "requests": misses.looked,
        "missed_requests": misses.missed,
        "left_out": misses.left_out,
        "causes": [
            {
                "cause": one.cause,
                "title": one.title,
                "latest": one.latest or None,
                "last_hour": one.hour,
                "requests": one.requests,
                "tokens": one.tokens,
                "cost_usd": _number(one.cost),
            }
            for one in misses.causes
        ],
    }
