"""Keeping warm: through litellm as it is, to a provider that caches and has a clock of its own."""

from __future__ import annotations

import asyncio
import logging
import threading
from decimal import Decimal
from types import SimpleNamespace

import litellm
import pytest
from prometheus_client import CollectorRegistry

from policy_cache import Engine, TraceRecorder
from policy_cache.emulator import create_app, serve
from policy_cache.forecast.replay import Replay
from policy_cache.integrations.litellm import (
    Calls,
    KeepWarm,
    KeepWarmThread,
    PolicyCacheHandler,
    answers,
    install,
)
from policy_cache.integrations.metrics import Metrics, Prometheus
from policy_cache.lifetimes import FLOOR, Lifetimes
from policy_cache.trace.record import TraceRecord
from policy_cache.usage.accounting import PING, Accounting
from policy_cache.usage.ledger import Ledger
from policy_cache.usage.usage import CacheUsage
from tests.clock import Clock
from tests.doubles import OpenAIProvider, close_clients

POLICY = """{version: 1, name: short, rules: [{name: all, targets: [tools, system, messages.last],
action: {add_cache_control: {ttl: 5m}}}]}"""
MODEL = "anthropic/claude-sonnet-4-5"
PAUSE = 360.0
INF, NAN = float("inf"), float("nan")
GPT, GPT_PAUSE = "openai/gpt-5.6", 2_400.0
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}


@pytest.fixture
def clock(monkeypatch):
    clock = Clock(1_000_000.0)
    monkeypatch.setattr(answers, "time", SimpleNamespace(time=clock))
    return clock


@pytest.fixture
def url(clock):
    with serve(create_app(clock=clock)) as url:
        yield url


@pytest.fixture
def openai(clock, monkeypatch):
    provider = OpenAIProvider(clock)
    with serve(provider) as address:
        # Behind an `api_base` of its own, a server would not be taken for OpenAI's.
        monkeypatch.setenv("OPENAI_BASE_URL", f"{address}/v1")
        yield provider


@pytest.fixture
def engine(clock):
    return Engine.from_text(POLICY).learning(Lifetimes(clock=clock))


def request(name, turns=1, **more):
    talk = [{"role": "system", "content": f"{name} " + "word " * 8_000}, {"role": "user", "content": "q0"}]
    for turn in range(1, turns):
        talk += [{"role": "assistant", "content": f"a{turn}"}, {"role": "user", "content": f"q{turn}"}]
    return {"model": MODEL, "messages": talk, "tools": [TOOL], **more}


def messages(turns, **where):
    """The same in Anthropic's shape."""
    system, *talk = request("a", turns)["messages"]
    tools = [{"name": "f", "input_schema": TOOL["function"]["parameters"]}]
    metadata = {"user_id": "u"}
    return where | {
        "system": system["content"],
        "messages": talk,
        "tools": tools,
        "max_tokens": 16,
        "metadata": metadata,
    }


def responses(turns, **where):
    """The same in that of the Responses API."""
    system, *talk = request("a", turns)["messages"]
    tools = [{"type": "function", **TOOL["function"]}]
    return where | {
        "instructions": system["content"],
        "input": talk,
        "tools": tools,
        "max_output_tokens": 99,
    }


def usage(*, read=0, written=0):
    return CacheUsage.from_response(
        {
            "usage": {
                "input_tokens": 3,
                "cache_read_input_tokens": read,
                "cache_creation_input_tokens": written,
                "output_tokens": 1,
            }
        }
    )


def answer(*, read=0, written=0):
    return {
        "usage": {
            "input_tokens": 3,
            "cache_read_input_tokens": read,
            "cache_creation_input_tokens": written,
            "output_tokens": 0,
        }
    }


class Heard(KeepWarm):
    """One that says when it was told of an answer, which litellm does in a task of its own."""

    def __init__(self, clock):
        # Nothing is sent but by `send_due`.
        super().__init__(budget=10.0, clock=clock, sleep=lambda _: asyncio.Event().wait())
        self.told = asyncio.Event()

    def answered(self, *told, **more):
        super().answered(*told, **more)
        self.told.set()

    async def after(self, call, **sent):
        self.told.clear()
        reply = await call(**sent)
        await asyncio.wait_for(self.told.wait(), 30)
        return CacheUsage.from_response(reply)


