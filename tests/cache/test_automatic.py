"""What providers cache by themselves, rule by rule, on exact numbers."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy_cache.cache.automatic import AutomaticModel
from policy_cache.cache.explicit import CacheOutcome
from policy_cache.providers.cache_rules import AutomaticRules
from policy_cache.providers.catalog import packaged_catalog
from policy_cache.providers.resolve import resolve

from .prompts import block, prompt, send, texts

HOUR = 3_600.0
FREE = AutomaticRules(minimum=0, step=1, lives=300.0)


def model(**rules):
    return AutomaticModel(replace(FREE, **rules))


def automatic_rules(provider, name):
    route = resolve(packaged_catalog(), model=name, provider=provider, api_base=None, shape="chat")
    return route.automatic


def of(provider, name, retention=None):
    rules = automatic_rules(provider, name).chosen({"prompt_cache_retention": retention})
    return rules.minimum, rules.step, rules.lives


class TestWhatIsRead:
    def test_nothing_at_first_and_then_all_but_the_tail(self):
        cache = model()
        sent = prompt(*texts(3), tail=3)
        assert send(cache, sent, 0) == CacheOutcome(uncached=303)
        assert send(cache, sent, 1) == CacheOutcome(read=300, uncached=3)

    def test_the_blocks_that_two_prompts_share(self):
        cache = model()
        send(cache, prompt(*texts(3), block("one")), 0)
        assert send(cache, prompt(*texts(3), block("other")), 1) == CacheOutcome(read=300, uncached=100)

    def test_a_changed_block_loses_what_follows_it(self):
        cache = model()
        send(cache, prompt(block("a"), block("b"), block("c")), 0)
        assert send(cache, prompt(block("a"), block("B"), block("c")), 1).read == 100

    def test_a_marker_changes_nothing(self):
        cache = model()
        send(cache, prompt(*texts(3)), 0)
        assert send(cache, prompt(*texts(3, ttl="1h")), 1) == CacheOutcome(read=300)

    @pytest.mark.parametrize(("size", "read"), [(1_023, 0), (1_024, 1_024), (1_151, 1_024), (1_152, 1_152)])
    def test_from_the_minimum_on_and_rounded_down_to_the_step(self, size, read):
        cache = model(minimum=1_024, step=128)
        send(cache, prompt(block("a", size)), 0)
        outcome = send(cache, prompt(block("a", size), block("b", 10)), 1)
        assert outcome == CacheOutcome(read=read, uncached=size + 10 - read)

    @pytest.mark.parametrize(("size", "read"), [(1_000, 0), (1_023, 0), (1_024, 1_024)])
    def test_the_minimum_holds_for_what_is_rounded(self, size, read):
        cache = model(minimum=1_000, step=128)
        send(cache, prompt(block("a", size)), 0)
        assert send(cache, prompt(block("a", size)), 1).read == read

    def test_the_reads_and_the_writes_are_all_prefixes(self):
        cache = model()
        send(cache, prompt(*texts(2)), 0)
        plan = cache.plan(prompt(*texts(4)), 1)
        assert [read.block for read in plan.reads] == [0, 1]
        assert [write.block for write in plan.writes] == [2, 3]
        assert plan.hit == 1

    def test_another_model_or_scope_shares_nothing(self):
        cache = model()
        send(cache, prompt(*texts(2)), 0)
        assert cache.plan(prompt(*texts(2), model="n"), 1).outcome.read == 0
        assert cache.plan(prompt(*texts(2), scope="t"), 1).outcome.read == 0


class TestLifetime:
    @pytest.mark.parametrize(("after", "read"), [(299, 100), (300, 0)])
    def test_so_long_after_the_request_started(self, after, read):
        cache = model()
        send(cache, prompt(*texts(1)), 0, available=60)
        assert cache.plan(prompt(*texts(1)), after).outcome.read == read

    def test_a_read_prolongs_every_prefix_of_what_it_reads(self):
        cache = model()
        send(cache, prompt(*texts(3)), 0)
        send(cache, prompt(*texts(3)), 299)
        assert [cache.plan(prompt(*texts(count)), 598).outcome.read for count in (1, 2, 3)] == [100, 200, 300]

    def test_a_read_prolongs_nothing_beyond(self):
        cache = model()
        send(cache, prompt(*texts(3)), 0)
        send(cache, prompt(*texts(1)), 299)
        assert cache.plan(prompt(*texts(3)), 300).outcome.read == 100

    def test_it_is_readable_once_the_reply_begins(self):
        cache = model()
        send(cache, prompt(*texts(1)), 0, available=5)
        assert cache.plan(prompt(*texts(1)), 4).outcome.read == 0
        assert cache.plan(prompt(*texts(1)), 5).outcome.read == 100

    def test_of_two_requests_at_once_the_first_reply_makes_it_readable(self):
        cache = model()
        plans = [cache.plan(prompt(*texts(1)), now) for now in (0, 1)]
        cache.commit(plans[1], 3)
        cache.commit(plans[0], 9)
        assert cache.plan(prompt(*texts(1)), 3).outcome.read == 100
        assert cache.plan(prompt(*texts(1)), 300).outcome.read == 100

    def test_what_has_expired_is_forgotten(self):
        cache = model()
        for now in range(5_000):
            send(cache, prompt(block(f"{now}")), now * 10)
        assert len(cache) <= 1_025

    def test_what_is_below_the_minimum_is_not_kept(self):
        cache = model(minimum=1_000)
        send(cache, prompt(*texts(12)), 0)
        assert len(cache) == 3


class TestRules:
    @pytest.mark.parametrize(
        ("provider", "name", "expected"),
        [
            ("openai", "gpt-4o-mini", (1_024, 128, 300)),
            ("openai", "o3", (1_024, 128, 300)),
            ("openai", "ft:gpt-4o-2024-11-20:team::id", (1_024, 128, 300)),
            ("openai", "gpt-5.4-nano", (1_024, 128, 24 * HOUR)),
            ("openai", "gpt-5.5-2026-04-23", (1_024, 128, 24 * HOUR)),
            ("azure", "gpt-5.4", (1_024, 128, 300)),
            ("azure", "eu/gpt-5.5", (1_024, 128, 24 * HOUR)),
            ("azure_ai", "gpt-4o", (1_024, 128, 300)),
            ("deepseek", "deepseek-chat", (64, 64, 2 * HOUR)),
            ("groq", "openai/gpt-oss-20b", (1_024, 1, 2 * HOUR)),
            ("xai", "grok-4.6", (128, 128, 300)),
            ("gemini", "gemini-2.5-pro", (2_048, 1, 300)),
            ("gemini", "gemini-4-argon", (4_096, 1, 300)),
            ("vertex_ai", "gemini-4-argon", (6_144, 1, 300)),
            ("mistral", "mistral-large-latest", (64, 64, 300)),
            ("moonshot", "kimi-k3", (0, 1, 300)),
            ("moonshot", "kimi-k2", (0, 1, 300)),
            ("minimax", "MiniMax-M3", (512, 1, 300)),
            ("dashscope", "qwen3-max", (1_024, 1, 300)),
            ("zai", "glm-4.6", (0, 1, 300)),
            ("fireworks_ai", "accounts/fireworks/models/kimi-k2p5", (0, 1, 300)),
            ("together_ai", "zai-org/GLM-4.6", (0, 1, 300)),
        ],
    )
    def test_of_each_provider(self, provider, name, expected):
        assert of(provider, name) == expected

    @pytest.mark.parametrize(
        ("provider", "name"),
        [
            ("openai", "gpt-5.6"),
            ("openai", "gpt-6-sol"),
            ("openai", "o3-pro-2025-06-10"),
            ("openai", "gpt-4"),
            ("openai", "gpt-3.5-turbo"),
            ("openai", "o1000"),
            ("azure", "our-deployment"),
            ("azure_ai", "gpt-5.6-sol"),
            ("azure_ai", "deepseek-v3"),
            ("groq", "llama-3.3-70b-versatile"),
            ("gemini", "gemini-2.0-flash"),
            ("vertex_ai", "claude-opus-5"),
            ("anthropic", "claude-opus-5"),
            ("bedrock", "amazon.nova-pro-v1:0"),
            ("openrouter", "deepseek/deepseek-chat"),
            ("cohere", "command-r"),
            ("", "unheard-of"),
            ("nobody", "gpt-4o"),
        ],
    )
    def test_what_is_not_known_is_not_guessed(self, provider, name):
        assert automatic_rules(provider, name) is None

    @pytest.mark.parametrize("provider", ["openai", "azure"])
    @pytest.mark.parametrize(("asked", "seconds"), [("in_memory", 300), ("24h", 24 * HOUR)])
    def test_a_request_can_choose_its_retention(self, provider, asked, seconds):
        assert of(provider, "gpt-5.1", retention=asked) == (1_024, 128, seconds)

    def test_litellm_sends_the_retention_of_extra_body(self):
        rules = automatic_rules("openai", "gpt-5.1")
        beside = {"extra_body": {"prompt_cache_retention": "in_memory"}}
        assert rules.chosen(beside).lives == 300
        assert rules.chosen(beside | {"prompt_cache_retention": "24h"}).lives == 300

    @pytest.mark.parametrize("asked", [None, "forever", 24, ["24h"]])
    def test_an_unknown_retention_is_the_default(self, asked):
        assert of("azure", "gpt-5.1", retention=asked) == (1_024, 128, 300)

    @pytest.mark.parametrize(("name", "seconds"), [("gpt-4o", 300), ("gpt-5.5", 24 * HOUR)])
    def test_a_model_with_one_retention_has_that(self, name, seconds):
        for asked in ("in_memory", "24h"):
            assert of("openai", name, retention=asked) == (1_024, 128, seconds)

    @pytest.mark.parametrize(
        ("request_", "cached"),
        [
            ({}, False),
            ({"prompt_cache_key": ""}, False),
            ({"prompt_cache_key": "k"}, True),
            ({"extra_body": {"prompt_cache_key": "k"}}, True),
            ({"extra_body": "k"}, False),
        ],
    )
    def test_mistral_caches_what_has_a_key(self, request_, cached):
        assert automatic_rules("mistral", "mistral-large-latest").caches(request_) == cached
        assert automatic_rules("deepseek", "deepseek-chat").caches(request_)

    @pytest.mark.parametrize("provider", ["openai", "deepseek", "groq", "zai", "mistral"])
    def test_what_is_assumed_is_said(self, provider):
        name = {"openai": "gpt-4o", "groq": "kimi-k2"}.get(provider, "any")
        assert automatic_rules(provider, name).approximate.endswith(".")


# The same content has the same size.
blocks = st.sampled_from([block("empty", 0), block("short", 7), block("middle", 130), block("long", 900)])
prompts = st.builds(
    lambda blocks, scope: prompt(*blocks, scope=scope, tail=3),
    st.lists(blocks, max_size=30),
    st.sampled_from("st"),
)
rules = st.builds(AutomaticRules, st.integers(0, 1_200), st.integers(1, 200), st.just(300.0))
requests = st.lists(st.tuples(prompts, st.floats(0, 400)), max_size=8)


@pytest.mark.property
@settings(deadline=None)
@given(rules, requests)
def test_every_token_is_counted_once(rules, requests):
    cache, now = AutomaticModel(rules), 0.0
    for request, gap in requests:
        now += gap
        outcome = send(cache, request, now)
        assert outcome.total == request.tokens
        assert min(outcome.read, outcome.uncached) >= 0
        assert outcome.write_5m == outcome.write_1h == 0


@pytest.mark.property
@settings(deadline=None)
@given(rules, requests)
def test_a_read_is_the_longest_prefix_that_was_sent_lately(rules, requests):
    cache, now, seen = AutomaticModel(rules), 0.0, {}
    for request, gap in requests:
        now += gap
        plan = cache.plan(request, now)
        again = cache.plan(request, now)
        assert (plan.outcome, *plan.reads, *plan.writes) == (again.outcome, *again.reads, *again.writes)
        digests, _, ends = request.prefix
        sizes = [
            end // rules.step * rules.step
            for end, digest in zip(ends, digests, strict=True)
            if digest in seen and now < seen[digest] + rules.lives
        ]
        assert plan.outcome.read == max((size for size in sizes if size >= rules.minimum), default=0)
        cache.commit(plan, now)
        seen.update(dict.fromkeys(digests, now))
