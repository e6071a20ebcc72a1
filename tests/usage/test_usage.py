"""Usage as each provider reports it, as litellm and the SDKs hand it on, and as nobody should."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace

import anthropic.types
import litellm
import openai.types.chat
import openai.types.responses
import pytest
from hypothesis import given
from hypothesis import strategies as st
from litellm.llms.anthropic.chat.transformation import AnthropicConfig
from litellm.llms.bedrock.chat.converse_transformation import AmazonConverseConfig
from litellm.llms.vertex_ai.gemini.vertex_and_google_ai_studio_gemini import VertexGeminiConfig

from policy_cache.emulator import create_app, serve
from policy_cache.usage.log import log_usage
from policy_cache.usage.usage import _FIGURES, _USAGES, CacheUsage

from_response = CacheUsage.from_response

counts = st.integers(0, 10**7)
usages = st.builds(CacheUsage, read=counts, write_5m=counts, write_1h=counts, uncached=counts, output=counts)

# Bodies, by what their usage says of writes: both lifetimes, only the sum, nothing.


def anthropic_body(usage):
    return {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "model": "claude-sonnet-4-5",
        "content": [{"type": "text", "text": "hello"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": usage.uncached,
            "cache_read_input_tokens": usage.read,
            "cache_creation_input_tokens": usage.written,
            "cache_creation": {
                "ephemeral_5m_input_tokens": usage.write_5m,
                "ephemeral_1h_input_tokens": usage.write_1h,
            },
            "output_tokens": usage.output,
            "service_tier": "standard",
        },
    }


def converse_body(usage):
    details = [("1h", usage.write_1h), ("5m", usage.write_5m)]
    return {
        "output": {"message": {"role": "assistant", "content": [{"text": "hello"}]}},
        "usage": {
            "inputTokens": usage.uncached,
            "outputTokens": usage.output,
            "totalTokens": usage.prompt + usage.output,
            "cacheReadInputTokens": usage.read,
            "cacheWriteInputTokens": usage.written,
            "cacheDetails": [{"inputTokens": tokens, "ttl": ttl} for ttl, tokens in details],
        },
    }


def litellm_usage(usage):
    return litellm.Usage(
        prompt_tokens=usage.prompt,
        completion_tokens=usage.output,
        total_tokens=usage.prompt + usage.output,
        prompt_tokens_details={
            "cached_tokens": usage.read,
            "cache_creation_tokens": usage.written,
            "cache_creation_token_details": {
                "ephemeral_5m_input_tokens": usage.write_5m,
                "ephemeral_1h_input_tokens": usage.write_1h,
            },
        },
        cache_read_input_tokens=usage.read,
        cache_creation_input_tokens=usage.written,
    )


def chat_body(usage, **figures):
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-5.6",
        "choices": [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hello"}}
        ],
        "usage": {
            "prompt_tokens": usage.prompt,
            "completion_tokens": usage.output,
            "total_tokens": usage.prompt + usage.output,
            **figures,
        },
    }


def openai_body(usage):
    details = {"cached_tokens": usage.read, "cache_write_tokens": usage.written, "audio_tokens": 0}
    return chat_body(usage, prompt_tokens_details=details)


def responses_usage(usage):
    return {
        "input_tokens": usage.prompt,
        "input_tokens_details": {"cached_tokens": usage.read, "cache_write_tokens": usage.written},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.prompt + usage.output,
    }


def dashscope_body(usage):
    details = {
        "cached_tokens": usage.read,
        "cache_creation_input_tokens": usage.written,
        "cache_type": "ephemeral",
    }
    return chat_body(usage, prompt_tokens_details=details)


def deepseek_body(usage):
    return chat_body(
        usage,
        prompt_cache_hit_tokens=usage.read,
        prompt_cache_miss_tokens=usage.prompt - usage.read,
        prompt_tokens_details={"cached_tokens": usage.read},
    )


def gemini_body(usage):
    return {
        "candidates": [{"content": {"role": "model", "parts": [{"text": "hello"}]}}],
        "usageMetadata": {
            "promptTokenCount": usage.prompt,
            "cachedContentTokenCount": usage.read,
            "candidatesTokenCount": usage.output - usage.output // 3,
            "thoughtsTokenCount": usage.output // 3,
            "totalTokenCount": usage.prompt + usage.output,
        },
    }


def moonshot_body(usage):
    return chat_body(usage, cached_tokens=usage.read)


def logged(usage):
    dumped = litellm_usage(usage).model_dump()
    return {"prompt_tokens": usage.prompt, "metadata": {"user_api_key": None, "usage_object": dumped}}


def one_lifetime(usage):
    return replace(usage, write_5m=usage.written, write_1h=0)


def no_writes(usage):
    return replace(usage, write_5m=0, write_1h=0, uncached=usage.uncached + usage.written)


def both_lifetimes(usage):
    return usage


SHAPES = {
    "anthropic": (anthropic_body, both_lifetimes),
    "anthropic sdk": (lambda usage: anthropic.types.Message(**anthropic_body(usage)), both_lifetimes),
    "bedrock converse": (converse_body, both_lifetimes),
    "converse stream": (lambda usage: {"metadata": {"usage": converse_body(usage)["usage"]}}, both_lifetimes),
    "litellm usage": (litellm_usage, both_lifetimes),
    "litellm response": (lambda usage: litellm.ModelResponse(usage=litellm_usage(usage)), both_lifetimes),
    "litellm standard logging object": (logged, both_lifetimes),
    "litellm callback": (lambda usage: {"standard_logging_object": logged(usage)}, both_lifetimes),
    "openai chat": (openai_body, one_lifetime),
    "openai sdk": (lambda usage: openai.types.chat.ChatCompletion(**openai_body(usage)), one_lifetime),
    "openai responses": (lambda usage: {"usage": responses_usage(usage)}, one_lifetime),
    "openai responses sdk": (
        lambda usage: openai.types.responses.ResponseUsage(**responses_usage(usage)),
        one_lifetime,
    ),
    "openai responses event": (
        lambda usage: {"type": "response.completed", "response": {"usage": responses_usage(usage)}},
        one_lifetime,
    ),
    "dashscope": (dashscope_body, one_lifetime),
    "deepseek": (deepseek_body, no_writes),
    "gemini": (gemini_body, no_writes),
    "moonshot": (moonshot_body, no_writes),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.property
@given(usage=usages)
def test_every_shape_is_read_and_its_parts_are_the_whole_prompt(shape, usage):
    body, told = SHAPES[shape]
    found = from_response(body(usage))
    assert found == told(usage)
    assert found.prompt == usage.prompt


@pytest.mark.property
@given(usage=usages)
def test_litellm_translates_to_the_same_usage(usage):
    native, converse = anthropic_body(usage)["usage"], converse_body(usage)["usage"]
    assert from_response(AnthropicConfig().calculate_usage(native, None)) == usage
    assert from_response(AmazonConverseConfig().transform_usage(converse)) == usage
    gemini = VertexGeminiConfig.calculate_usage(gemini_body(usage))
    assert from_response(gemini) == no_writes(usage)


@pytest.mark.parametrize("shape", ["litellm usage", "litellm response", "anthropic sdk", "openai sdk"])
@pytest.mark.property
@given(usage=usages)
def test_an_object_and_its_dict_agree(shape, usage):
    response = SHAPES[shape][0](usage)
    assert from_response(response) == from_response(response.model_dump())


def anthropic_events(usage):
    whole = anthropic_body(usage)
    start = whole | {"content": [], "stop_reason": None, "usage": whole["usage"] | {"output_tokens": 1}}
    delta = {"input_tokens": None, "output_tokens": usage.output}
    return [
        {"type": "message_start", "message": start},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hello"}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": delta},
        {"type": "message_stop"},
    ]


@pytest.mark.property
@given(usage=usages.filter(lambda usage: usage.output))
def test_anthropics_events_agree_with_its_message(usage):
    assert from_response(anthropic_events(usage)) == from_response(anthropic_body(usage))
    start, *_, delta, _ = anthropic_events(usage)
    events = [
        anthropic.types.RawMessageStartEvent(**start),
        anthropic.types.RawMessageDeltaEvent.construct(**delta),
    ]
    assert from_response(events) == usage


@pytest.mark.property
@given(usage=usages)
def test_chunks_agree_with_the_last_one_and_with_the_whole(usage):
    quiet = {"object": "chat.completion.chunk", "choices": [{"delta": {"content": "hello"}}], "usage": None}
    chunks = [quiet, quiet, quiet | {"choices": [], "usage": openai_body(usage)["usage"]}]
    assert from_response(chunks) == from_response(chunks[-1]) == from_response(openai_body(usage))


@pytest.mark.property
@given(usage=usages)
def test_a_stream_that_repeats_its_usage_counts_it_once(usage):
    early = {"usageMetadata": {"promptTokenCount": usage.prompt, "totalTokenCount": usage.prompt}}
    assert from_response([early, gemini_body(usage)]) == from_response(gemini_body(usage))


def test_litellm_against_a_provider_that_caches():
    """Written, then read by a stream: chunks, last chunk and whole response say the same."""
    system = [{"type": "text", "text": "word " * 4_000, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    messages = [{"role": "system", "content": system}, {"role": "user", "content": "hello"}]
    with serve(create_app()) as address:
        request = {
            "model": "anthropic/claude-sonnet-4-5",
            "messages": messages,
            "api_base": address,
            "api_key": "k",
            "max_tokens": 16,
        }
        first = from_response(litellm.completion(**request))
        second = from_response(litellm.completion(**request))
        chunks = list(litellm.completion(**request, stream=True, stream_options={"include_usage": True}))
    assert first.write_1h > 1_024
    assert (first.write_5m, first.read) == (0, 0)
    assert (second.written, second.read) == (0, first.write_1h)
    assert from_response(chunks) == from_response(chunks[-1]) == second
    assert from_response(chunks[0]) is None


def test_what_anthropic_reported(traces):
    lines = [
        json.loads(line)
        for path in sorted((traces / "provider-usage").glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    assert [from_response(line) for line in lines] == [
        CacheUsage(read=1111, uncached=3, output=406),
        CacheUsage(read=1111, write_5m=418, uncached=3, output=33),
        CacheUsage(write_5m=1590, uncached=2, output=4),
        CacheUsage(read=1590, uncached=2, output=4),
    ]


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 5, "cache_read_input_tokens": 2}, CacheUsage(read=2, uncached=3)),
        ({"input_tokens": 5, "cache_read_input_tokens": 2}, CacheUsage(read=2, uncached=5)),
        ({"cache_creation_input_tokens": 9}, CacheUsage(write_5m=9)),
        ({"cacheDetails": [{"ttl": "1h", "inputTokens": 4}]}, CacheUsage(write_1h=4)),
        ({"prompt_cache_hit_tokens": 4, "prompt_cache_miss_tokens": 6}, CacheUsage(read=4, uncached=6)),
        ({"prompt_tokens": 100.0, "cached_tokens": None}, CacheUsage(uncached=100)),
    ],
)
def test_what_is_missing_counts_nothing(usage, expected):
    assert from_response({"usage": usage}) == expected


@pytest.mark.parametrize(
    "response",
    [None, "usage", 7, [], {}, {"usage": None}, {"usage": {}}, {"usage": {"prompt_tokens": None}}, [{}]],
)
def test_no_usage_is_none(response):
    assert from_response(response) is None


@pytest.mark.parametrize(
    ("bad", "kind"),
    [
        (-1, "negative"),
        (True, "not_a_whole_number"),
        ("12", "not_a_whole_number"),
        (0.5, "not_a_whole_number"),
        (float("nan"), "not_a_whole_number"),
        ([3], "not_a_whole_number"),
        (10**30, "too_large"),
    ],
)
def test_a_figure_that_cannot_be_read_counts_as_0(bad, kind):
    usage = {"input_tokens": 3, "cache_read_input_tokens": bad, "cache_creation_input_tokens": bad}
    assert from_response({"usage": usage}) == CacheUsage(uncached=3, unreadable=(kind,))


def test_parts_larger_than_their_whole_are_kept_and_told():
    usage = {"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 9}}
    assert from_response({"usage": usage}) == CacheUsage(read=9, unreadable=("parts_exceed_prompt",))


def test_objects_that_raise_are_not_read():
    class Hostile:
        @property
        def usage(self):
            raise RuntimeError

    assert from_response(Hostile()) is None


names = st.text(max_size=5) | st.sampled_from(
    [name for paths in (*_FIGURES.values(), _USAGES) for path in paths for name in path]
    + ["input_tokens_details", "cacheDetails", "ttl"]
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("1h"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=6),
    max_leaves=30,
)


@pytest.mark.property
@given(response=json_values)
def test_nothing_raises_and_nothing_is_negative(response):
    found = from_response(response)
    if found is not None:
        figures = (found.read, found.write_5m, found.write_1h, found.uncached, found.output)
        assert all(type(figure) is int and figure >= 0 for figure in figures)


def log(usage, saved=None):
    log_usage(
        usage,
        model="claude-sonnet-4-5",
        provider="anthropic",
        route="anthropic",
        rules=["shared-prefix"],
        revision="sha256:9fd09ae330f2",
        saved=saved,
    )


@pytest.mark.parametrize(
    ("usage", "message"),
    [
        (CacheUsage(write_5m=3, write_1h=4), "[cache] Created cache: 7 tokens"),
        (CacheUsage(read=5), "[cache] Cache HIT: 5 tokens saved"),
        (
            CacheUsage(read=5, write_5m=3),
            "[cache] Created cache: 3 tokens; [cache] Cache HIT: 5 tokens saved",
        ),
    ],
)
def test_one_record_says_what_the_cache_did(caplog, usage, message):
    with caplog.at_level(logging.INFO, logger="policy_cache"):
        log(usage)
    assert caplog.record_tuples == [("policy_cache", logging.INFO, message)]


def test_the_record_has_the_figures(caplog):
    with caplog.at_level(logging.INFO, logger="policy_cache"):
        log(CacheUsage(read=5, write_5m=3, write_1h=4, uncached=2, output=1), Decimal("-0.0125"))
    assert caplog.records[0].policy_cache == {
        "model": "claude-sonnet-4-5",
        "provider": "anthropic",
        "route": "anthropic",
        "rules": ["shared-prefix"],
        "revision": "sha256:9fd09ae330f2",
        "read": 5,
        "write_5m": 3,
        "write_1h": 4,
        "uncached": 2,
        "output": 1,
        "saved_usd": -0.0125,
    }


def test_an_unknown_price_is_none(caplog):
    with caplog.at_level(logging.INFO, logger="policy_cache"):
        log(CacheUsage(read=5))
    assert caplog.records[0].policy_cache["saved_usd"] is None


@pytest.mark.parametrize("usage", [None, CacheUsage(), CacheUsage(uncached=9, output=9)])
def test_no_caching_is_not_logged(caplog, usage):
    with caplog.at_level(logging.DEBUG, logger="policy_cache"):
        log(usage)
    assert caplog.records == []


def test_litellm_is_not_imported():
    program = """