def teach(engine, clock, pause=PAUSE):
    """Twelve conversations that pause for so long."""
    for _ in range(12):
        for _ in range(4):
            clock.now += pause
            engine.learn(request("taught"), at=clock.now, read=10_000, written=10, anyway=True)
        clock.now += 8_000


class Talks:
    """Conversations of which an engine has learned that most pause for six minutes."""

    def __init__(self, engine, clock, way=KeepWarmThread, **bounds):
        self.sent = []
        self.answers = []
        self.clock, self.engine = clock, engine
        self.warm = way(
            {"chat": self.call}, **({"budget": 10.0, "clock": clock} | bounds), sleep=lambda _: None
        )
        # Nothing is sent but by `send_due`.
        self.warm._wake = lambda: None
        self.accounting = Accounting(keep_warm=self.warm)
        teach(engine, clock)

    def call(self, **sent):
        self.sent.append(sent)
        found = self.answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    def answered(self, name, **more):
        asked = request(name, **more)
        self.accounting.answered(self.engine, asked, answer(written=10_000), at=self.clock.now)
        return asked


def passing(clock):
    """A sleep that takes no time but the clock's."""

    async def sleep(seconds):
        clock.now += seconds

    return sleep


@pytest.fixture
def talks(engine, clock):
    return Talks(engine, clock)


