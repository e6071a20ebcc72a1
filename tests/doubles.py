"""A provider on loopback that keeps what it was sent, and may refuse it: the emulator behind an error."""

from __future__ import annotations

import json
from itertools import count

import litellm
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from policy_cache.cache.openai import OpenAIModel, openai_prompt
from policy_cache.cache.reading import read as read_prompt
from policy_cache.emulator import create_app
from policy_cache.providers.catalog import packaged_catalog
from policy_cache.providers.resolve import resolve
from policy_cache.request.markers import FOREIGN, KEY
from policy_cache.request.prompt import Prompt

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


async def close_clients():
    """Close litellm's asynchronous clients, and the one that it forgets: what Anthropic streams comes by."""
    await litellm.close_litellm_async_clients()
    await litellm.module_level_aclient.client._transport.aclose()


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


READ = {
    "message": ("content", {"user", "system", "developer"}),
    "function_call_output": ("output", None),
    "custom_tool_call_output": ("output", None),
}
"""Where OpenAI reads a breakpoint: in what a kind of item says, of these roles."""


class OpenAIProvider:
    """OpenAI's Responses API from GPT-5.6 on: it caches as documented, and refuses a marker elsewhere.

    Attributes:
        requests: Every body, in order.
    """

    def __init__(self, clock=None):
        """Requests come by this clock, or ten seconds apart."""
        self.requests = []
        self._route = resolve(
            packaged_catalog(), model="gpt-5.6", provider="openai", api_base=None, shape="responses"
        )
        self._cache = OpenAIModel(self._route.marked)
        self._clock = clock or count(10.0, 10.0).__next__

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            body = json.loads(await Request(scope, receive).body())
            await self.answer(body)(scope, receive, send)

    def answer(self, body):
        self.requests.append(body)
        misplaced = [*self.misplaced(body)]
        if misplaced:
            error = {"message": f"Unknown parameter: '{misplaced[0]}'.", "type": "invalid_request_error"}
            return JSONResponse({"error": error}, 400)
        request = Prompt(body, "responses")
        prompt = openai_prompt(read_prompt(body, self._route), request)
        now = self._clock()
        plan = self._cache.plan(prompt, now)
        self._cache.refresh(plan)
        self._cache.commit(plan, now)
        response = reply(body, plan.outcome)
        if not body.get("stream"):
            return JSONResponse(response)
        events = [{"type": "response.created", "response": {**response, "status": "in_progress"}}]
        events.append({"type": "response.completed", "response": response})
        lines = [
            f"event: {event['type']}\ndata: {json.dumps({**event, 'sequence_number': number})}\n\n"
            for number, event in enumerate(events)
        ]
        return Response("".join(lines), media_type="text/event-stream")

    @staticmethod
    def misplaced(body):
        """The places of markers that the API does not know."""
        if isinstance(body["input"], str):
            return
        for index, item in enumerate(body["input"]):
            said, roles = READ.get(item.get("type", "message"), (None, None))
            if FOREIGN in item or KEY in item:
                yield f"input[{index}]"
            for name in ("content", "output"):
                for part in item[name] if isinstance(item.get(name), list) else ():
                    read = name == said and (roles is None or item.get("role") in roles)
                    if KEY in part or (FOREIGN in part and not read):
                        yield f"input[{index}].{name}"


def reply(body, outcome):
    """A response of the API, whose reads and writes are a part of its input."""
    prompt = outcome.read + outcome.write_5m + outcome.uncached
    details = {"cached_tokens": outcome.read, "cache_write_tokens": outcome.write_5m}
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "model": body["model"],
        "output": [
            {
                "type": "message",
                "id": "msg_1",
                "role": "assistant",
                "status": "completed",
                "content": [{"type": "output_text", "text": "Done.", "annotations": []}],
            }
        ],
        "usage": {
            "input_tokens": prompt,
            "input_tokens_details": details,
            "output_tokens": 2,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": prompt + 2,
        },
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "temperature": 1,
        "top_p": 1,
    }
