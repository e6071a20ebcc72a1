"""What happens, in JSON's types."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from policy_cache.report.diagnostics.render import FORMAT_VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policy_cache.usage.live import Figures, Misses, Row, Snapshot


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
        "hour": _figures(snapshot.hour),
        "whole": _figures(snapshot.whole),
        "rows": _rows(snapshot.rows[:most]),
        "rows_left_out": _left_out(snapshot.rows, most),
        "rules": _rows(snapshot.rules[:most]),
        "rules_left_out": _left_out(snapshot.rules, most),
        "revisions": list(snapshot.revisions[:most]),
        "minutes": [{"at": minute.at, **_figures(minute.figures)} for minute in snapshot.minutes],
        "without_usage": snapshot.without_usage,
        "broken_lines": snapshot.broken,
        "faults": None if snapshot.faults is None else dict(snapshot.faults),
        "misses": None if snapshot.misses is None else _misses(snapshot.misses),
    }


def _figures(figures: Figures) -> dict[str, object]:
    saved = float(figures.saved)
    unknown = 0 < figures.requests == figures.unpriced
    return {
        "requests": figures.requests,
        "hits": figures.hits,
        "read": figures.read,
        "written": figures.written,
        "uncached": figures.uncached,
        "read_share": figures.read / figures.prompt if figures.prompt else None,
        "saved_usd": None if unknown or not math.isfinite(saved) else saved,
        "unpriced": figures.unpriced,
    }


def _rows(rows: Sequence[Row]) -> list[dict[str, object]]:
    return [{"name": row.name, "hour": _figures(row.hour), "whole": _figures(row.whole)} for row in rows]


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
                "last_hour": one.hour,
                "requests": one.requests,
                "tokens": one.tokens,
                "cost_usd": None if one.cost is None else float(one.cost),
            }
            for one in misses.causes
        ],
    }
