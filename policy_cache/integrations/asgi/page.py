"""One page that shows what the caches do, as it happens.

It is read-only, and asks nobody who they are: mount it behind what does. It names models, rules and
revisions, and has no text of a prompt.
"""

from __future__ import annotations

import json
import threading
import time
from base64 import b64encode
from hashlib import sha256
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING

from policy_cache.errors import PolicyCacheError
from policy_cache.report.live.data import as_json
from policy_cache.report.live.wording import LEFT_OUT, LEGEND, NOT_A_RULE
from policy_cache.report.misses import ESTIMATE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

    from policy_cache.report.live.live import Live
    from policy_cache.usage.live import Snapshot

_MOST_ROWS = 50
# However many look at the page, the figures are added up once a second.
_FRESH = 1.0
_HEADERS: Mapping[str, str] = {
    "cache-control": "no-store",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class LivePageError(PolicyCacheError):
    """A page that cannot be made."""


def live_page(live: Live) -> Starlette:
    """The application of a page that shows what a `Live` was told; it asks again every two seconds.

    ```python
    live = Live()
    litellm.callbacks.append(PolicyCacheHandler(engine, live=live))
    app.mount("/caches", live_page(live))
    ```

    Args:
        live: What a plug-in tells of its answers, as its `live`.

    Raises:
        LivePageError: Starlette is not installed.
    """
    try:
        from starlette.applications import Starlette  # noqa: PLC0415, an extra
        from starlette.responses import Response  # noqa: PLC0415
        from starlette.routing import Route  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "starlette":
            raise
        raise LivePageError("a live page needs starlette: pip install 'policy-cache[asgi]'") from None
    html, policy = document()
    figures = _Figures(live.snapshot)

    def page(_: Request) -> Response:
        headers = {**_HEADERS, "content-security-policy": policy}
        return Response(html, media_type="text/html", headers=headers)

    # Not a coroutine, so that a router's own requests do not wait while it adds up.
    def data(_: Request) -> Response:
        headers = {**_HEADERS, "content-security-policy": "default-src 'none'; frame-ancestors 'none'"}
        return Response(figures.text(), media_type="application/json", headers=headers)

    return Starlette(routes=[Route("/", page), Route("/live.json", data)])


def document() -> tuple[str, str]:
    """The HTML of the page, and what it may do: run its own script, and ask where it comes from."""
    # The style sheet of reports is that of this page, too.
    style = _file("policy_cache.report.page", "page.css") + _file(__package__, "live.css")
    script = _file(__package__, "live.js")
    html = Template(_file(__package__, "live.html")).substitute(
        style=style,
        script=script,
        estimate=ESTIMATE,
        legend="<br>".join(LEGEND),
        left_out=LEFT_OUT,
        not_a_rule=NOT_A_RULE,
    )
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return html, policy


class _Figures:
    """The newest figures, as JSON."""

    def __init__(self, snapshot: Callable[[], Snapshot]) -> None:
        self._snapshot = snapshot
        self._lock = threading.Lock()
        self._text = ""
        self._until = 0.0

    def text(self) -> str:
        with self._lock:
            now = time.monotonic()
            if now >= self._until:
                self._text = json.dumps(as_json(self._snapshot(), _MOST_ROWS))
                self._until = now + _FRESH
            return self._text


def _file(package: str, name: str) -> str:
    return files(package).joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
