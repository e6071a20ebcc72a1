"""Anthropic's caching rules, one by one, on exact numbers."""

import pytest

from policy_cache.cache.explicit import CacheModel, CacheOutcome

from .prompts import block, explicit_rules, no_minimum, prompt, send, texts


def test_without_a_breakpoint_nothing_is_cached():
    cache = no_minimum()
    plain = prompt(*texts(3))
    assert send(cache, plain, 0) == CacheOutcome(uncached=300)
    assert send(cache, plain, 1) == CacheOutcome(uncached=300)
    assert len(cache) == 0


def test_a_breakpoint_writes_and_the_next_request_reads():
    cache = no_minimum()
    first = prompt(*texts(3, ttl="5m"), block("question", 7))
    assert send(cache, first, 0) == CacheOutcome(write_5m=300, uncached=7)
    assert send(cache, first, 1) == CacheOutcome(read=300, uncached=7)


def test_an_entry_is_written_at_the_breakpoint_only():
    cache = no_minimum()
    send(cache, prompt(*texts(3, ttl="5m")), 0)
    assert send(cache, prompt(*texts(2, ttl="5m")), 1) == CacheOutcome(write_5m=200)


def test_a_changed_block_loses_what_follows_it():
    cache = no_minimum()
    send(cache, prompt(block("a", ttl="5m"), block("b", ttl="5m"), block("c", ttl="5m")), 0)
    changed = prompt(block("a", ttl="5m"), block("B", ttl="5m"), block("c", ttl="5m"))
    assert send(cache, changed, 1) == CacheOutcome(read=100, write_5m=200)


def test_the_tail_is_never_cached():
    cache = no_minimum()
    sent = prompt(*texts(1, ttl="5m"), tail=3)
    assert send(cache, sent, 0) == CacheOutcome(write_5m=100, uncached=3)
    assert send(cache, sent, 1) == CacheOutcome(read=100, uncached=3)


class TestLookback:
    @pytest.mark.parametrize(("added", "read"), [(19, 100), (20, 0)])
    def test_it_reaches_the_twentieth_position_and_no_further(self, added, read):
        cache = no_minimum()
        send(cache, prompt(*texts(1, ttl="5m")), 0)
        grown = prompt(*texts(1), *texts(added, ttl="5m", start=1))
        assert send(cache, grown, 1) == CacheOutcome(read=read, write_5m=(1 + added) * 100 - read)

    @pytest.mark.parametrize("kind", ["tool_use", "tool_result"])
    @pytest.mark.parametrize(("texts_added", "read"), [(18, 100), (19, 0)])
    def test_a_run_is_one_position(self, kind, texts_added, read):
        cache = no_minimum()
        send(cache, prompt(*texts(1, ttl="5m")), 0)
        run = [block(f"{kind} {n}", 10, kind=kind) for n in range(30)]
        grown = prompt(*texts(1), *run, *texts(texts_added, ttl="5m", start=1))
        assert send(cache, grown, 1).read == read

    def test_calls_and_their_results_are_two_positions(self):
        calls = [block(f"call {n}", kind="tool_use") for n in range(2)]
        results = [block(f"result {n}", kind="tool_result") for n in range(3)]
        assert prompt(block("ask"), *calls, *results, block("end")).prefix.positions == [0, 1, 1, 2, 2, 2, 3]

    def test_other_kinds_do_not_run_together(self):
        searches = [block(f"search {n}", kind="server_tool_use") for n in range(3)]
        assert prompt(*searches).prefix.positions == [0, 1, 2]

    def test_a_breakpoint_on_the_way_carries_the_read_further(self):
        cache = no_minimum()
        send(cache, prompt(*texts(1, ttl="5m")), 0)
        bridged = prompt(*texts(1), *texts(15, ttl="5m", start=1), *texts(15, ttl="5m", start=16))
        assert send(cache, bridged, 1) == CacheOutcome(read=100, write_5m=3000)

    def test_the_plan_says_where_it_hit(self):
        cache = no_minimum()
        send(cache, prompt(*texts(2, ttl="5m")), 0)
        plan = cache.plan(prompt(*texts(2), *texts(3, ttl="5m", start=2)), 1)
        assert plan.hit == 1
        assert [read.block for read in plan.reads] == [1]
        assert [write.block for write in plan.writes] == [4]

    @pytest.mark.parametrize(("lookback", "read"), [(3, 100), (2, 0)])
    def test_the_lookback_is_the_rules(self, lookback, read):
        cache = CacheModel(explicit_rules(lookback=lookback))
        send(cache, prompt(*texts(1, ttl="5m")), 0)
        assert send(cache, prompt(*texts(3, ttl="5m")), 1).read == read


