"""A provider on loopback that keeps what it was sent, and may refuse it: the emulator behind an error."""

from __future__ import annotations

import json

from starlette.requests import Request
from starlette.responses import JSONResponse

from policy_cache.emulator import create_app

# What providers answer, word for word.
REFUSALS = [
    "A maximum of 4 blocks with cache_control may be provided. Found 5.",
    "messages.1124.content.6.text: cache_control cannot be set for empty text blocks",
    "messages.13.content.0.thinking.cache_control: Extra inputs are not permitted",
    "cache_control: Extra inputs are not permitted",
    "You invoked an unsupported model or your request did not allow prompt caching",
    "There is nothing available to cache.",
    "Extended TTL prompt caching is only supported for Anthropic models",
    "This model doesn't support the cachePoint field",
    "Cached content is too small. total_token_count=896, min_total_token_count=1024",
    "cache_control.ttl: 1h is not supported",
    (
        "messages.0.content.4.cache_control.ttl: a ttl='1h' cache_control block must not come after a "
        "ttl='5m' cache_control block. Note that blocks are processed in the following order: `tools`, "
        "`system`, `messages`."
    ),
    (
        "Tool 'tool_1' cannot have both defer_loading=true and cache_control set. Tools with defer_loading "
        "cannot use prompt caching."
    ),
    (
        "Malformed input request: #/toolConfig/tools/0: extraneous key [cachePoint] is not permitted, "
        "please reformat your input and try again."
    ),
    (
        "Cache point cannot be inserted after reasoning block. Please remove the invalid cache point and "
        "try again."
    ),
]
MARKER = "cache_control"


class Provider:
    """The emulator, and before it what it refuses.

    Attributes:
        status: What a refused request is answered with.
        refusal: The message of that answer; None refuses nothing.
        about: What a body must hold to be refused.
        bodies: Every body, in order, as its text.
    """

    def __init__(self, refusal=None, *, status=400, about=MARKER):
        self.status, self.refusal, self.about = status, refusal, about
        self.bodies = []
        self._app = create_app()

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = await Request(scope, receive).body()
        self.bodies.append(body.decode())
        if self.refusal is not None and self.about in self.bodies[-1]:
            error = {"type": "invalid_request_error", "message": self.refusal}
            await JSONResponse({"type": "error", "error": error}, self.status)(scope, receive, send)
            return
        parts = [{"type": "http.request", "body": body}]

        async def replay():
            return parts.pop() if parts else await receive()

        await self._app(scope, replay, send)

    @property
    def requests(self):
        return [json.loads(body) for body in self.bodies]

    @property
    def marked(self):
        """Whether each request carried a marker."""
        return [MARKER in body for body in self.bodies]
