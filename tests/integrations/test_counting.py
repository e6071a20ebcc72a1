"""Counting prompts: what counts them, how near a fit to a few comes, and what is never sent."""

import json
import socket
from contextlib import ExitStack
from statistics import median

import litellm
import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from policy_cache import Engine
from policy_cache.emulator import serve
from policy_cache.forecast.calibration import calibrate
from policy_cache.forecast.compare import PolicyText, TraceOptions, compare
from policy_cache.forecast.counting import MOST_COUNTED, Counted, CountError
from policy_cache.forecast.replay import Replay
from policy_cache.integrations.litellm.counting import LitellmCounter
from policy_cache.trace.recorder import TraceRecorder
from tests.forecast.conversations import lines
from tests.forecast.test_compare import DEFAULT, agent, trace

CLAUDE = "anthropic/claude-sonnet-4-5"
PROSE = "The quick brown fox, who jumps over 17 lazy dogs, asks: «Où est la bibliothèque?» "


@pytest.fixture
def answering(monkeypatch):
    """A provider that answers every count alike; returns what it was asked."""
    with ExitStack() as servers:

        def answering(status, body):
            asked = []

            async def count(request):
                asked.append((request.headers["x-api-key"], await request.json()))
                return JSONResponse(body, status)

            app = Starlette(routes=[Route("/v1/messages/count_tokens", count, methods=["POST"])])
            monkeypatch.setenv("ANTHROPIC_API_BASE", servers.enter_context(serve(app)))
            monkeypatch.setenv("ANTHROPIC_API_KEY", "mine")
            return asked

        yield answering


def counting(tmp_path, requests):
    records = [{"ts": 10.0 * number, "request": request} for number, request in enumerate(requests)]
    return TraceOptions(trace(tmp_path, records).paths, counter=LitellmCounter())


def here(request):
    """What litellm counts of a request for GPT-4o."""
    asked = {name: request.get(name) for name in ("messages", "tools", "tool_choice")}
    return litellm.token_counter("gpt-4o", **asked)


def errors(options, requests):
    """How far sizes are from a count of each prompt, as shares of it."""
    replay = Replay([Engine.passing()], calibration=calibrate(options), by=lambda record: record.where)
    for record in options.read():
        replay.add(record)
    sizes = [totals.tokens.total for totals in replay.finish().uncached.groups.values()]
    return [abs(size / here(request) - 1) for size, request in zip(sizes, requests, strict=True)]


