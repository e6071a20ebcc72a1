"""`make load`: what policy-cache adds to a real litellm proxy under load, beside litellm's own injection.

Each variant is a proxy of its own in front of the emulator, both on loopback, with many requests at once
for a bounded time. Then two proxies, without policy-cache and with it, serve many more requests in turn,
while the memory of both is watched.

The environment shortens it: LOAD_SECONDS of each measurement, LOAD_AT_ONCE requests, LOAD_ROUNDS (0 leaves
the times out) and LOAD_REQUESTS (0 leaves the memory out).
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
SECONDS = float(os.environ.get("LOAD_SECONDS", "30"))
AT_ONCE = int(os.environ.get("LOAD_AT_ONCE", "200"))
ROUNDS = int(os.environ.get("LOAD_ROUNDS", "2"))
REQUESTS = int(os.environ.get("LOAD_REQUESTS", "20000"))

INJECTION = """
      cache_control_injection_points:
        - {location: message, role: system}
        - {location: message, index: -1}
"""
CALLBACK = "litellm_settings: {callbacks: policy_cache.integrations.litellm.proxy_handler}"
CONFIG = """
model_list:
  - model_name: smart
    litellm_params:
      model: anthropic/claude-sonnet-4-5
      api_base: os.environ/EMULATOR
      api_key: any
{injection}
{callback}
general_settings: {{master_key: os.environ/LITELLM_MASTER_KEY}}
"""
NONE, OURS = "no caching", "policy-cache"
VARIANTS = {
    NONE: ("", ""),
    "litellm's injection": (INJECTION, ""),
    OURS: ("", CALLBACK),
}
PARTS = 10
FUNCTION = {"name": "look_up", "description": "d", "parameters": {"type": "object", "properties": {}}}
BODY = json.dumps(
    {
        "model": "smart",
        "messages": [
            {"role": "system", "content": "word " * 1_500},
            {"role": "user", "content": "q"},
            {"role": "assistant", "content": "a"},
            {"role": "user", "content": "q"},
        ],
        "tools": [{"type": "function", "function": FUNCTION}],
        "max_tokens": 16,
    }
)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@contextmanager
def running(command: list[str], url: str, log: Path, **more: str) -> Iterator[subprocess.Popen[bytes]]:
    """A server, once it answers."""
    environment = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "PYTHONPATH": str(ROOT), **more}
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=subprocess.STDOUT)
        try:
            end = time.monotonic() + 300
            while not answers(url):
                if process.poll() is not None or time.monotonic() > end:
                    sys.exit(f"did not start: {log.read_text()[-2_000:]}")
                time.sleep(0.2)
            yield process
        finally:
            process.terminate()
            process.wait()


def answers(url: str) -> bool:
    try:
        httpx.get(url, trust_env=False)
    except httpx.TransportError:
        return False
    return True


@contextmanager
def proxy(variant: str, folder: Path) -> Iterator[tuple[str, str, int]]:
    """A proxy of a variant: its address, its key, and its process."""
    injection, callback = VARIANTS[variant]
    config = folder / "config.yaml"
    config.write_text(CONFIG.format(injection=injection, callback=callback))
    key, port, behind = f"sk-{secrets.token_hex(24)}", free_port(), free_port()
    emulator, url = f"http://127.0.0.1:{behind}", f"http://127.0.0.1:{port}"
    emulate = [str(BIN / "policy-cache"), "emulate", "--port", str(behind)]
    serve = [str(BIN / "litellm"), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    with (
        running(emulate, emulator, folder / "emulator.log"),
        running(
            serve,
            f"{url}/health/liveliness",
            folder / "proxy.log",
            EMULATOR=emulator,
            LITELLM_MASTER_KEY=key,
        ) as process,
    ):
        yield url, key, process.pid


async def load(url: str, key: str, *, seconds: float, requests: int) -> tuple[list[float], int]:
    """Milliseconds of each answered request, and how many failed, until the time or the count is over."""
    times: list[float] = []
    failed = 0
    left = requests
    end = time.monotonic() + seconds
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    # The proxy closes idle connections, and may do so just when one is used again.
    limits = httpx.Limits(max_connections=AT_ONCE, keepalive_expiry=1.0)
    async with httpx.AsyncClient(headers=headers, limits=limits, timeout=120, trust_env=False) as client:

        async def worker() -> None:
            nonlocal failed, left
            while left > 0 and time.monotonic() < end:
                left -= 1
                started = time.perf_counter()
                try:
                    answer = await client.post(f"{url}/v1/chat/completions", content=BODY)
                except httpx.TransportError:
                    failed += 1
                    continue
                failed += answer.status_code != 200
                times.append((time.perf_counter() - started) * 1_000)

        await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    return times, failed


def memory(pid: int) -> float:
    """The resident memory of a process, in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1_024


def measure(variant: str) -> tuple[list[float], int]:
    with tempfile.TemporaryDirectory() as folder, proxy(variant, Path(folder)) as (url, key, _):
        asyncio.run(load(url, key, seconds=min(10, SECONDS), requests=10**9))
        return asyncio.run(load(url, key, seconds=SECONDS, requests=10**9))


def soak() -> Iterator[tuple[int, list[float]]]:
    """The memory of a proxy without policy-cache and of one with it, as each has served more requests."""
    with ExitStack() as stack:
        proxies = [
            stack.enter_context(proxy(variant, Path(stack.enter_context(tempfile.TemporaryDirectory()))))
            for variant in (NONE, OURS)
        ]
        yield 0, [memory(pid) for _, _, pid in proxies]
        for part in range(1, PARTS + 1):
            found: list[float] = []
            for url, key, pid in proxies:
                _, failed = asyncio.run(load(url, key, seconds=3_600, requests=REQUESTS // PARTS))
                if failed:
                    sys.exit(f"{failed} requests failed")
                found.append(memory(pid))
            yield part * REQUESTS // PARTS, found


def times() -> None:
    """Print how long requests take with each variant, the variants in turn."""
    rounds: dict[str, list[tuple[list[float], int]]] = {variant: [] for variant in VARIANTS}
    for _ in range(ROUNDS):
        for variant, found in rounds.items():
            found.append(measure(variant))
    print(f"{'':24}{'requests':>10}{'errors':>8}{'median ms':>11}{'beside none':>13}")
    base = 0.0
    for variant, found in rounds.items():
        taken = [one for some, _ in found for one in some]
        median = statistics.median(taken)
        base = base or median
        errors = sum(failed for _, failed in found)
        print(f"{variant:24}{len(taken):10,}{errors:8}{median:11.0f}{median / base - 1:13.1%}", flush=True)


def growth() -> None:
    """Print the memory of both proxies, and what it grew by since the first part, which warms them up."""
    first = REQUESTS // PARTS
    print(f"\nmemory in MB over {REQUESTS:,} requests to each proxy; growth since the first {first:,}")
    print(f"{'requests':>10}{NONE:>14}{'growth':>9}{OURS:>14}{'growth':>9}")
    warm: list[float] | None = None
    for part, (requests, found) in enumerate(soak()):
        warm = found if part == 1 else warm
        cells = zip(found, warm or found, strict=True)
        row = "".join(f"{now:14.0f}{now - then:+9.1f}" for now, then in cells)
        print(f"{requests:10,}{row}", flush=True)


def main() -> None:
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {AT_ONCE} requests at once")
    if ROUNDS:
        times()
    if REQUESTS:
        growth()


if __name__ == "__main__":
    main()