class TestThroughLitellm:
    @pytest.mark.parametrize("ttl", ["5m", "auto"])
    def test_it_agrees_with_the_simulator_to_the_token(self, url, clock, ttl):
        """Twelve conversations of three requests, six minutes apart: once that is known, pings outlive it.

        With `auto`, entries for an hour do too, and a ping at the end of one may follow.
        """
        engine = Engine.from_text(POLICY.replace("5m", ttl)).learning(Lifetimes(clock=clock))
        replay = Replay([engine], keep_warm=FLOOR)
        reported = []

        async def talk():
            warm = Heard(clock)
            ledger = Ledger()
            calls = Calls(engine, keep_warm=warm, ledger=ledger)
            for number in range(12):
                for turns in (1, 2, 3):
                    clock.now = await pinged(warm, clock, clock.now + PAUSE)
                    sent = request(str(number), turns, max_tokens=16)
                    said = await warm.after(calls.acompletion, **sent, api_base=url, api_key="k")
                    reported.append(said.outcome)
                    replay.add(TraceRecord("", clock.now, sent, None, 0.0, "", ""))
                clock.now = await pinged(warm, clock, clock.now + 8_000)
            warm.close()
            await close_clients()
            return warm, ledger

        async def pinged(warm, clock, until):
            while warm._keeping and (due := warm._keeping.next()) is not None and due < until:
                clock.now = due
                await warm.send_due()
            return until

        warm, ledger = asyncio.run(talk())
        [kept] = replay.finish().kept
        assert warm.stopped is None
        assert warm.pings.requests == kept.pings.requests >= (12 if ttl == "5m" else 0)
        assert warm.pings.tokens == kept.pings.tokens
        assert warm.pings.written == warm.pings.output == 0
        assert warm.pings.paid == kept.pings.paid
        assert sum((one.read for one in reported), 0) == kept.total.read > 0
        assert sum((one.write_5m for one in reported), 0) == kept.total.write_5m
        assert sum((one.write_1h for one in reported), 0) == kept.total.write_1h
        assert (kept.total.write_1h > 0) is (ttl == "auto")
        # A ping is nobody's request.
        assert ledger.snapshot()["routes"]["anthropic"]["requests"] == 36

    @pytest.mark.parametrize("way", ["stand-in", "handler"])
    def test_one_ping_outlives_a_pause_of_six_minutes(self, url, clock, engine, way):
        Talks(engine, clock)

        async def talk():
            warm = Heard(clock)
            call = Calls(engine, keep_warm=warm).acompletion
            if way == "handler":
                litellm.callbacks = [PolicyCacheHandler(engine, keep_warm=warm)]
                call = litellm.acompletion
            where = {"api_base": url, "api_key": "k", "max_tokens": 16}
            await warm.after(call, **request("a"), **where)
            clock.now += 286
            sent = await warm.send_due()
            clock.now += 74
            last = await warm.after(call, **request("a", 2), **where)
            warm.close()
            await close_clients()
            return warm, sent, last

        warm, sent, last = asyncio.run(talk())
        assert (sent, warm.stopped) == (1, None)
        assert (warm.pings.requests, warm.pings.written, warm.pings.output) == (1, 0, 0)
        assert last.read == warm.pings.read > 8_000

    @pytest.mark.usefixtures("openai")
    @pytest.mark.parametrize("way", ["stand-in", "handler", "installed"])
    @pytest.mark.parametrize(
        ("name", "asked", "pause", "reply"),
        [
            ("anthropic_messages", messages, PAUSE, 0),
            ("aresponses", responses, PAUSE, 0),
            ("aresponses", responses, GPT_PAUSE, 2),
        ],
        ids=["messages", "responses", "native responses"],
    )
    def test_a_ping_in_any_shape_reads_the_whole_prefix(
        self, url, clock, engine, way, name, asked, pause, reply
    ):
        """It writes nothing, and the next turn reads what would have expired; OpenAI's replies with two."""
        where = {"model": MODEL, "api_base": url, "api_key": "k"}
        if pause == GPT_PAUSE:
            where = {"model": GPT, "api_key": "k"}
        teach(engine, clock, pause)

        async def talk():
            warm, ledger = Heard(clock), Ledger()
            told = {"keep_warm": warm, "ledger": ledger}
            if way == "stand-in":
                call = getattr(Calls(engine, **told), name)
            else:
                if way == "handler":
                    litellm.callbacks = [PolicyCacheHandler(engine, **told)]
                else:
                    install(engine, **told)
                call = getattr(litellm, name)
            first = await warm.after(call, **asked(1, **where))
            begun, clock.now = clock.now, warm._keeping.next()
            sent = await warm.send_due()
            clock.now = begun + pause
            last = await warm.after(call, **asked(2, **where))
            warm.close()
            await close_clients()
            return warm, ledger, first, sent, last

        warm, ledger, first, sent, last = asyncio.run(talk())
        assert (sent, warm.stopped) == (1, None)
        assert (warm.pings.requests, warm.pings.written, warm.pings.output) == (1, 0, reply)
        assert last.read == warm.pings.read == first.written > 8_000
        # A ping is nobody's request.
        [told] = ledger.snapshot()["routes"].values()
        assert told["requests"] == 2

    def test_openai_keeps_nothing_of_a_ping(self, openai, clock, engine):
        """And replies in as few tokens as it takes."""
        teach(engine, clock, GPT_PAUSE)

        async def talk():
            warm = Heard(clock)
            call = Calls(engine, keep_warm=warm).aresponses
            await warm.after(call, **responses(1, model=GPT, api_key="k", store=True, metadata={"a": "b"}))
            clock.now = warm._keeping.next()
            await warm.send_due()
            await close_clients()

        asyncio.run(talk())
        asked, ping = openai.requests
        assert (asked["max_output_tokens"], asked["store"], asked["metadata"]) == (99, True, {"a": "b"})
        del asked["metadata"]
        assert ping == asked | {"max_output_tokens": 16, "store": False}

    def test_what_a_bridge_says_of_an_hour_is_not_relied_on(self, url, clock):
        """litellm's answer in the shape of the Responses API does not say what was written for how long."""
        engine = Engine.from_text(POLICY.replace("5m", "1h")).learning(Lifetimes(clock=clock))
        teach(engine, clock)

        async def talk():
            warm = Heard(clock)
            call = Calls(engine, keep_warm=warm).aresponses
            asked = responses(1, model=MODEL, api_base=url, api_key="k")
            first = await warm.after(call, **asked)
            await close_clients()
            return first, len(warm._keeping)

        first, held = asyncio.run(talk())
        assert first.written > 8_000
        assert held == 0

    @pytest.mark.parametrize("shape", ["chat", "responses"])
    def test_a_thread_does_the_same(self, url, clock, engine, shape):
        teach(engine, clock)
        warm = KeepWarmThread(budget=1.0, clock=clock, sleep=lambda _: None)
        warm._wake = lambda: None
        where = {"model": MODEL, "api_base": url, "api_key": "k"}
        call, sent = litellm.responses, responses(1, **where)
        if shape == "chat":
            call, sent = litellm.completion, request("a", max_tokens=16, **where)
        first = call(**engine.rewrite(sent, shape=shape))
        Accounting(keep_warm=warm).answered(engine, sent, first, shape=shape, at=clock.now)
        clock.now += 286
        assert warm.send_due() == 1
        assert (warm.pings.requests, warm.pings.written, warm.stopped) == (1, 0, None)
        assert warm.pings.read == CacheUsage.from_response(first).written > 8_000


