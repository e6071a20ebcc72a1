"""A client's marker in every dialect, on every block, on every route: alone, and under the default policy.

`python -m tests.wire.clients_matrix [CATALOG [DIALECT …]]` prints, for the installed litellm, what it sent,
and exits with 1 where one is refused, or where the engine, the simulator and the emulator do not have the
breakpoints that are on the wire. CATALOG is an overlay such as `policy-cache doctor --write-catalog` writes.

A proxy is taken to run the release that the catalog was observed on: with another one installed,
PROXY_PYTHON names an interpreter that has it (`tests.wire.proxy`). What no catalog file can say of an older
litellm is named in `tests.wire.older`, and counted apart.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from importlib.metadata import version
from itertools import repeat
from pathlib import Path

from policy_cache import Engine
from policy_cache.packaged import packaged
from tests.wire import older, proxy
from tests.wire.agreement import send, unmarked
from tests.wire.spots import DIALECTS
from tests.wire.test_agreement import CASES, MOVED, NO_POLICY, SPOTS, problems

POLICIES = {"alone": NO_POLICY, "default": packaged("policies", "default.yaml").read_text(encoding="utf-8")}


@cache
def engine_of(name, catalog):
    return Engine.from_text(POLICIES[name], catalog=Path(catalog) if catalog else None)


def counts(number, catalog, dialects):
    """What becomes of every marker on the route of that number: numbers, what is known, what is wrong."""
    case = CASES[number]
    told, known, wrong = Counter(), Counter(), []
    for spot in SPOTS[case.shape]:
        if case.route == "gemini" or spot.name in MOVED.get(case.label, ()):
            continue
        for dialect in dialects:
            request = spot.marked(dialect)
            bare = send(unmarked({**request, **case.request}), case).body
            if bare is None or bare.refusal is not None:
                told["refused without a marker"] += 1
                continue
            for name in POLICIES:
                engine = engine_of(name, catalog)
                found = problems(engine, request, case)
                sent = send(engine.plan({**request, **case.request}, shape=case.shape).request, case).body
                if name == "default" and (sent is None or sent.refusal is not None):
                    found.append("refused")
                reason = (
                    older.why(case.label, spot.name, dialect) if found and "refused" not in found else None
                )
                told[f"{name}, {'known' if reason else 'wrong' if found else 'agreed'}"] += 1
                if reason:
                    known[case.label, spot.name, reason] += 1
                elif found:
                    wrong.append((case.label, spot.name, dialect, name, found))
    return told, known, wrong


def main(catalog="", *dialects):
    told, known, wrong = Counter(), Counter(), []
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for told_here, known_here, wrong_here in pool.map(
            counts, range(len(CASES)), repeat(catalog), repeat(dialects or sorted(DIALECTS))
        ):
            told += told_here
            known += known_here
            wrong += wrong_here
    print(f"litellm {version('litellm')}, a proxy's {proxy.release()}: {len(CASES)} routes and shapes")
    for name in sorted(told):
        print(f"{told[name]:>9,}  {name}")
    for each in wrong:
        print(*each)
    for (label, spot, reason), number in sorted(known.items()):
        print(f"known: {label}, {spot}, {number} times: {reason}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
