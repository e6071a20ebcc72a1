"""The Messages API over HTTP."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from policy_cache.emulator import create_app, serve

from .bodies import (
    LONG,
    LONG_TOKENS,
    MARK,
    MODEL,
    input_side,
    request,
    shared_system,
    text,
    tool,
    usage_of,
    user,
)

HI = 4 + 3  # the question, and the opening of the reply


def test_a_reply(client):
    response = client.post("/v1/messages", json=request())
    assert response.headers["request-id"].startswith("req_")
    message = response.json()
    assert message.pop("id").startswith("msg_")
    assert message == {
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": [{"type": "text", "text": "You said: hi"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {**usage_of(uncached=HI), "output_tokens": 7, "service_tier": "standard"},
    }


def test_the_first_request_writes_and_the_second_reads(send):
    first, second = send(shared_system()), send(shared_system())
    assert input_side(first) == usage_of(write_5m=LONG_TOKENS, uncached=HI)
    assert input_side(second) == usage_of(read=LONG_TOKENS, uncached=HI)


def test_an_hour(send):
    assert input_side(send(shared_system({"type": "ephemeral", "ttl": "1h"}))) == usage_of(
        write_1h=LONG_TOKENS, uncached=HI
    )


def test_an_entry_expires_by_the_clock(send, clock):
    send(shared_system())
    clock.now = 299
    assert send(shared_system())["cache_read_input_tokens"] == LONG_TOKENS
    clock.now = 299 + 300
    assert send(shared_system())["cache_read_input_tokens"] == 0


def test_below_the_minimum_nothing_is_said(send):
    short = request(system=[text("short", cache_control=MARK)])
    usage = send(short)
    assert usage["cache_creation_input_tokens"] == usage["cache_read_input_tokens"] == 0


def test_every_model_has_its_minimum(send):
    written = [
        send(shared_system() | {"model": model})["cache_creation_input_tokens"]
        for model in ("claude-opus-5-5", "claude-opus-4-6", "claude-opus-5-5-20261001")
    ]
    assert LONG_TOKENS < 4_096
    assert written == [LONG_TOKENS, 0, LONG_TOKENS]


def test_every_key_has_its_own_cache(send):
    send(shared_system(), key="one")
    assert send(shared_system(), key="two")["cache_read_input_tokens"] == 0
    assert send(shared_system(), key="one")["cache_read_input_tokens"] == LONG_TOKENS


def test_a_bearer_token_is_a_key(url, send):
    send(shared_system(), key="borne")
    response = httpx.post(
        f"{url}/v1/messages",
        json=shared_system(),
        headers={"authorization": "Bearer borne"},
        trust_env=False,
    )
    assert response.json()["usage"]["cache_read_input_tokens"] == LONG_TOKENS


def test_automatic_caching_moves_forward(send):
    turns = [user(LONG), user("answer", "assistant"), user("more")]
    first = send(request(messages=turns[:1], cache_control=MARK))
    second = send(request(messages=turns, cache_control=MARK))
    assert input_side(first) == usage_of(write_5m=LONG_TOKENS, uncached=3)
    assert input_side(second) == usage_of(read=LONG_TOKENS, write_5m=10, uncached=3)


def test_a_system_message_in_the_conversation(send):
    messages = [
        user(LONG),
        user("ok", "assistant"),
        user("go"),
        user([text("s", cache_control=MARK)], "system"),
    ]
    assert send(request(messages=messages))["cache_creation_input_tokens"] > LONG_TOKENS


def test_prewarming_answers_nothing_and_writes(client, send):
    response = client.post("/v1/messages", json=shared_system(max_tokens=0)).json()
    assert (response["content"], response["stop_reason"]) == ([], "max_tokens")
    assert response["usage"]["output_tokens"] == 0
    assert send(shared_system())["cache_read_input_tokens"] == LONG_TOKENS


def test_counting_tokens(client):
    body = shared_system()
    del body["max_tokens"]
    response = client.post("/v1/messages/count_tokens", json=body)
    assert response.json() == {"input_tokens": LONG_TOKENS + HI}


def test_counting_writes_nothing(client, send):
    client.post("/v1/messages/count_tokens", json=shared_system())
    assert send(shared_system())["cache_read_input_tokens"] == 0


def test_a_stream(client):
    body = shared_system(stream=True)
    with client.stream("POST", "/v1/messages", json=body) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in response.iter_lines() if line]
    names = [line.removeprefix("event: ") for line in lines[::2]]
    data = [json.loads(line.removeprefix("data: ")) for line in lines[1::2]]
    assert names == [event["type"] for event in data]
    assert names == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert input_side(data[0]["message"]["usage"]) == usage_of(write_5m=LONG_TOKENS, uncached=HI)
    assert data[0]["message"]["usage"]["output_tokens"] == 1
    assert data[2]["delta"] == {"type": "text_delta", "text": "You said: hi"}
    assert data[4]["delta"]["stop_reason"] == "end_turn"
    assert data[4]["usage"] == {
        "input_tokens": HI,
        "cache_creation_input_tokens": LONG_TOKENS,
        "cache_read_input_tokens": 0,
        "output_tokens": 7,
    }


def test_a_reply_of_ones_own():
    call = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"at": "the sea"}}
    with serve(create_app(reply=lambda _: [text("Let me look."), call])) as url:
        body = request(tools=[tool("look")])
        message = httpx.post(
            f"{url}/v1/messages", json=body, headers={"x-api-key": "k"}, trust_env=False
        ).json()
    assert message["content"][1] == call
    assert message["stop_reason"] == "tool_use"


@pytest.mark.parametrize("stream", [False, True])
def test_a_fan_out_before_the_first_reply_writes_every_time(stream):
    together = threading.Barrier(2)

    def reply(_):
        together.wait()
        return [text("done")]

    def post(url):
        body = shared_system(stream=stream)
        response = httpx.post(f"{url}/v1/messages", json=body, headers={"x-api-key": "k"}, trust_env=False)
        return f'"cache_creation_input_tokens": {LONG_TOKENS}' in response.text

    with serve(create_app(reply=reply)) as url, ThreadPoolExecutor(2) as pool:
        assert list(pool.map(post, [url, url])) == [True, True]
        assert list(pool.map(post, [url, url])) == [False, False]


@pytest.mark.parametrize("path", ["/", "/v1/models", "/v1/messages/batches"])
def test_another_path(client, path):
    response = client.get(path)
    assert response.status_code == 404
    body = response.json()
    assert body["type"] == "error"
    assert body["error"]["type"] == "not_found_error"
    assert body["error"]["message"].startswith(f"Not Found: {path}.")
    assert body["request_id"] == response.headers["request-id"]


def test_another_method(client):
    response = client.get("/v1/messages")
    assert response.status_code == 405
    assert response.json()["error"] == {"type": "invalid_request_error", "message": "Method Not Allowed"}


def test_without_a_key(url):
    response = httpx.post(f"{url}/v1/messages", json=request(), trust_env=False)
    assert response.status_code == 401
    assert response.json()["error"] == {
        "type": "authentication_error",
        "message": "x-api-key header is required",
    }