import sys
from policy_cache.usage.account import savings
from policy_cache.usage.usage import CacheUsage
usage = CacheUsage.from_response({"usage": {"prompt_tokens": 5, "cached_tokens": 2}})
print(usage.read, savings(usage, "gpt-5"), "litellm" in sys.modules)
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == "2 None False\n"


SEARCHED = {"web_search_requests": 1}


@pytest.mark.parametrize(
    ("usage", "summed"),
    [
        ({"input_tokens": 1, "server_tool_use": {"web_search_requests": 2}}, True),
        ({"input_tokens": 1, "server_tool_use": {"web_search_requests": 0, "web_fetch_requests": 1}}, True),
        ({"input_tokens": 1, "iterations": [{"input_tokens": 1}, {"input_tokens": 2}]}, True),
        ({"prompt_tokens": 1, "prompt_tokens_details": {"web_search_requests": 1}}, True),
        ({"input_tokens": 1, "server_tool_use": {"web_search_requests": 0}}, False),
        ({"input_tokens": 1, "server_tool_use": None}, False),
        ({"input_tokens": 1, "iterations": [{"input_tokens": 1}]}, False),
        ({"input_tokens": 1, "iterations": 3, "server_tool_use": {"web_search_requests": "many"}}, False),
        ({"input_tokens": 1, "iterations": [{"input_tokens": 1}], "server_tool_use": SEARCHED}, False),
        ({"input_tokens": 1}, False),
    ],
    ids=repr,
)
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_usage_that_sums_several_calls(usage, summed, wrapped):
    assert CacheUsage.from_response({"usage": usage} if wrapped else usage).summed is summed


