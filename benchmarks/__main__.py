"""`make bench`: the ratios that the README states, measured here and now."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import hostile
from benchmarks.contestants import by_hand, litellm_hook
from benchmarks.measure import ratio, side_by_side, timing
from benchmarks.request import agent_request
from policy_cache import Engine
from policy_cache.providers.catalog import packaged_catalog

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent

QUIET: dict[str, int] = {"stdout": subprocess.DEVNULL}

RULE = """
  - name: rule-{number}
    match: {{provider: {provider}, model: "*claude*"}}
    targets: ["{target}"]
    action: {{add_cache_control: {{}}}}
"""


if TYPE_CHECKING:
    from collections.abc import Iterable


def many_rules(count: int) -> Engine:
    """A policy of which three rules match, among as many as wanted."""
    rules = [
        RULE.format(number=index, provider="anthropic", target=target)
        for index, target in enumerate(["tools", "system", "messages.last"])
    ]
    rules += [
        RULE.format(number=index, provider=f"provider-{index}", target="$.tools[-1]")
        for index in range(3, count)
    ]
    return Engine.from_text("version: 1\nname: many\nrules:" + "".join(rules))


def validate() -> None:
    subprocess.run([BIN / "policy-cache", "validate", "policies/default.yaml"], cwd=ROOT, check=True, **QUIET)


def check_jsonschema() -> None:
    schema = ["--schemafile", "schema/policy.schema.json"]
    subprocess.run(
        [BIN / "check-jsonschema", *schema, "policies/default.yaml"], cwd=ROOT, check=True, **QUIET
    )


def main() -> None:
    engine = Engine.default()
    request = agent_request()
    wide, long = agent_request(times=10), agent_request(messages=410)
    three, thousand = many_rules(3), many_rules(1_000)
    timings = side_by_side(
        {
            "rewrite": lambda: engine.rewrite(request),
            "by hand": lambda: by_hand(request),
            "litellm's hook": lambda: litellm_hook(request),
            "10x the text": lambda: engine.rewrite(wide),
            "10x the messages": lambda: engine.rewrite(long),
            "3 rules": lambda: three.rewrite(request),
            "1,000 rules, 3 match": lambda: thousand.rewrite(request),
        }
    )
    loading = side_by_side({"loading the catalog": packaged_catalog.__wrapped__})
    processes = side_by_side({"validate": validate, "check-jsonschema": check_jsonschema})
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}, one process")
    print(f"request of {len(json.dumps(request)):,} bytes, 30 tools, 41 messages; default policy, 4 markers")
    print()
    print(f"{'microseconds a call':24}{'best':>10}{'median':>10}")
    for name, rounds in timings.items():
        one = timing(rounds)
        print(f"{name:24}{one.best:10.1f}{one.median:10.1f}")
    print()
    print(f"{'milliseconds':24}{'best':>10}{'median':>10}")
    for name, rounds in (processes | loading).items():
        one = timing(rounds)
        print(f"{name:24}{one.best / 1_000:10.1f}{one.median / 1_000:10.1f}")
    print()
    table(
        "ratio, median of rounds",
        [
            ("litellm's hook / rewrite", ratio(timings, "litellm's hook", "rewrite"), ">= 25"),
            ("rewrite / by hand", ratio(timings, "rewrite", "by hand"), "<= 25"),
            ("10x the text / rewrite", ratio(timings, "10x the text", "rewrite"), "<= 1.1"),
            ("10x the messages / rewrite", ratio(timings, "10x the messages", "rewrite"), "<= 6"),
            ("1,000 rules / 3 rules", ratio(timings, "1,000 rules, 3 match", "3 rules"), "<= 1.5"),
            ("validate / check-jsonschema", ratio(processes, "validate", "check-jsonschema"), "<= 1"),
        ],
    )
    print()
    table("a hostile request / an ordinary one of its bytes", hostile.rows())


def table(title: str, rows: Iterable[tuple[str, float, str]]) -> None:
    print(f"{title:52}{'measured':>10}{'aim':>10}")
    for name, value, aim in rows:
        print(f"{name:52}{value:10.2f}{aim:>10}")


if __name__ == "__main__":
    main()