class TestAnthropic:
    @pytest.mark.usefixtures("emulator")
    def test_sizes_are_what_the_emulator_counts(self, tmp_path):
        """It counts as sizes are estimated, so that the fit is exact."""
        [counted] = calibrate(counting(tmp_path, agent(12))).counted
        assert counted == Counted(
            CLAUDE, "count_tokens at 127.0.0.1", MOST_COUNTED, counted.scale, off=counted.off
        )
        assert counted.scale == pytest.approx((1.0, 1.0), abs=0.001)
        assert max(counted.off) < 0.001

    @pytest.mark.usefixtures("emulator")
    def test_a_request_in_its_own_shape_is_counted_too(self, tmp_path):
        asked = {"model": CLAUDE, "system": PROSE, "messages": [{"role": "user", "content": PROSE * 9}]}
        [counted] = calibrate(counting(tmp_path, [asked | {"max_tokens": 9}])).counted
        assert (counted.prompts, counted.off) == (1, None)

    def test_a_prompt_and_the_key_go_where_this_process_sends_its_own(self, tmp_path, answering):
        """And never where a trace says that a request went."""
        asked = answering(200, {"input_tokens": 9_000})
        elsewhere = [{**request, "api_base": "https://trace.invalid"} for request in agent(2)]
        [counted] = calibrate(counting(tmp_path, elsewhere)).counted
        assert counted.prompts == 2
        assert [key for key, _ in asked] == ["mine", "mine"]
        assert {name for _, body in asked for name in body} == {"model", "messages", "system", "tools"}
        assert {body["model"] for _, body in asked} == {"claude-sonnet-4-5"}

    def test_nothing_is_sent_unasked(self, tmp_path, answering):
        asked = answering(200, {"input_tokens": 9_000})
        compare(TraceOptions(counting(tmp_path, agent(3)).paths), [DEFAULT])
        assert asked == []

    def test_a_bounded_sample_from_the_smallest_to_the_largest_is_sent(self, tmp_path, answering):
        asked = answering(200, {"input_tokens": 9_000})
        requests = list(agent(30))
        calibrate(counting(tmp_path, [*requests, *requests]))
        assert len(asked) == MOST_COUNTED
        # A question, and two messages more with each turn.
        assert [len(body["messages"]) for _, body in asked] == [1, 9, 17, 25, 35, 43, 51, 59]

    def test_a_refused_prompt_is_told(self, tmp_path, answering):
        answering(400, {"type": "error", "error": {"type": "invalid_request_error", "message": "no\x1b"}})
        calibration = calibrate(counting(tmp_path, agent(2)))
        [counted] = calibration.counted
        assert counted == Counted(CLAUDE, missing="Anthropic's count_tokens answers 400: no\\x1b")
        assert calibration.scales == {}

    @pytest.mark.parametrize(
        ("status", "body", "found"),
        [
            (401, {"error": {"message": "invalid x-api-key"}}, "401: invalid x-api-key"),
            (429, {"error": {"message": "too many"}}, "429: too many"),
            (200, {"input_tokens": "many"}, "200 without one that can be right"),
            (200, {"input_tokens": int("9" * 400)}, "200 without one that can be right"),
            (200, {"input_tokens": 10**9 + 1}, "200 without one that can be right"),
            (200, {"input_tokens": True}, "200 without one that can be right"),
            (200, [], "200 without one that can be right"),
        ],
    )
    def test_an_answer_that_is_no_count_ends_the_counting(self, tmp_path, answering, status, body, found):
        answering(status, body)
        with pytest.raises(CountError) as error:
            calibrate(counting(tmp_path, agent(2)))
        assert str(error.value) == f"127.0.0.1: expected a number from count_tokens, found {found}"

    def test_no_answer(self, tmp_path, monkeypatch):
        monkeypatch.setenv("ANTHROPIC_API_KEY", "any")
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        monkeypatch.setenv("ANTHROPIC_API_BASE", f"http://127.0.0.1:{port}")
        with pytest.raises(CountError, match=r"^127\.0\.0\.1: no answer to count_tokens: ConnectError$"):
            calibrate(counting(tmp_path, agent(1)))

    def test_without_a_key(self, tmp_path, monkeypatch):
        monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
        with pytest.raises(CountError, match="claude-sonnet-4-5, and found no ANTHROPIC_API_KEY: set it"):
            calibrate(counting(tmp_path, agent(1)))


class TestOpenAI:
    @pytest.fixture(autouse=True)
    def offline(self, monkeypatch):
        """The tokenizer is part of litellm's package: nothing is looked up, no key is asked for."""
        monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)

        def refused(*_, **__):
            raise AssertionError("nothing may be sent")

        monkeypatch.setattr(socket.socket, "connect", refused)
        monkeypatch.setattr(socket, "getaddrinfo", refused)

    @pytest.mark.parametrize("model", ["openai/gpt-4o", "azure/gpt-4.1-mini", "gpt-5.6", "gpt-3.5-turbo"])
    def test_prompts_are_counted_here(self, tmp_path, model):
        [counted] = calibrate(counting(tmp_path, agent(12, model, PROSE * 200))).counted
        assert (counted.way, counted.prompts) == ("litellm.token_counter", MOST_COUNTED)

    def test_a_fit_to_8_prompts_comes_within_5_percent_of_all_others(self, tmp_path, traces):
        """Four conversations of an agent, 84 prompts, with tools and calls; estimates alone are far off."""
        requests = [line["request"] | {"model": "gpt-4o"} for line in lines(traces / "taubench", 15)]
        counting_some = counting(tmp_path, requests)
        fitted = errors(counting_some, requests)
        estimated = errors(TraceOptions(counting_some.paths), requests)
        assert len(fitted) == len(estimated) == 84
        assert median(fitted) < 0.015
        assert max(fitted) < 0.05
        assert median(estimated) > 0.15

    def test_a_model_that_its_tokenizer_does_not_know_is_told(self, tmp_path):
        requests = [*agent(1, "gpt-6-astra"), *agent(1, "gpt-oss-120b"), *agent(1, "gemini/gemini-2.5-pro")]
        calibration = calibrate(counting(tmp_path, requests))
        assert [(one.model, one.prompts, one.missing) for one in calibration.counted] == [
            (name, 0, "nothing here counts its prompts exactly")
            for name in ("gemini/gemini-2.5-pro", "openai/gpt-6-astra", "openai/gpt-oss-120b")
        ]
        assert calibration.scales == {}