class TestLifetime:
    @pytest.mark.parametrize(("ttl", "seconds"), [("5m", 300), ("1h", 3600)])
    def test_an_entry_lives_for_its_ttl(self, ttl, seconds):
        for after, read in [(seconds - 1, 100), (seconds, 0)]:
            cache = no_minimum()
            sent = prompt(*texts(1, ttl=ttl))
            send(cache, sent, 0)
            assert send(cache, sent, after).read == read

    def test_it_runs_from_the_start_of_the_request(self):
        cache = no_minimum()
        sent = prompt(*texts(1, ttl="5m"))
        send(cache, sent, 0, available=60)
        assert cache.plan(sent, 299).outcome.read == 100
        assert cache.plan(sent, 300).outcome.read == 0

    def test_each_read_refreshes_it(self):
        cache = no_minimum()
        sent = prompt(*texts(1, ttl="5m"))
        assert [send(cache, sent, now).read for now in (0, 299, 598, 897, 1197)] == [0, 100, 100, 100, 0]

    def test_no_read_refreshes_it_where_the_provider_does_not(self):
        cache = CacheModel(explicit_rules(prolonged=False))
        sent = prompt(*texts(1, ttl="5m"))
        assert [send(cache, sent, now).read for now in (0, 299, 300, 599, 600)] == [0, 100, 0, 100, 0]

    @pytest.mark.parametrize(("ttl", "seconds"), [("5m", 60), ("1h", 90)])
    def test_the_lifetimes_are_the_rules(self, ttl, seconds):
        cache = CacheModel(explicit_rules(short=60.0, long=90.0))
        sent = prompt(*texts(1, ttl=ttl))
        send(cache, sent, 0)
        assert [cache.plan(sent, now).outcome.read for now in (seconds - 1, seconds)] == [100, 0]

    def test_looking_alone_refreshes_nothing(self):
        cache = no_minimum()
        sent = prompt(*texts(1, ttl="5m"))
        send(cache, sent, 0)
        cache.plan(sent, 299)
        assert cache.plan(sent, 300).outcome.read == 0

    def test_a_refresh_holds_while_the_reply_is_still_awaited(self):
        cache = no_minimum()
        sent = prompt(*texts(1, ttl="5m"))
        send(cache, sent, 0)
        cache.refresh(cache.plan(sent, 299))
        assert cache.plan(sent, 305).outcome.read == 100

    def test_a_read_keeps_the_entrys_own_ttl(self):
        cache = no_minimum()
        send(cache, prompt(*texts(1, ttl="5m")), 0)
        hour = prompt(*texts(1, ttl="1h"))
        assert send(cache, hour, 100) == CacheOutcome(read=100)
        assert cache.plan(hour, 399).outcome.read == 100
        assert cache.plan(hour, 400).outcome.read == 0

    def test_only_what_a_breakpoint_finds_is_refreshed(self):
        cache = no_minimum()
        send(cache, prompt(block("a", ttl="5m"), block("b", ttl="5m")), 0)
        send(cache, prompt(block("a"), block("b", ttl="5m")), 200)
        assert cache.plan(prompt(block("a"), block("b", ttl="5m")), 400).outcome.read == 200
        assert cache.plan(prompt(block("a", ttl="5m")), 400).outcome.read == 0

    def test_expired_entries_are_purged(self):
        cache = no_minimum()
        for n in range(5000):
            send(cache, prompt(block(f"one-shot {n}", ttl="5m")), n)
        assert len(cache) <= 1024


