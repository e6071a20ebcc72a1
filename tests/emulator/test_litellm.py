"""litellm, as it is, against the emulator."""

import asyncio

import pytest

from tests.doubles import close_clients

from .bodies import LONG, LONG_TOKENS, MARK, text

# Building litellm's types warns, the first time that a stream is read.
pytestmark = pytest.mark.filterwarnings("ignore:Item '.*' on TypedDict class:UserWarning")

HI = 4 + 3
MESSAGES = [
    {"role": "system", "content": [text(LONG, cache_control=MARK)]},
    {"role": "user", "content": "hi"},
]


@pytest.fixture(scope="module")
def litellm():
    import litellm

    litellm.suppress_debug_info = True
    return litellm


@pytest.fixture
def run(litellm):  # noqa: ARG001, imported before its clients are closed
    """Run a coroutine, and close the connections that litellm keeps open in its event loop."""

    async def closing(coroutine):
        try:
            return await coroutine
        finally:
            await close_clients()

    return lambda coroutine: asyncio.run(closing(coroutine))


@pytest.fixture
def call(url, key):
    return {
        "model": "anthropic/claude-sonnet-4-5",
        "messages": MESSAGES,
        "max_tokens": 64,
        "api_base": url,
        "api_key": key,
        "num_retries": 0,
    }


def counts(usage):
    details = usage.prompt_tokens_details
    return (details.cached_tokens, usage.cache_creation_input_tokens, usage.prompt_tokens)


WRITES = (0, LONG_TOKENS, LONG_TOKENS + HI)
READS = (LONG_TOKENS, 0, LONG_TOKENS + HI)


def test_sync(litellm, call):
    first, second = (litellm.completion(**call) for _ in range(2))
    assert counts(first.usage) == WRITES
    assert counts(second.usage) == READS
    assert second.choices[0].message.content == "You said: hi"
    assert second.usage.completion_tokens == 7


def test_async(litellm, call, run):
    async def talk():
        return [await litellm.acompletion(**call) for _ in range(2)]

    first, second = run(talk())
    assert counts(first.usage) == WRITES
    assert counts(second.usage) == READS


def test_stream(litellm, call):
    def usage():
        chunks = list(litellm.completion(**call, stream=True, stream_options={"include_usage": True}))
        assert (
            "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
            == "You said: hi"
        )
        return chunks[-1].usage

    assert counts(usage()) == WRITES
    assert counts(usage()) == READS


def test_async_stream(litellm, call, run):
    async def talk():
        stream = await litellm.acompletion(**call, stream=True, stream_options={"include_usage": True})
        return [chunk async for chunk in stream][-1].usage

    assert counts(run(talk())) == WRITES
    assert counts(run(talk())) == READS


def test_the_messages_api(litellm, call, run):
    body = {**call, "messages": MESSAGES[1:], "system": MESSAGES[0]["content"]}

    async def talk():
        return [await litellm.anthropic_messages(**body) for _ in range(2)]

    first, second = run(talk())
    assert first["usage"]["cache_creation_input_tokens"] == LONG_TOKENS
    assert second["usage"]["cache_read_input_tokens"] == LONG_TOKENS


def test_a_refusal(litellm, call):
    marked = [{"role": "user", "content": [text(f"{n}", cache_control=MARK) for n in range(5)]}]
    with pytest.raises(litellm.BadRequestError, match=r"A maximum of 4 blocks .* Found 5\."):
        litellm.completion(**{**call, "messages": marked})