class TestNotCounted:
    def test_a_prompt_that_is_too_large_to_be_looked_through(self, tmp_path):
        """Its messages can be read one by one, as `simulate` does."""
        parts = [{"type": "text", "text": "a", "citations": [1] * 1_000}]
        asked = {"model": "gpt-4o", "messages": [{"role": "user", "content": parts} for _ in range(201)]}
        [counted] = calibrate(counting(tmp_path, [asked])).counted
        assert counted == Counted("openai/gpt-4o", missing="its prompts are too large to be looked through")
        [counted] = calibrate(counting(tmp_path, [asked, *agent(3, "gpt-4o")])).counted
        assert (counted.prompts, counted.missing) == (3, "")

    def test_a_prompt_without_its_texts(self, tmp_path):
        path = tmp_path / "hashed.jsonl"
        with TraceRecorder(path, text="hashed") as recorder:
            for request in agent(2, "gpt-4o"):
                recorder.record(request, ts=1.0)
        [counted] = calibrate(TraceOptions((str(path),), counter=LitellmCounter())).counted
        assert counted == Counted("openai/gpt-4o", missing="the trace does not have its texts")

    def test_a_session_of_sizes(self, tmp_path):
        path = tmp_path / "sized.json"
        requests = [{"t": 0, "model": "gpt-4o", "out": 9, "hash_ids": [1, 2, 3]}]
        path.write_text(json.dumps({"id": "s", "hash_id_scope": "local", "requests": requests}))
        [counted] = calibrate(TraceOptions((str(path),), counter=LitellmCounter())).counted
        assert counted == Counted("openai/gpt-4o", missing="the trace does not have its texts")

    def test_a_prompt_with_an_image(self, tmp_path):
        image = {"type": "image_url", "image_url": {"url": "https://example.invalid/cat.png"}}
        asked = {"model": "gpt-4o", "messages": [{"role": "user", "content": [image]}]}
        [counted] = calibrate(counting(tmp_path, [asked])).counted
        assert counted == Counted("openai/gpt-4o", missing="its prompts hold images, documents or sound")

    def test_those_without_an_image_are_counted_beside_it(self, tmp_path):
        image = {"type": "image_url", "image_url": {"url": "https://example.invalid/cat.png"}}
        asked = {"model": "gpt-4o", "messages": [{"role": "user", "content": [image]}]}
        [counted] = calibrate(counting(tmp_path, [asked, *agent(3, "gpt-4o")])).counted
        assert (counted.prompts, counted.missing) == (3, "")

    def test_a_request_of_the_responses_api(self, tmp_path):
        [counted] = calibrate(counting(tmp_path, [{"model": "gpt-4o", "input": PROSE}])).counted
        assert counted.missing == ("litellm.token_counter takes requests of the chat completions API alone")


def test_several_processes_go_by_one_counting(tmp_path):
    options = counting(tmp_path, [*agent(3, "gpt-4o"), *agent(3, "gpt-4.1")])
    none = PolicyText("none", "version: 1\nname: none\nrules: []\n")
    (one, _), (several, _) = (compare(options, [none], workers=workers) for workers in (1, 2))
    assert one.counted == several.counted
    assert one.uncached.total == several.uncached.total


def test_counts_go_before_what_was_recorded(tmp_path):
    requests = list(agent(4, "gpt-4o", PROSE * 200))
    records = [
        {"ts": 10.0 * number, "request": request, "usage": {"prompt_tokens": 99}}
        for number, request in enumerate(requests)
    ]
    options = TraceOptions(trace(tmp_path, records).paths, counter=LitellmCounter())
    found, _ = compare(options, [DEFAULT])
    whole = sum(here(request) for request in requests)
    assert found.uncached.total.tokens.total == pytest.approx(whole, rel=0.002)
    assert Engine.passing().facts(requests[0]).route.qualified == found.counted[0].model
