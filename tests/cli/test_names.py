"""Names that clients chose in a trace: none is printed as a terminal acts on, or on a line of its own."""

import json
from pathlib import Path

import pytest

from policy_cache.usage.ledger import DIMENSIONS
from tests.forecast.test_compare import agent

HOSTILE = "\x1b]0;pwned\x07\x9b2J\r\nEVIL\u2028\u202e"
COMMANDS = {
    "simulate": ("simulate",),
    **{f"simulate by {by}": ("simulate", "--by", by) for by in ("session", "model", "rule", "metadata.team")},
    "simulate kept warm": ("simulate", "--keep-warm"),
    "misses": ("misses",),
    "misses on lines": ("misses", "--output-format", "concise"),
    "tune": ("tune",),
    "switches": ("switches",),
    "compare": ("compare", "old.yaml", "new.yaml"),
    "report": ("report", "-o", "page.html", "--force"),
    **{f"stats by {by}": ("stats", "--by", by) for by in DIMENSIONS},
    "stats of an experiment": ("stats", "--experiment"),
}
OLD = "version: 1\nname: old\nrules: []\n"
NEW = (
    "version: 1\nname: new\nrules:\n  - name: system\n    targets: [system]\n"
    "    action: {add_cache_control: {}}\n"
)


def records():
    """Conversations in which everything that a client may name is hostile."""
    requests = [
        {"model": f"claude-sonnet-4-5{HOSTILE}"},
        {"model": f"anthropic/{HOSTILE}"},
        {"model": HOSTILE},
        {"model": f"{HOSTILE}/x"},
        {"model": "x", "custom_llm_provider": HOSTILE},
        {"model": "claude-sonnet-4-5"},
        {"model": "gpt-5.6"},
        {"model": "x", "base_model": HOSTILE},
    ]
    usage = {"input_tokens": 9_000, "output_tokens": 9, "cache_read_input_tokens": 500}
    for turn, request in enumerate(agent(3)):
        for number, more in enumerate([{}, *requests]):
            tools = [{**tool, "name": f"{turn}{HOSTILE}"} for tool in request.get("tools", ())]
            yield {
                "ts": 10.0 * turn + number,
                "request": {
                    **request,
                    **({"tools": tools} if number % 2 else {}),
                    **more,
                    "metadata": {"session_id": HOSTILE, "team": HOSTILE, HOSTILE: HOSTILE},
                },
                "usage": {**usage, HOSTILE: 1},
                "session": HOSTILE,
                "scope": HOSTILE,
                "policy": {
                    "revision": HOSTILE,
                    "route": HOSTILE,
                    "arm": ("control", "variant")[number % 2],
                    "shares": [{"source": "policy", "rule": HOSTILE, "read": 500}],
                    "placed": [{"at": ["system", 0], "ttl": HOSTILE, "by": HOSTILE}],
                },
            }


@pytest.mark.parametrize("command", COMMANDS)
def test_a_name_stays_a_name(run, save, command):
    save("old.yaml", OLD)
    save("new.yaml", NEW)
    broken = json.dumps({"request": {HOSTILE: 1, "model": HOSTILE}}), json.dumps({HOSTILE: 1})
    unread = json.dumps({"request": {"model": HOSTILE, "messages": [{"role": HOSTILE, "content": 1}]}})
    save("t.jsonl", "".join(f"{line}\n" for line in [*map(json.dumps, records()), *broken, unread]))
    name, *options = COMMANDS[command]
    ran = run(name, *options, "t.jsonl")
    assert ran.code in {0, 1}
    page = Path("page.html").read_text(encoding="utf-8") if name == "report" else ""
    lines = (ran.out + ran.err + page).split("\n")
    assert [line for line in lines if not line.isprintable()] == []
    assert [line for line in lines if line.startswith("EVIL")] == []
