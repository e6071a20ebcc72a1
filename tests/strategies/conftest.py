"""Anthropic's SDK up to the HTTP body: each request is kept, and refused at the transport."""

from __future__ import annotations

import json

import pytest

REFUSAL = {"type": "error", "error": {"type": "invalid_request_error", "message": "caught"}}


@pytest.fixture
def bodies(monkeypatch):
    """The bodies that the SDK would have sent; the SDK does not repeat what is refused."""
    import httpx2

    caught = []

    def refuse(_, sent):
        caught.append(json.loads(sent.read()))
        return httpx2.Response(400, json=REFUSAL, request=sent)

    async def refuse_async(_, sent):
        caught.append(json.loads(await sent.aread()))
        return httpx2.Response(400, json=REFUSAL, request=sent)

    monkeypatch.setattr(httpx2.HTTPTransport, "handle_request", refuse)
    monkeypatch.setattr(httpx2.AsyncHTTPTransport, "handle_async_request", refuse_async)
    return caught
