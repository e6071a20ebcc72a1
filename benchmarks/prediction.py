"""`python -m benchmarks.prediction`: what litellm's proxy predicts of a cache, and what `Warmth` does.

Two real proxies, one as litellm makes it and one with the default policy, are sent bodies of Anthropic's
Messages API, and asked at `/cost/predict-cache`. litellm predicts for `api.anthropic.com` alone, so the
emulator answers by that name. `Warmth` is told the same answers. Pauses are waited for.

Needs litellm's proxy, and trustme; takes seven minutes.
"""

from __future__ import annotations

import json
import secrets
import time
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx

from benchmarks.load import BIN, free_port, running
from benchmarks.tunnel import emulated
from policy_cache import Engine
from policy_cache.usage.usage import CacheUsage
from policy_cache.warmth import Warmth

if TYPE_CHECKING:
    from collections.abc import Iterator

LONG = "word " * 3_000
MODEL = "claude-sonnet-4-5-20250929"
CALLBACK = "policy_cache.integrations.litellm.proxy_handler"


class Case(NamedTuple):
    """A first request, and the one that is asked about.

    Attributes:
        name: What the case is.
        first: The body that was sent; None for none.
        later: The body that is asked about.
        pause: Seconds between the two.
        elsewhere: Whether the second one goes to another deployment, which has another key.
    """

    name: str
    first: dict[str, Any] | None
    later: dict[str, Any]
    pause: float = 10.0
    elsewhere: bool = False


def text(said: str, **more: Any) -> dict[str, Any]:
    """A text block."""
    return {"type": "text", "text": said, **more}


def body(*turns: object, system: object = LONG, **more: Any) -> dict[str, Any]:
    """A body; the user and the assistant in turn."""
    roles = ["user", "assistant"] * len(turns)
    messages = [{"role": role, "content": said} for role, said in zip(roles, turns, strict=False)]
    return {"model": MODEL, "max_tokens": 16, "system": system, "messages": messages, **more}


def marked(said: str, ttl: str | None = None) -> list[dict[str, Any]]:
    """A turn of one marked text."""
    return [text(said, cache_control={"type": "ephemeral"} | ({"ttl": ttl} if ttl else {}))]


ONE, HOUR = body(marked(LONG), "a", "r"), body(marked(LONG, "1h"), "a", "r")
IN_SYSTEM, IN_BOTH = body("q", system=marked(LONG)), body(marked(LONG), "a", "r", system=marked(LONG))
PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
CASES = [
    Case("nothing was sent", None, ONE),
    Case("one marker, the same again", ONE, ONE),
    Case("one marker, after six minutes", ONE, ONE, 360),
    Case("one marker for an hour, after six minutes", HOUR, HOUR, 360),
    Case("one marker, another key", ONE, ONE, elsewhere=True),
    Case("one marker, another system prompt", ONE, body(marked(LONG), "a", "r", system="x" + LONG)),
    Case("one marker, moved on by a turn", body(marked(LONG)), body(LONG, "a", marked("r"))),
    Case("a marker in the system prompt", IN_SYSTEM, IN_SYSTEM),
    Case("two markers", IN_BOTH, IN_BOTH),
    Case("no marker", body(LONG), body(LONG)),
    Case("an image behind the marker", ONE, body(marked(LONG), "a", [PICTURE])),
]


