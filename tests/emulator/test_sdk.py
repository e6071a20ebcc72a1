"""The official SDK, as it is, against the emulator."""

import asyncio

import anthropic
import pytest

from policy_cache.emulator import create_app, serve

from .bodies import LONG_TOKENS, MODEL, request, shared_system, text, tool

HI = 4 + 3


@pytest.fixture
def sdk(url, key):
    with anthropic.Anthropic(base_url=url, api_key=key, max_retries=0) as found:
        yield found


def counts(usage):
    return (usage.cache_read_input_tokens, usage.cache_creation_input_tokens, usage.input_tokens)


def test_sync(sdk):
    first, second = (sdk.messages.create(**shared_system()) for _ in range(2))
    assert counts(first.usage) == (0, LONG_TOKENS, HI)
    assert first.usage.cache_creation.ephemeral_5m_input_tokens == LONG_TOKENS
    assert counts(second.usage) == (LONG_TOKENS, 0, HI)
    assert (second.content[0].text, second.stop_reason) == ("You said: hi", "end_turn")
    assert second.usage.service_tier == "standard"


def test_stream(sdk):
    sdk.messages.create(**shared_system())
    with sdk.messages.stream(**shared_system()) as stream:
        assert "".join(stream.text_stream) == "You said: hi"
        final = stream.get_final_message()
    assert counts(final.usage) == (LONG_TOKENS, 0, HI)
    assert final.usage.output_tokens == 7


def test_async(url, key):
    async def talk():
        async with anthropic.AsyncAnthropic(base_url=url, api_key=key, max_retries=0) as sdk:
            first = await sdk.messages.create(**shared_system())
            async with sdk.messages.stream(**shared_system()) as stream:
                return first, await stream.get_final_message()

    first, second = asyncio.run(talk())
    assert counts(first.usage) == (0, LONG_TOKENS, HI)
    assert counts(second.usage) == (LONG_TOKENS, 0, HI)


def test_counting_tokens(sdk):
    body = shared_system()
    del body["max_tokens"]
    assert sdk.messages.count_tokens(**body).input_tokens == LONG_TOKENS + HI


def test_a_streamed_tool_call():
    call = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"at": "the sea, and then some"}}
    thinking = {"type": "thinking", "thinking": "hm", "signature": "signed"}
    reply = [thinking, text("Let me look."), call]
    with (
        serve(create_app(reply=lambda _: reply)) as url,
        anthropic.Anthropic(base_url=url, api_key="k", max_retries=0) as sdk,
        sdk.messages.stream(**request(tools=[tool("look")])) as stream,
    ):
        final = stream.get_final_message()
    assert final.stop_reason == "tool_use"
    assert (final.content[0].thinking, final.content[0].signature) == ("hm", "signed")
    assert final.content[1].text == "Let me look."
    assert (final.content[2].name, final.content[2].input) == ("look", call["input"])


def test_a_refusal(sdk):
    with pytest.raises(anthropic.BadRequestError, match="max_tokens: Input should be") as raised:
        sdk.messages.create(model=MODEL, max_tokens=-1, messages=[{"role": "user", "content": "hi"}])
    assert raised.value.body["error"]["type"] == "invalid_request_error"
    assert raised.value.request_id.startswith("req_")
