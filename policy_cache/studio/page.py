"""The page as the server sends it, and what the browser is told to hold it to."""

from __future__ import annotations

import secrets
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING

from starlette.responses import HTMLResponse, Response

if TYPE_CHECKING:
    from collections.abc import Mapping

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
