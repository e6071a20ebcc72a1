"""The page that the server sends, with its files, and who may ask it: that page, and no other."""

from __future__ import annotations

import hmac
import secrets
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, JSONResponse, Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

# The style sheet of reports is that of this page, too; `studio.css` adds to it.
FILES: Mapping[str, tuple[str, str, str]] = {
    "page.css": ("policy_cache.report.page", "", "text/css"),
    "studio.css": ("policy_cache.studio", "static", "text/css"),
    "studio.js": ("policy_cache.studio", "static", "text/javascript"),
    "licenses.txt": ("policy_cache.studio", "static", "text/plain"),
}
"""What the page loads: the package and folder that hold each file, and its type."""


def page(token: str) -> Response:
    """The page, with the token that its questions carry."""
    nonce = secrets.token_urlsafe()
    # The editor writes style sheets as it goes, and has a nonce for that.
    policy = (
        f"default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    text = files("policy_cache.studio").joinpath("page.html").read_text(encoding="utf-8")
    html = Template(text).substitute(token=token, nonce=nonce)
    return HTMLResponse(html, headers={"content-security-policy": policy})


def file(name: str) -> Response | None:
    """A file that the page loads; None for any other."""
    if name not in FILES:
        return None
    package, folder, kind = FILES[name]
    return Response(files(package).joinpath(folder, name).read_bytes(), media_type=kind)


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
    """Refuses what does not come from the page itself, and tells browsers what to refuse.

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
