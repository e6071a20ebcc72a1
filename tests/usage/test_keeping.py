"""Which prefixes are to be pinged, and when."""

from __future__ import annotations

import pytest

from policy_cache import Engine
from policy_cache.cache.explicit import CacheOutcome
from policy_cache.lifetimes import Stake
from policy_cache.providers.price_map import route_prices
from policy_cache.usage.keeping import Keeping, least_reply
from tests.lifetimes.streams import Stream, request

LARGE = CacheOutcome(read=90_000, write_5m=10_000, uncached=3)


class Kept:
    """A stream in which most pauses are of seven minutes, and what keeps its conversations warm."""

    def __init__(self, **options):
        self.stream = Stream()
        self.dropped = []
        self.keeping = Keeping(self.stream.lifetimes, drop=self.dropped.append, **options)
        self.stream.live([f"talk {index}" for index in range(20)], [420.0] * 6)
        self.stream.now += 4_000
        self.start = self.stream.now

    def send(self, name, outcome=LARGE, model=None, switches=False):
        asked = request(name) | ({} if model is None else {"model": model})
        self.stream.lifetimes.learn(*self._sent(asked), at=self.stream.now, read=1, written=1)
        of, route = self.stream.conversation(asked), self.stream.engine.route(asked)
        self.keeping.answered(
            of, route, outcome, route_prices(route), name, at=self.stream.now, switches=switches
        )

    def _sent(self, asked):
        """Marked for five minutes, whatever is learned."""
        engine = Engine.from_text(
            """{version: 1, name: short, rules: [
            {name: all, targets: [tools, system, messages.last], action: {add_cache_control: {ttl: 5m}}}]}"""
        )
        facts = engine.facts(asked)
        sent = engine.facts(engine.rewrite(asked)).prompt
        return facts.prompt, facts.route, facts.route.markers_of(sent)

    def take(self, after):
        self.stream.now = self.start + after
        return self.keeping.take(self.stream.now)


def test_a_prefix_is_due_before_it_expires_and_once_in_a_lifetime():
    kept = Kept()
    kept.send("a")
    assert kept.keeping.next() == kept.start + 285
    assert kept.take(284) is None
    due = kept.take(286)
    assert (due.what, due.kept.stake) == ("a", Stake(read=100_000, rest=3, lost=100_000))
    assert due.gain > 0.2
    assert (kept.keeping.next(), kept.take(290)) == (None, None)
    kept.keeping.renewed(due, kept.start + 286)
    assert kept.keeping.next() == kept.start + 286 + 285
    assert kept.take(572).kept == due.kept._replace(renewed=kept.start + 286)


def test_a_later_request_takes_the_place_of_one():
    kept = Kept()
    kept.send("a")
    kept.stream.now += 100
    kept.send("a")
    assert len(kept.keeping) == 1
    assert kept.keeping.next() == kept.start + 385
    assert kept.take(286) is None
    assert kept.take(386).kept.at == kept.start + 100
    assert kept.dropped == ["a"]


def test_a_request_that_is_answered_while_a_ping_is_under_way_takes_its_place():
    kept = Kept()
    kept.send("a")
    due = kept.take(286)
    kept.stream.now += 1
    kept.send("a", LARGE)
    kept.keeping.renewed(due, kept.start + 286)
    assert kept.dropped == ["a"]
    assert kept.keeping.next() == kept.start + 287 + 285


@pytest.mark.parametrize("end", ["forget", "clear"])
def test_what_is_let_go_of_while_a_ping_is_under_way_is_not_put_back(end):
    kept = Kept()
    kept.send("a")
    due = kept.take(286)
    if end == "clear":
        kept.keeping.clear()
    else:
        kept.keeping.forget(due.key[0], due.kept.route)
    assert kept.dropped == []
    kept.keeping.renewed(due, kept.start + 286)
    assert (kept.dropped, len(kept.keeping), kept.keeping.next()) == (["a"], 0, None)


def test_of_two_pings_under_way_the_later_one_counts():
    kept = Kept()
    kept.send("a")
    first = kept.take(286)
    kept.send("a")
    second = kept.take(286 + 286)
    kept.keeping.renewed(first, kept.start + 572)
    assert (kept.dropped, len(kept.keeping)) == (["a"], 0)
    kept.keeping.renewed(second, kept.start + 573)
    assert kept.keeping.next() == kept.start + 573 + 285


def test_a_ping_that_was_lost_is_let_go_of():
    kept = Kept()
    kept.send("a")
    due = kept.take(286)
    kept.keeping.lost(due)
    assert (kept.dropped, kept.keeping._away) == (["a"], {})