class TestWhatIsSent:
    def test_the_prefix_as_sent_and_nothing_that_asks_for_a_reply(self, talks, engine):
        asked = talks.answered(
            "a", max_tokens=99, stream=True, n=1, api_key="k", metadata={"session_id": "s", "x": []}
        )
        expected = engine.rewrite(asked)
        asked["messages"].append({"role": "user", "content": "later"})
        talks.clock.now += 286
        talks.answers = [answer(read=10_000)]
        assert talks.warm.send_due() == 1
        [sent] = talks.sent
        assert sent == {
            "model": MODEL,
            "messages": expected["messages"][:2],
            "tools": expected["tools"],
            "api_key": "k",
            "max_tokens": 0,
            "metadata": {"session_id": "s", PING: True},
        }
        assert sent["messages"][-1]["content"][-1]["cache_control"]


class TestBounds:
    def test_each_is_sent_once_in_a_lifetime_and_not_for_ever(self, talks):
        talks.answered("a")
        talks.answers = [answer(read=10_000)] * 20
        for _ in range(3_700):
            talks.clock.now += 1
            talks.warm.send_due()
        assert 1 <= len(talks.sent) <= 12
        assert len(talks.warm._keeping) == talks.warm._bytes == 0

    def test_a_budget_is_for_an_hour(self, talks):
        """A ping of 10,003 tokens costs 0.3 cents."""
        talks.warm._budget = 0.004
        talks.answered("a")
        talks.answered("b")
        talks.answers = [answer(read=10_000)] * 2
        talks.clock.now += 286
        assert (talks.warm.send_due(), talks.warm.skipped) == (1, 1)
        talks.warm.close()
        talks.clock.now += 3_700
        talks.answered("c")
        talks.clock.now += 286
        assert talks.warm.send_due() == 1
        assert talks.warm.pings.paid == 2 * (10_000 * Decimal("0.3") + 3 * 3) / 1_000_000

    def test_so_many_requests_are_held_and_so_many_bytes(self, talks):
        talks.warm._most = 2
        for name in "abc":
            talks.answered(name)
        assert len(talks.warm._keeping) == 2
        assert 80_000 < talks.warm._bytes < 100_000
        talks.warm._most_bytes = 50_000
        talks.answered("d")
        assert len(talks.warm._keeping) == 1
        talks.warm.close()
        assert talks.warm._bytes == 0

    @pytest.mark.parametrize("way", [KeepWarm, KeepWarmThread])
    @pytest.mark.parametrize(
        ("name", "wrong", "expected"),
        [
            *(("budget", wrong, "a finite number above 0") for wrong in (0, -1, "x", None, INF, NAN, True)),
            *(
                ("floor", wrong, "a finite number of at least 0")
                for wrong in (-1.0, "x", None, INF, NAN, True)
            ),
            *(("most", wrong, "a whole number of at least 1") for wrong in (0, 1.5, "x", None, INF, True)),
            *(("most_bytes", wrong, "a whole number of at least 1") for wrong in (0, 1e6, "x", NAN, True)),
        ],
    )
    def test_bounds_that_cannot_be(self, way, name, wrong, expected):
        with pytest.raises(ValueError) as error:  # noqa: PT011, its text is compared below
            way(**({"budget": 1.0} | {name: wrong}))
        assert str(error.value) == f"{name}: expected {expected}, found {wrong!r}"

    def test_the_least_bounds(self):
        assert KeepWarm(budget=1e-9, floor=0, most=1, most_bytes=1).stopped is None

    def test_what_has_no_call_is_not_pinged(self, talks, engine, clock):
        with pytest.raises(ValueError, match="chat, messages, responses"):
            KeepWarm({"completion": litellm.acompletion}, budget=1.0)
        talks.accounting.answered(
            engine, messages(1, model=MODEL), answer(written=10_000), shape="messages", at=clock.now
        )
        assert len(talks.warm._keeping) == 0


