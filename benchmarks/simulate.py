"""How fast `policy-cache simulate` is, beside parsing the same file, and whether its memory grows with it.

`python -m benchmarks.simulate [PROFILE]`; a profile says what the time goes to.
"""

from __future__ import annotations

import cProfile
import json
import os
import platform
import pstats
import random
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import msgspec

from policy_cache.forecast.compare import PolicyText, TraceOptions, replay_part
from policy_cache.packaged import packaged

ROUNDS = 5
MEGABYTE = 1_000_000
SIZES = (10, 100, 1_000)
SMALL = 20_000


def write_trace(path: Path, megabytes: int) -> int:
    """Agents that work for twenty turns each, with requests of 90 to 140 KB; returns how many requests."""
    rng = random.Random(1)  # noqa: S311, words
    words = ["".join(rng.choices("abcdefghijklmnop", k=rng.randint(2, 9))) for _ in range(3_000)]

    def text(size: int) -> str:
        return " ".join(rng.choices(words, k=size // 6))

    def function(number: int) -> dict[str, object]:
        fields = {f"p{n}": {"type": "string", "description": text(100)} for n in range(5)}
        parameters = {"type": "object", "properties": fields}
        return {"name": f"tool_{number}", "description": text(900), "parameters": parameters}

    tools = [{"type": "function", "function": function(number)} for number in range(30)]
    system = text(20_000)
    at, size, count, conversation = 1_760_000_000.0, 0, 0, 0
    with path.open("w", encoding="utf-8") as file:
        while size < megabytes * MEGABYTE:
            conversation += 1
            messages = [{"role": "system", "content": system}, {"role": "user", "content": text(800)}]
            for turn in range(20):
                at += rng.expovariate(1 / 20)
                request = {"model": "anthropic/claude-sonnet-4-5", "messages": messages, "tools": tools}
                record = {"ts": at, "request": request, "session": f"s{conversation}"}
                size += file.write(json.dumps(record) + "\n")
                count += 1
                name = f"c{conversation}_{turn}"
                arguments = json.dumps({"p1": text(100)})
                said = {"name": "tool_1", "arguments": arguments}
                call = {"id": name, "type": "function", "function": said}
                messages = [
                    *messages,
                    {"role": "assistant", "content": text(200), "tool_calls": [call]},
                    {"role": "tool", "tool_call_id": name, "content": text(3_000)},
                ]
    return count


def write_talk(path: Path, requests: int) -> None:
    """Chats of five turns without tools, about a kilobyte a request."""
    rng = random.Random(1)  # noqa: S311, pauses
    at = 1_760_000_000.0
    with path.open("w", encoding="utf-8") as file:
        for chat in range(requests // 5):
            messages = [
                {"role": "system", "content": "You are a helpful assistant. " * 4},
                {"role": "user", "content": f"{chat} " + "word " * 20},
            ]
            for turn in range(5):
                at += rng.expovariate(1 / 20)
                request = {"model": "anthropic/claude-sonnet-4-5", "messages": messages}
                file.write(json.dumps({"ts": at, "request": request, "session": f"s{chat}"}) + "\n")
                messages = [
                    *messages,
                    {"role": "assistant", "content": "word " * 30},
                    {"role": "user", "content": f"{turn} " + "word " * 20},
                ]


def replay(path: Path) -> None:
    policy = packaged("policies", "default.yaml").read_text(encoding="utf-8")
    replay_part(TraceOptions((str(path),)), [PolicyText("default", policy)], {})


def parse(path: Path) -> None:
    decode = msgspec.json.Decoder().decode
    with path.open("rb") as file:
        for line in file:
            decode(line)


def fastest(call, path: Path) -> float:
    """Seconds, the best of a few rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        started = perf_counter()
        call(path)
        best = min(best, perf_counter() - started)
    return best


def peak(path: Path) -> int:
    """The most memory, in MB, that a process of its own needs."""
    code = f"from benchmarks.simulate import peaked; from pathlib import Path; peaked(Path({str(path)!r}))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return int(done.stdout)


def peaked(path: Path) -> None:
    replay(path)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1_024)


def main() -> None:
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}, one process")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.jsonl"
        for megabytes in SIZES:
            count = write_trace(path, megabytes)
            line = f"{megabytes:>5} MB, {count:,} requests: at most {peak(path)} MB of memory"
            if megabytes == 100:
                replayed, parsed = fastest(replay, path), fastest(parse, path)
                line += f"; {megabytes / replayed:.0f} MB a second, parsing alone {megabytes / parsed:.0f}"
                if len(sys.argv) > 1:
                    profile = cProfile.Profile()
                    profile.runcall(replay, path)
                    pstats.Stats(profile).sort_stats("tottime").print_stats(15)
            print(line, flush=True)
        write_talk(path, SMALL)
        replayed, parsed = fastest(replay, path) / SMALL, fastest(parse, path) / SMALL
        size = path.stat().st_size / SMALL
        print(
            f"{SMALL:,} requests of {size:.0f} bytes: {replayed * 1e6:.0f} us each, "
            f"parsing alone {parsed * 1e6:.1f}"
        )


if __name__ == "__main__":
    main()