def test_a_conversation_of_many_requests_takes_no_more_memory():
    kept = Kept()
    for _ in range(3_000):
        kept.send("a")
    assert len(kept.keeping) == 1
    assert len(kept.keeping._due) <= 1_002
    assert kept.keeping.next() == kept.start + 285


def test_what_does_not_pay_is_let_go_of():
    kept = Kept(floor=1_000.0)
    kept.send("a")
    assert kept.take(286) is None
    assert (kept.dropped, len(kept.keeping)) == (["a"], 0)


def test_what_an_hour_would_serve_better_is_left_to_expire():
    """Its tools and system prompt make a ping dear, and little would be lost."""
    kept = Kept()
    kept.send("a", CacheOutcome(write_1h=60_000, write_5m=40_000), switches=True)
    assert kept.take(286) is None
    kept.send("b", CacheOutcome(write_1h=60_000, write_5m=40_000))
    assert kept.take(286 + 286).what == "b"


def test_what_has_expired_is_not_pinged():
    """Whoever wakes too late would write it."""
    kept = Kept()
    kept.send("a")
    assert kept.take(300) is None
    assert kept.dropped == ["a"]


def test_what_never_came_back_is_not_pinged():
    stream = Stream()
    for index in range(60):
        stream.send(request(f"once {index}"), 4_000.0)
    kept = Kept()
    kept.stream, kept.start = stream, stream.now
    kept.keeping = Keeping(stream.lifetimes)
    kept.send("a")
    assert kept.take(286) is None


def test_of_what_is_written_in_part_for_an_hour_only_the_rest_would_be_lost():
    kept = Kept()
    kept.send("a", CacheOutcome(write_1h=30_000, write_5m=20_000))
    assert kept.take(286).kept[0].lost == 20_000
    kept.send("a", CacheOutcome(read=50_000, write_1h=10_000))
    due = kept.take(286 + 286)
    # Behind what lives for five minutes, nothing lives for an hour.
    assert (due.kept.stake.read, due.kept.stake.lost, due.kept.ttl) == (60_000, 30_000, "5m")


def test_what_is_written_for_an_hour_throughout_is_due_within_it():
    kept = Kept()
    kept.send("a", CacheOutcome(write_1h=30_000))
    kept.send("a", CacheOutcome(read=30_000, write_1h=10_000))
    assert kept.keeping.next() == kept.start + 3_420
    kept.send("a", CacheOutcome(read=40_000, write_5m=1_000))
    assert kept.keeping.next() == kept.start + 285


@pytest.mark.parametrize(
    ("outcome", "model"),
    [
        (CacheOutcome(uncached=100), None),  # nothing is cached
        (LARGE, "openai/gpt-5.6"),  # its chat API answers no request for a few tokens
        (LARGE, "deepseek/deepseek-chat"),
    ],
)
def test_what_no_ping_could_renew_is_left_alone(outcome, model):
    kept = Kept()
    kept.send("a", outcome, model=model)
    assert len(kept.keeping) == 0


def test_a_reply_of_one_token_is_reckoned_with_where_none_is_not_taken():
    kept = Kept()
    kept.send("a")
    kept.send("b", model="vertex_ai/claude-sonnet-4-5@20250929")
    assert {kept.take(286).kept.stake.reply, kept.take(286).kept.stake.reply} == {0, 1}


def test_the_oldest_is_let_go_of_first():
    kept = Kept()
    for name in "abc":
        kept.send(name)
    kept.keeping.forget_oldest()
    assert kept.dropped == ["a"]
    kept.keeping.clear()
    kept.keeping.forget_oldest()
    assert kept.dropped == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("model", "shape", "least"),
    [
        ("anthropic/claude-sonnet-4-5", "chat", 0),
        ("anthropic/claude-sonnet-4-5", "messages", 0),
        ("anthropic/claude-sonnet-4-5", "responses", 0),  # litellm makes a chat request of it
        ("vertex_ai/claude-sonnet-4-5@20250929", "messages", 1),
        ("openai/gpt-5.6", "responses", 16),
        ("azure/gpt-5.6", "responses", 16),
        ("openai/gpt-5.6", "chat", None),
        ("openai/gpt-5.6", "messages", None),
    ],
)
def test_the_least_reply_of_a_ping(model, shape, least):
    asked = {"model": model, "input" if shape == "responses" else "messages": []}
    assert least_reply(Engine.default().route(asked, shape=shape)) == least