def answered_with_a_thread(talks, clock, call):
    """A thread that keeps warm by a call, once a first answer came; no time passes but the clock's."""

    def sleep(seconds):
        clock.now += seconds

    warm = KeepWarmThread({"chat": call}, budget=1.0, clock=clock, sleep=sleep)
    talks.accounting = Accounting(keep_warm=warm)
    talks.answered("a")
    return warm


class TestWaiting:
    def test_a_task_sends_what_is_due_and_ends_with_the_last(self, talks, clock):
        async def call(**sent):
            return talks.call(**sent)

        async def talk():
            warm = KeepWarm({"chat": call}, budget=1.0, clock=clock, sleep=passing(clock))
            talks.accounting = Accounting(keep_warm=warm)
            talks.answered("a")
            await warm._task
            return warm

        talks.answers = [answer(read=10_000)] * 12
        begun = clock.now
        warm = asyncio.run(talk())
        assert 1 <= warm.pings.requests == len(talks.sent)
        assert (clock.now - begun) % 285 == pytest.approx(0, abs=5)

    def test_a_task_ends_where_a_ping_fails_and_where_it_is_closed(self, talks, clock):
        async def call(**_):
            raise RuntimeError

        async def talk(end):
            warm = KeepWarm({"chat": call}, budget=1.0, clock=clock, sleep=passing(clock))
            talks.accounting = Accounting(keep_warm=warm)
            talks.answered("a")
            task = warm._task
            end(warm)
            await asyncio.wait([task])
            return warm.stopped, warm._bytes

        assert asyncio.run(talk(lambda _: None)) == ("a ping failed with RuntimeError", 0)
        assert asyncio.run(talk(lambda warm: warm.close())) == (None, 0)

    def test_a_ping_that_is_given_up_is_let_go_of(self, talks, clock):
        asked = asyncio.Event()

        async def call(**_):
            asked.set()
            await asyncio.Event().wait()

        async def talk():
            warm = KeepWarm({"chat": call}, budget=1.0, clock=clock, sleep=passing(clock))
            talks.accounting = Accounting(keep_warm=warm)
            talks.answered("a")
            task = warm._task
            await asked.wait()
            warm.close()
            await asyncio.wait([task])
            return warm.stopped, warm._bytes

        assert asyncio.run(talk()) == (None, 0)

    @pytest.mark.parametrize("later", ["close", "other lifetimes", "thinking"])
    @pytest.mark.parametrize("way", [KeepWarm, KeepWarmThread])
    def test_what_is_let_go_of_while_a_ping_is_under_way_is_not_held_again(self, talks, clock, way, later):
        """Nor under what a policy learned that is in force no more."""
        other = Engine.from_text(POLICY).learning(Lifetimes(clock=clock))
        teach(other, clock)

        def call(**_):
            if later == "close":
                warm.close()
            elif later == "thinking":
                talks.answered("a", reasoning_effort="low")
            else:
                talks.accounting.answered(other, request("b"), answer(written=10_000), at=clock.now)
            return answer(read=10_000)

        async def acall(**_):
            return call()

        warm = way({"chat": acall if way is KeepWarm else call}, budget=1.0, clock=clock)
        warm._wake = lambda: None
        talks.accounting = Accounting(keep_warm=warm)
        talks.answered("b")
        size = warm._bytes
        warm.close()
        talks.answered("a")
        clock.now += 286
        assert (asyncio.run(warm.send_due()) if way is KeepWarm else warm.send_due()) == 1
        assert (warm.pings.requests, warm.stopped) == (1, None)
        held = 1 if later == "other lifetimes" else 0
        assert (len(warm._keeping), warm._bytes) == (held, held * size)

    def test_a_task_is_started_anew_once_its_loop_is_closed(self, talks, clock):
        warm = KeepWarm(budget=1.0, clock=clock, sleep=lambda _: asyncio.Event().wait())
        talks.accounting = Accounting(keep_warm=warm)

        async def talk():
            talks.answered("a")
            await asyncio.sleep(0)
            return warm._task, asyncio.get_running_loop()

        for is_closed in (True, False):
            loop = asyncio.new_event_loop()
            task, where = loop.run_until_complete(talk())
            assert (task.get_loop(), task.done(), where) == (loop, False, loop)
            if is_closed:
                task._log_destroy_pending = False
                loop.close()
        warm.close()
        loop.run_until_complete(asyncio.wait([task]))
        assert task.cancelled()
        loop.close()

    def test_a_task_goes_on_for_other_loops_while_its_own_runs(self, talks, clock):
        warm = KeepWarm(budget=1.0, clock=clock, sleep=lambda _: asyncio.Event().wait())
        talks.accounting = Accounting(keep_warm=warm)

        async def another():
            talks.answered("b")
            return warm._task

        async def talk():
            talks.answered("a")
            task = warm._task
            assert await asyncio.to_thread(asyncio.run, another()) is task
            warm.close()

        asyncio.run(talk())

    def test_where_no_loop_runs_nothing_is_sent(self, talks, clock):
        warm = KeepWarm(budget=1.0, clock=clock)
        talks.accounting = Accounting(keep_warm=warm)
        talks.answered("a")
        assert warm._task is None
        warm.close()

    def test_a_thread_sends_what_is_due(self, talks, clock):
        sent = threading.Event()

        def call(**_):
            sent.set()
            return answer(read=10_000)

        warm = answered_with_a_thread(talks, clock, call)
        assert sent.wait(30)
        thread = warm._thread
        warm.close()
        thread.join(30)
        assert (thread.is_alive(), warm._thread) == (False, None)

    def test_a_thread_that_is_closed_while_it_waits_for_a_ping_goes_on_with_the_next_answer(
        self, talks, clock
    ):
        asked, may_answer, again = threading.Event(), threading.Event(), threading.Event()

        def call(**_):
            if asked.is_set():
                again.set()
            asked.set()
            assert may_answer.wait(30)
            return answer(read=10_000)

        warm = answered_with_a_thread(talks, clock, call)
        assert asked.wait(30)
        thread = warm._thread
        warm.close()
        talks.answered("b")
        may_answer.set()
        assert again.wait(30)
        assert warm._thread is thread
        warm.close()
        thread.join(30)
        assert (thread.is_alive(), warm._bytes) == (False, 0)

    def test_a_thread_is_started_anew_once_it_was_closed(self, talks, clock):
        warm = KeepWarmThread(budget=1.0, clock=clock)
        talks.accounting = Accounting(keep_warm=warm)
        threads = []
        for name in "ab":
            talks.answered(name)
            threads.append(warm._thread)
            warm.close()
            threads[-1].join(30)
            assert (threads[-1].is_alive(), warm._thread) == (False, None)
        assert threads[0] is not threads[1]