def call(read=0, written=0, rest=0, kind="message"):
    """One of Anthropic's iterations."""
    parts = {"cache_read_input_tokens": read, "cache_creation_input_tokens": written, "input_tokens": rest}
    return {"type": kind, "output_tokens": 9, **parts}


CALLS = [call(written=4_000, rest=3), call(read=4_000, rest=503), call(read=4_000, rest=2_003)]


class TestCalls:
    """What a request with tools that the provider runs used, call by call."""

    def of(self, *iterations):
        usage = {"input_tokens": 2_509, "cache_read_input_tokens": 8_000, "iterations": [*iterations]}
        return CacheUsage.from_response({"usage": usage | {"cache_creation_input_tokens": 4_000}})

    @pytest.mark.parametrize("wrap", [dict, lambda fields: SimpleNamespace(**fields)])
    def test_each_stands_for_itself(self, wrap):
        usage = self.of(*map(wrap, CALLS))
        assert usage.summed
        assert [(one.read, one.written, one.uncached) for one in usage.calls] == [
            (0, 4_000, 3),
            (4_000, 0, 503),
            (4_000, 0, 2_003),
        ]
        assert usage.first == CacheUsage(write_5m=4_000, uncached=3, output=9)
        assert usage.growths == (500, 2_000)
        assert usage.prompt == sum(one.prompt for one in usage.calls) == 14_509

    def test_another_models_advice_is_none_of_them(self):
        usage = self.of(CALLS[0], call(rest=90_000, kind="advisor_message"), CALLS[1])
        assert usage.growths == (500,)

    @pytest.mark.parametrize(
        "iterations",
        [
            [call(rest=900, kind="compaction"), CALLS[1]],
            [CALLS[0], call(rest=900, kind="compaction"), call(rest=1_000)],
            [CALLS[0], call(rest=900, kind="of a later release")],
            [CALLS[0], call(rest=-1)],
            [CALLS[0], call()],
            [CALLS[0], "a text"],
            [CALLS[0]] * 1_001,
        ],
        ids=["compaction", "late compaction", "unknown", "negative", "nothing", "text", "endless"],
    )
    def test_where_the_prompts_are_not_the_requests_nothing_is_known(self, iterations):
        usage = self.of(*iterations)
        assert (usage.summed, usage.calls, usage.first, usage.growths) == (True, (), None, ())

    def test_one_call_is_the_request(self):
        usage = CacheUsage.from_response({"usage": {**CALLS[0], "server_tool_use": SEARCHED}})
        assert (usage.summed, usage.first) == (True, None)
        alone = {**CALLS[0], "server_tool_use": SEARCHED, "iterations": [CALLS[0]]}
        assert CacheUsage.from_response(alone).first.prompt == 4_003

    def test_without_them_a_usage_is_its_own(self):
        usage = CacheUsage.from_response({"input_tokens": 7})
        assert usage.first is usage

    def test_the_end_of_a_stream_has_them(self):
        events = [
            {"type": "message_start", "message": {"usage": {"input_tokens": 3}}},
            {"type": "message_delta", "usage": {"input_tokens": 2_509, "iterations": CALLS}},
        ]
        assert CacheUsage.from_response(events).growths == (500, 2_000)

    def test_litellm_keeps_them(self):
        usage = litellm.AnthropicConfig().calculate_usage({**CALLS[0], "iterations": CALLS}, None)
        assert CacheUsage.from_response(usage).growths == (500, 2_000)
