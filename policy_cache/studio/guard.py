"""Who may ask: the page that this server sent, and no other."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

TOKEN = "x-studio-token"  # noqa: S105, the name of a header
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}


class Guard:
    """Refuses what does not come from the page itself, and says to browsers what they shall refuse.

    A name that another site lets point to this machine fails by `Host`, a page of another site by `Origin`,
    and a program that never read the page by the token.
    """

    def __init__(self, app: ASGIApp, *, token: str) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refused = self._refused(scope)
        answer = self._app if refused is None else JSONResponse({"error": refused}, 403)
        await answer(scope, receive, guarded)

    def _refused(self, scope: Scope) -> str | None:
        headers = Headers(scope=scope)
        port = scope["server"][1]
        hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost")}
        [host] = headers.getlist("host") if len(headers.getlist("host")) == 1 else [""]
        if host not in hosts and not (port == 80 and f"{host}:80" in hosts):
            return "the request is for another host"
        posts = scope["method"] not in {"GET", "HEAD"}
        origins = headers.getlist("origin")
        if any(origin != f"http://{host}" for origin in origins) or (posts and not origins):
            return "the request comes from another origin"
        given = headers.get(TOKEN, "").encode()
        if posts and not hmac.compare_digest(given, self._token.encode()):
            return "the page is of a server that has ended: load it again"
        return None