class TestSurprises:
    @pytest.mark.parametrize(
        ("given", "why"),
        [
            (RuntimeError("secret"), "a ping failed with RuntimeError"),
            (answer(), "a ping wrote what it should have read"),
            (answer(read=5_000, written=5_000), "a ping wrote what it should have read"),
            ({}, "a ping's answer had no usage that can be right"),
        ],
    )
    def test_the_first_ends_it(self, talks, caplog, given, why):
        talks.answered("a")
        talks.answered("b")
        talks.clock.now += 286
        talks.answers = [given]
        with caplog.at_level(logging.WARNING, "policy_cache"):
            assert talks.warm.send_due() == 1
        assert talks.warm.stopped == why
        assert caplog.messages == [f"nothing is kept warm any more: {why}"]
        talks.answered("c")
        talks.clock.now += 286
        assert (talks.warm.send_due(), talks.warm._bytes) == (0, 0)


class TestFigures:
    @pytest.fixture
    def registry(self, talks):
        registry = CollectorRegistry()
        talks.warm._metrics = Metrics(Prometheus(registry))
        return registry

    def test_what_is_sent_and_skipped_and_why_it_ends(self, talks, registry):
        """A ping of 10,003 tokens costs 0.3 cents, and the budget is for one."""
        talks.warm._budget = 0.004
        talks.answers = [answer(read=10_000), answer(written=10_000)]
        talks.answered("a")
        talks.answered("b")
        talks.clock.now += 286
        talks.warm.send_due()
        talks.clock.now += 3_700
        talks.answered("c")
        talks.clock.now += 286
        talks.warm.send_due()
        found = {
            (sample.name, *sample.labels.values()): sample.value
            for family in registry.collect()
            for sample in family.samples
            if sample.name.startswith("policy_cache_ping") and sample.name.endswith("_total")
        }
        assert found == {
            ("policy_cache_pings_total", "anthropic", "true"): 1,
            ("policy_cache_pings_total", "anthropic", "false"): 1,
            ("policy_cache_ping_tokens_total", "anthropic", "read"): 10_000,
            ("policy_cache_ping_tokens_total", "anthropic", "write_5m"): 10_000,
            ("policy_cache_ping_tokens_total", "anthropic", "uncached"): 6,
            ("policy_cache_ping_cost_usd_total", "anthropic"): pytest.approx(0.003009 + 0.037509),
            ("policy_cache_pings_skipped_total", "anthropic"): 1,
            ("policy_cache_pings_stopped_total", "unread"): 1,
        }

    @pytest.mark.parametrize(("given", "kind"), [(RuntimeError("secret"), "failed"), ({}, "usage")])
    def test_a_ping_that_was_not_answered_counts(self, talks, registry, given, kind):
        talks.answers = [given]
        talks.answered("a")
        talks.clock.now += 286
        talks.warm.send_due()
        sent = {"route": "anthropic", "read": "false"}
        assert registry.get_sample_value("policy_cache_pings_total", sent) == 1
        assert registry.get_sample_value("policy_cache_pings_stopped_total", {"kind": kind}) == 1

    def test_metrics_that_fail_end_nothing(self, talks):
        talks.warm._metrics = object()
        talks.answers = [answer(read=10_000)]
        talks.answered("a")
        talks.clock.now += 286
        assert (talks.warm.send_due(), talks.warm.stopped) == (1, None)
        assert talks.warm.pings.requests == len(talks.warm._keeping) == 1
        assert talks.warm.faults == {"AttributeError": 1}


class TestAccounting:
    def test_each_ping_is_logged_with_its_price_and_without_a_text(self, talks, caplog):
        talks.answered("a")
        talks.clock.now += 286
        talks.answers = [answer(read=10_000)]
        with caplog.at_level(logging.INFO, "policy_cache"):
            talks.warm.send_due()
        [record] = caplog.records
        assert record.getMessage() == "[cache] Kept warm: 10000 tokens"
        said = record.policy_cache
        assert (said["ping"], said["read"], said["output"]) == (True, 10_000, 0)
        assert said["cost_usd"] == pytest.approx(0.003009)
        assert said["gain_usd"] > FLOOR

    def test_a_ping_is_nobodys_request(self, talks, engine, tmp_path):
        ledger, recorder = Ledger(), TraceRecorder(tmp_path / "trace.jsonl")
        accounting = Accounting(ledger=ledger, recorder=recorder, keep_warm=talks.warm)
        before = engine.lifetimes._general
        accounting.answered(engine, request("a", metadata={PING: True}), answer(read=10_000))
        recorder.close()
        assert ledger.snapshot()["routes"] == {}
        assert not (tmp_path / "trace.jsonl").exists()
        assert engine.lifetimes._general == before
        assert talks.warm._keeping is None
