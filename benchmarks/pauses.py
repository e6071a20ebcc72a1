"""What each shipped policy costs at four lengths of pauses, beside the least that any placement could cost.

`python -m benchmarks.pauses FOLDER` reads conversations, a file each and a request a line; the table of
docs/simulate.md is of tau-bench's four. They start ten minutes apart.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

from policy_cache.forecast.compare import PolicyText, TraceOptions, compare
from policy_cache.forecast.proposal import proposal
from policy_cache.forecast.tune import tune
from policy_cache.packaged import packaged
from tests.forecast.conversations import SEED, write

PAUSES = {"15 s": 15, "2 min": 120, "7 min": 420, "15 min": 900}
SEEDS = range(20)


def policies() -> dict[str, str]:
    folder = packaged("policies")
    files = [folder / "default.yaml", folder / "interactive.yaml", *sorted(folder.glob("strategies/*.yaml"))]
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in files}


def costs(folder: Path, mean: float, seed: int, known: dict[str, str]) -> dict[str, float]:
    """What each policy costs, in terms of the optimum."""
    with tempfile.TemporaryDirectory() as temporary:
        options = TraceOptions((str(write(Path(temporary) / "t.jsonl", folder, mean, seed=seed)),))
        tried = {**known, "what `tune` proposes": proposal(tune(options)[0], "t.jsonl")}
        found, _ = compare(options, [PolicyText(*one) for one in tried.items()])
        assert found.optimum is not None
        return {
            name: float(column.total.cost / found.optimum)
            for name, column in zip(tried, found.policies, strict=True)
        }


def main() -> None:
    folder = Path(sys.argv[1])
    known = policies()
    columns = {name: costs(folder, mean, SEED, known) for name, mean in PAUSES.items()}
    print(f"| policy | {' | '.join(columns)} |")
    print(f"|---|{'---:|' * len(columns)}")
    for policy in next(iter(columns.values())):
        print(f"| {policy} | {' | '.join(f'{column[policy]:.2f}' for column in columns.values())} |")
    print(f"\nover {len(SEEDS)} seeds: median, from least to most")
    shipped = {name: text for name, text in known.items() if "/" not in name}
    for name, mean in PAUSES.items():
        runs = [costs(folder, mean, seed, shipped) for seed in SEEDS]
        for policy in runs[0]:
            ratios = [run[policy] for run in runs]
            spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
            print(f"{name:7} {policy:22} {statistics.median(ratios):.2f}, {spread}")


if __name__ == "__main__":
    main()
