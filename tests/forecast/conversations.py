"""The tau-bench conversations as a trace: started ten minutes apart, with pauses of a given mean."""

import json
import random

MODEL = "anthropic/claude-sonnet-4-5"
APART = 600.0
SEED = 2


def order(path):
    """By trial, then by task: the two long conversations first."""
    task, trial = (int("".join(filter(str.isdigit, part))) for part in path.stem.split("_")[1:])
    return trial, task


def lines(folder, mean, *, seed=SEED, model=MODEL):
    """Records in the order of their start; pauses are drawn from an exponential distribution."""
    pauses = random.Random(seed)
    found = []
    for number, path in enumerate(sorted(folder.glob("*.jsonl"), key=order)):
        at = number * APART
        for line in path.read_text(encoding="utf-8").splitlines():
            request = json.loads(line) | {"model": model}
            found.append({"ts": at, "request": request, "session": path.stem})
            at += pauses.expovariate(1 / mean)
    return sorted(found, key=lambda record: record["ts"])


def write(path, folder, mean, **options):
    """The same as a file; returns its path."""
    records = lines(folder, mean, **options)
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path
