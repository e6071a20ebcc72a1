"""Two policies on trial in a real litellm proxy: what `stats` says of them holds the truth."""

from __future__ import annotations

import json
import random
from concurrent.futures import ThreadPoolExecutor

from click.testing import CliRunner

from policy_cache.cli.main import cli
from policy_cache.emulator import create_app, serve
from policy_cache.forecast.compare import PolicyText, TraceOptions, compare
from tests.proxy.running import running
from tests.proxy.test_options import CONFIG

SESSIONS = 400
CONTROL = """
version: 1
name: control
rules:
  - {name: all, targets: [tools, system, messages.last], action: {add_cache_control: {}}}
"""
VARIANT = CONTROL.replace("{add_cache_control: {}}", "{add_cache_control: {ttl: 1h}}")


def conversation(number):
    """The turns of a session, whose length and size are its own; it shares its prompt with no other."""
    draw = random.Random(number)
    talk = [
        {"role": "system", "content": f"{number} " + "word " * draw.randrange(1_500, 6_000)},
        {"role": "user", "content": f"question {number}"},
    ]
    for turn in range(1 + draw.randrange(4)):
        yield [*talk]
        said = "word " * draw.randrange(50, 900)
        talk += [
            {"role": "assistant", "content": f"answer {turn}"},
            {"role": "user", "content": f"{turn} {said}"},
        ]


def test_the_interval_holds_the_difference_of_two_policies(tmp_path):
    (tmp_path / "variant.yaml").write_text(VARIANT)
    block = {
        "policy": "policy.yaml",
        "record": {"path": "trace.jsonl"},
        "experiment": {"policy": "variant.yaml"},
        "metrics": "opentelemetry",
    }
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG % json.dumps(block))
    trace, requests = tmp_path / "trace.jsonl", sum(len([*conversation(n)]) for n in range(SESSIONS))
    more = {"config": config, "POLICY_CACHE_POLICY": None}
    with (
        serve(create_app()) as provider,
        running(tmp_path, CONTROL, provider, **more) as proxy,
        ThreadPoolExecutor(8) as clients,
    ):
        for _ in clients.map(lambda n: [proxy.chat(talk) for talk in conversation(n)], range(SESSIONS)):
            pass
        proxy.until(lambda: trace.exists() and len(trace.read_bytes().splitlines()) == requests)
    ran = CliRunner().invoke(cli, ["stats", str(trace), "--experiment", "--output-format", "json"])
    assert ran.exit_code == 0, ran.output
    found = json.loads(ran.output)
    arms = found["arms"]
    assert sum(arm["sessions"] for arm in arms.values()) == SESSIONS
    assert min(arm["sessions"] for arm in arms.values()) > SESSIONS / 3
    # Every session under either policy: what an experiment cannot see.
    texts = [PolicyText(name, text) for name, text in (("control", CONTROL), ("variant", VARIANT))]
    both, _ = compare(TraceOptions((str(trace),)), texts)
    control, variant = (float(column.total.paid) / both.requests for column in both.policies)
    low, high = found["cost_usd_per_request"]["interval_95"]
    assert low <= variant - control <= high
    assert low > 0
    low, high = found["read_share"]["interval_95"]
    shares = [column.total.read / column.total.tokens.total for column in both.policies]
    assert low <= shares[1] - shares[0] <= high