class Proxy(NamedTuple):
    """A running proxy, and the same policy in this process.

    Attributes:
        name: Its own, which begins the names of its deployments: their keys, and so their caches, are apart.
        client: Sends to it.
        engine: Its policy.
        warmth: What this process learns of its answers.
    """

    name: str
    client: httpx.Client
    engine: Engine
    warmth: Warmth

    def deployment(self, case: int, number: int) -> str:
        """One of the two deployments of a case: its name, its id and its key."""
        return f"{self.name}-{case}-{number}"

    def send(self, deployment: str, body: dict[str, Any]) -> CacheUsage:
        """What the provider reports of a body that is sent through the proxy."""
        answer = self.client.post("/v1/messages", json={**body, "model": deployment})
        usage = CacheUsage.from_response(answer.raise_for_status().json()) or CacheUsage()
        self.warmth.answered(self.engine.plan({**body, "api_key": deployment}), usage)
        return usage

    def predicted(self, deployment: str, body: dict[str, Any]) -> str:
        """What litellm says, in its own words."""
        asked = {"current_deployment_id": deployment, "candidate_deployment_id": deployment, "request": body}
        answer = self.client.post("/cost/predict-cache", json=asked).raise_for_status().json()["stay"]
        if answer["estimate"] is None:
            return f"abstains: {answer['reason']}"
        return f"{answer['cache_state']}, {answer['estimate']['tokens']['cache_read_input_tokens']:,} read"

    def quoted(self, deployment: str, body: dict[str, Any]) -> str:
        """What `Warmth` says."""
        [quote] = self.warmth.quote({**body, "api_key": deployment}, [MODEL])
        return f"{'warm' if quote.is_warm else 'cold'}, {quote.tokens.read:,} read"


@contextmanager
def proxy(name: str, folder: Path, engine: Engine, callbacks: list[str], **more: str) -> Iterator[Proxy]:
    """A proxy of two deployments for each case."""
    key, port = f"sk-{secrets.token_hex(24)}", free_port()
    url = f"http://127.0.0.1:{port}"
    with httpx.Client(base_url=url, headers={"x-api-key": key}, timeout=60, trust_env=False) as client:
        served = Proxy(name, client, engine, Warmth(engine))
        names = [served.deployment(case, number) for case in range(len(CASES)) for number in range(2)]
        deployments = [
            {
                "model_name": name,
                "litellm_params": {"model": f"anthropic/{MODEL}", "api_key": name},
                "model_info": {"id": name},
            }
            for name in names
        ]
        config = folder / f"{name}.json"
        config.write_text(
            json.dumps({"model_list": deployments, "litellm_settings": {"callbacks": callbacks}})
        )
        command = [str(BIN / "litellm"), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
        log = folder / f"{name}.log"
        with running(command, f"{url}/health/liveliness", log, LITELLM_MASTER_KEY=key, **more):
            yield served


def ask(proxies: list[Proxy]) -> list[list[str]]:
    """What each proxy says, what `Warmth` does, and what the provider then does: a row for each case."""
    begun = []
    for number, case in enumerate(CASES):
        begun.append(time.monotonic())
        for served in proxies:
            if case.first is not None:
                served.send(served.deployment(number, 0), case.first)
    rows: list[list[str]] = [[] for _ in CASES]
    for number, case in sorted(enumerate(CASES), key=lambda pair: pair[1].pause):
        time.sleep(max(0.0, begun[number] + case.pause - time.monotonic()))
        for served in proxies:
            deployment = served.deployment(number, int(case.elsewhere))
            said = served.predicted(deployment, case.later), served.quoted(deployment, case.later)
            rows[number] += [*said, f"{served.send(deployment, case.later).read:,} read"]
    return rows


def main() -> None:
    with ExitStack() as served:
        folder = Path(served.enter_context(TemporaryDirectory()))
        environment = served.enter_context(emulated(folder))
        proxies = [
            served.enter_context(proxy(name, folder, engine, callbacks, **environment))
            for name, engine, callbacks in (
                ("alone", Engine.passing(), []),
                ("policy", Engine.default(), [CALLBACK]),
            )
        ]
        rows = ask(proxies)
    asked = "litellm", "policy-cache", "the provider"
    print(f"litellm {version('litellm')}")
    print(f"| case | {' | '.join([*asked, *(f'{name}, with the default policy' for name in asked)])} |")
    print("|---|---|---|---|---|---|---|")
    for case, cells in zip(CASES, rows, strict=True):
        print(f"| {case.name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
