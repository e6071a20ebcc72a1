"""Comparing policies on a cluster: each part of a trace is replayed by one task of Ray Data.

Needs the `ray` extra. Every node must find the trace's files under the same paths.
"""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from policy_cache.forecast.calibration import calibrate
from policy_cache.forecast.compare import learns, merged, replay_part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policy_cache.forecast.compare import PolicyText, TraceOptions
    from policy_cache.forecast.result import Simulation
    from policy_cache.trace.reader import TraceSummary


def compare(
    options: TraceOptions, policies: Sequence[PolicyText], *, parts: int, by: str | None = None
) -> tuple[Simulation, TraceSummary]:
    """Replay a trace under policies, as `policy_cache.forecast.compare.compare` does.

    Args:
        options: The trace.
        policies: The policies; at least one.
        parts: How many tasks. Each reads the whole trace, and replays what shares a cache in its part; one
            does all, where a policy has `ttl: auto`.
        by: What to group by: `session`, `model`, `rule`, or `metadata.` and a name.

    Raises:
        PolicyError: A policy is not valid.
        ray.exceptions.RayTaskError: A part could not be replayed.
    """
    import ray.data  # noqa: PLC0415, an extra

    calibration, options = calibrate(options), replace(options, counter=None)
    if learns(options, policies):
        parts = 1

    def replay(row: dict[str, Any]) -> dict[str, Any]:
        part = replay_part(options, policies, calibration, (int(row["id"]), parts), by=by)
        return {"part": pickle.dumps(part)}

    rows = ray.data.range(parts, override_num_blocks=parts).map(replay).take_all()
    return merged(pickle.loads(row["part"]) for row in rows)  # noqa: S301, this library's own