class TestAvailability:
    def test_an_entry_is_readable_once_the_reply_begins(self):
        cache = no_minimum()
        sent = prompt(*texts(1, ttl="5m"))
        send(cache, sent, 0, available=2)
        assert cache.plan(sent, 1).outcome == CacheOutcome(write_5m=100)
        assert cache.plan(sent, 2).outcome == CacheOutcome(read=100)

    def test_a_fan_out_before_it_writes_every_time(self):
        cache = no_minimum()
        sent = prompt(*texts(1, ttl="5m"))
        plans = [cache.plan(sent, 0) for _ in range(3)]
        assert [plan.outcome.write_5m for plan in plans] == [100, 100, 100]
        for plan, available in zip(plans, (5, 2, 9), strict=True):
            cache.commit(plan, available)
        assert cache.plan(sent, 1).outcome.read == 0
        assert cache.plan(sent, 2).outcome.read == 100

    def test_the_longer_of_two_lifetimes_written_at_once_stays(self):
        cache = no_minimum()
        hour, minutes = (prompt(*texts(1, ttl=ttl)) for ttl in ("1h", "5m"))
        plans = [cache.plan(hour, 0), cache.plan(minutes, 0)]
        for plan in plans:
            cache.commit(plan, 1)
        assert cache.plan(minutes, 3599).outcome.read == 100


class TestMinimum:
    def test_it_counts_the_whole_prefix(self):
        cache = CacheModel(explicit_rules(250))
        sent = prompt(block("a", ttl="5m"), block("b", ttl="5m"), block("c", ttl="5m"), block("q", 1))
        assert send(cache, sent, 0) == CacheOutcome(write_5m=300, uncached=1)
        assert send(cache, sent, 1) == CacheOutcome(read=300, uncached=1)
        assert len(cache) == 1

    @pytest.mark.parametrize(("size", "cached"), [(249, 0), (250, 250)])
    def test_below_it_nothing_happens(self, size, cached):
        cache = CacheModel(explicit_rules(250))
        assert send(cache, prompt(block("a", size, "5m")), 0).write_5m == cached


class TestMixedLifetimes:
    """A is the highest hit, B the highest one-hour breakpoint after it, C the last breakpoint."""

    def test_all_of_it_is_written(self):
        mixed = prompt(block("a", ttl="1h"), block("b", ttl="1h"), block("c", ttl="5m"), block("d"))
        assert send(no_minimum(), mixed, 0) == CacheOutcome(write_1h=200, write_5m=100, uncached=100)

    def test_read_then_an_hour_then_five_minutes(self):
        cache = no_minimum()
        send(cache, prompt(block("a", ttl="1h")), 0)
        mixed = prompt(block("a", ttl="1h"), block("b", 50, "1h"), block("c", 30, "5m"), block("d", 7))
        assert send(cache, mixed, 1) == CacheOutcome(read=100, write_1h=50, write_5m=30, uncached=7)

    def test_an_hours_breakpoint_before_the_hit_costs_nothing(self):
        cache = no_minimum()
        send(cache, prompt(block("a"), block("b", ttl="5m")), 0)
        mixed = prompt(block("a", ttl="1h"), block("b", ttl="5m"), block("c", ttl="5m"))
        assert send(cache, mixed, 1) == CacheOutcome(read=200, write_5m=100)

    def test_five_minutes_expire_under_an_hour(self):
        cache = no_minimum()
        mixed = prompt(block("a", ttl="1h"), block("b", ttl="5m"))
        send(cache, mixed, 0)
        assert send(cache, mixed, 1000) == CacheOutcome(read=100, write_5m=100)


class TestIsolation:
    @pytest.mark.parametrize("other", [{"scope": "other"}, {"model": "other"}])
    def test_nothing_is_shared(self, other):
        cache = no_minimum()
        send(cache, prompt(*texts(1, ttl="5m")), 0)
        assert send(cache, prompt(*texts(1, ttl="5m"), **other), 1) == CacheOutcome(write_5m=100)

    def test_a_separator_cannot_be_forged(self):
        assert (
            prompt(block("a"), model='x", "y', scope="z").prefix.digests
            != prompt(block("a"), model="x", scope='y", "z').prefix.digests
        )


class TestParameters:
    """A level's parameters take that level and the later ones with them."""

    @pytest.mark.parametrize(("level", "read"), [("tools", 0), ("system", 100), ("messages", 200)])
    def test_earlier_levels_are_kept(self, level, read):
        cache = no_minimum()
        blocks = [block(name, ttl="5m", level=name) for name in ("tools", "system", "messages")]
        send(cache, prompt(*blocks, parameters={level: b"before"}), 0)
        outcome = send(cache, prompt(*blocks, parameters={level: b"after"}), 1)
        assert outcome == CacheOutcome(read=read, write_5m=300 - read)

    def test_a_level_without_blocks_counts_for_the_next(self):
        one, other = (
            prompt(block("a"), parameters={"system": value}).prefix.digests for value in (b"1", b"2")
        )
        assert one != other
