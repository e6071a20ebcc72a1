"""`python -m tests.wire.upstream`: what the installed litellm changes of what the catalog was observed on.

`--write` keeps the present state in `upstream.json`; without it, what differs from that is printed, and the
exit code is 1 if anything does.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from difflib import ndiff
from importlib.metadata import version
from pathlib import Path

import litellm

from policy_cache import Engine
from policy_cache.integrations.litellm import WireError, wire
from policy_cache.integrations.litellm.doctor import examine
from policy_cache.providers.catalog import packaged_catalog
from policy_cache.providers.resolve import resolve
from policy_cache.request.prompt import AREAS
from policy_cache.request.sample import request
from tests.wire.routes import ROUTES

KEPT = Path(__file__).with_name("upstream.json")
MARKER = {"cache_control": {"type": "ephemeral"}}
# litellm's names for providers in its map, and in a call.
CALLED = {"bedrock_converse": "bedrock"}


def state(findings=None):
    """All that a release of litellm may change, in tables: a line for each way and each model."""
    catalog = packaged_catalog()
    ways = defaultdict(list)
    for finding in examine(catalog) if findings is None else findings:
        ways[f"{finding.route}, {finding.shape}"].append(f"{finding.kind} {finding.outcome}")
    return {
        "markers of explicit routes": {way: ", ".join(outcomes) for way, outcomes in ways.items()},
        "markers kept where the catalog has none": dict(kept_elsewhere()),
        **scan(catalog),
    }


def kept_elsewhere():
    """How many of a client's markers pass where no policy sets any."""
    engine = Engine.passing()
    for case in ROUTES:
        for shape in AREAS:
            given = {**request(shape, case.request["model"]), **case.request}
            if engine.route(given, shape=shape).mechanism == "explicit":
                continue
            try:
                kept = len(wire(marked(given, shape), shape=shape).markers)
            except WireError:
                continue
            if kept:
                yield f"{case.label}, {shape}", f"{kept} markers"


def marked(given, shape):
    """A request with a marker on each tool and each text."""
    area = AREAS[shape]

    def said(message):
        content = message.get("content")
        part = "output_text" if message.get("role") == "assistant" else "input_text"
        kind = part if shape == "responses" else "text"
        if not isinstance(content, str) or message.get("role") == "tool":
            return message
        return {**message, "content": [{"type": kind, "text": content, **MARKER}]}

    return {
        **given,
        "tools": [{**tool, **MARKER} for tool in given["tools"]],
        area: [said(message) for message in given[area]],
    }


def scan(catalog):
    """What litellm's map of prices says that the catalog does not."""
    absent, unmarked, minimums = defaultdict(list), defaultdict(list), {}
    for name, entry in sorted(litellm.model_cost.items()):
        if entry.get("mode") not in ("chat", "responses") or not caches(entry):
            continue
        theirs = str(entry.get("litellm_provider"))
        provider = "vertex_ai" if theirs.startswith("vertex_ai") else CALLED.get(theirs, theirs)
        routes = [
            resolve(catalog, model=name, provider=provider, api_base=None, shape=shape) for shape in AREAS
        ]
        if routes[0].name is None:
            absent[provider].append(name)
        if entry.get("cache_creation_input_token_cost") and not any(r.marked for r in routes):
            unmarked[provider].append(name)
        least = entry.get("prompt_cache_min_tokens")
        if least is not None and routes[0].minimum not in (0, least):
            minimums[name] = f"{least} tokens, in the catalog {routes[0].minimum}"
    return {
        "models that cache, and have no route": absent,
        "models with a fee for writing, and no breakpoints": unmarked,
        "other minimums": minimums,
    }


def caches(entry):
    """Whether a model's entry speaks of a cache that saves."""
    read, given = entry.get("cache_read_input_token_cost"), entry.get("input_cost_per_token")
    saves = read is not None and given is not None and read < given
    return saves or bool(entry.get("cache_creation_input_token_cost") or entry.get("supports_prompt_caching"))


def text(tables):
    return json.dumps(tables, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def main():
    now = text(state())
    if "--write" in sys.argv[1:]:
        KEPT.write_text(now, encoding="utf-8")
        return 0
    before = KEPT.read_text(encoding="utf-8")
    print(f"litellm {version('litellm')}, and the catalog was observed on {packaged_catalog().observed}")
    changes = [line for line in ndiff(before.splitlines(), now.splitlines()) if line[0] in "+-"]
    print("\n".join(changes) or "nothing differs")
    return bool(changes)


if __name__ == "__main__":
    sys.exit(main())
