"""OpenAI's caching rules from GPT-5.6 on, one by one, on exact numbers."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy_cache.cache.explicit import CacheOutcome
from policy_cache.cache.openai import OpenAIModel, OpenAIPrompt, openai_prompt
from policy_cache.cache.reader import PromptReader
from policy_cache.providers.cache_rules import BreakpointRules
from policy_cache.providers.catalog import packaged_catalog
from policy_cache.providers.resolve import resolve
from policy_cache.request.blocks import BlockRules
from policy_cache.request.prompt import Prompt

from .prompts import block, prompt, send

RULES = BreakpointRules(minimum=1_024, lookback=50, messages=20, writes=4, lives=1_800.0)


def blocks(count, *, marked=(), start=0):
    """Blocks of 2,000 tokens, each above the minimum by itself."""
    return [block(f"text {n}", 2_000, "5m" if n in marked else None) for n in range(start, start + count)]


def sent(count, *, marked=(), implicit=()):
    turns = blocks(count, marked=marked)
    return prompt(*turns, model="gpt-5.6", kind=OpenAIPrompt, implicit=tuple(implicit))


def writes(prompt):
    return [write.block for write in OpenAIModel(RULES).plan(prompt, 0).writes]


def read_request(request, shape="chat"):
    read = PromptReader(shape, BlockRules()).read(request, model="gpt-5.6")
    return openai_prompt(read, Prompt(request, shape))


@pytest.mark.parametrize(
    ("provider", "model"), [("openai", "gpt-5.6"), ("openai", "gpt-6-sol"), ("azure", "eu/gpt-5.6-sol")]
)
def test_the_catalog_has_these_rules(provider, model):
    route = resolve(packaged_catalog(), model=model, provider=provider, api_base=None, shape="chat")
    assert replace(route.cache, approximate=None) == RULES
    assert "30 minutes at least" in route.cache.approximate


class TestWhatIsWritten:
    def test_the_end_of_the_latest_eligible_message_without_any_marker(self):
        cache = OpenAIModel(RULES)
        assert send(cache, sent(4, implicit=[0, 2]), 0) == CacheOutcome(write_5m=6_000, uncached=2_000)

    def test_a_marked_block(self):
        assert send(OpenAIModel(RULES), sent(3, marked=[1]), 0) == CacheOutcome(
            write_5m=4_000, uncached=2_000
        )

    def test_the_implicit_breakpoint_and_the_latest_three_markers(self):
        assert writes(sent(8, marked=[0, 1, 2, 3, 4], implicit=[7])) == [2, 3, 4, 7]

    def test_the_latest_four_markers_in_explicit_mode(self):
        assert writes(sent(8, marked=[0, 1, 2, 3, 4])) == [1, 2, 3, 4]

    def test_nothing_in_explicit_mode_without_a_marker(self):
        cache = OpenAIModel(RULES)
        send(cache, sent(3, implicit=[2]), 0)
        assert send(cache, sent(3), 1) == CacheOutcome(uncached=6_000)

    @pytest.mark.parametrize(("size", "written"), [(1_023, 0), (1_024, 1_024), (1_025, 1_025)])
    def test_from_1024_tokens_on_and_not_rounded(self, size, written):
        outcome = send(OpenAIModel(RULES), prompt(block("a", size, "5m")), 0)
        assert outcome == CacheOutcome(write_5m=written, uncached=size - written)

    def test_what_was_read_is_not_written_again(self):
        cache = OpenAIModel(RULES)
        send(cache, sent(2, implicit=[1]), 0)
        assert send(cache, sent(4, implicit=[1, 3]), 1) == CacheOutcome(read=4_000, write_5m=4_000)

    def test_the_tail_is_never_cached(self):
        assert send(OpenAIModel(RULES), replace(sent(1, marked=[0]), tail=3), 0).uncached == 3


class TestWhatIsRead:
    def test_an_entry_at_a_breakpoint_alone(self):
        """A shorter prefix that no breakpoint of this request ends is not fallen back to."""
        cache = OpenAIModel(RULES)
        send(cache, sent(2, marked=[1]), 0)
        assert cache.plan(sent(4, marked=[3]), 1).outcome.read == 0
        assert cache.plan(sent(4, marked=[1, 3]), 1).outcome.read == 4_000

    def test_markers_beyond_the_four_that_are_written(self):
        cache = OpenAIModel(RULES)
        send(cache, sent(1, marked=[0]), 0)
        assert cache.plan(sent(6, marked=range(6)), 1).outcome.read == 2_000

    @pytest.mark.parametrize(("markers", "read"), [(50, 2_000), (51, 0)])
    def test_the_latest_fifty_markers(self, markers, read):
        cache = OpenAIModel(RULES)
        send(cache, sent(1, marked=[0]), 0)
        assert cache.plan(sent(markers, marked=range(markers)), 1).outcome.read == read

    def test_however_many_blocks_lie_between(self):
        cache = OpenAIModel(RULES)
        send(cache, sent(1, marked=[0]), 0)
        assert cache.plan(sent(500, marked=[0, 499]), 1).outcome.read == 2_000

    @pytest.mark.parametrize(("later", "read"), [(20, 2_000), (21, 0)])
    def test_where_the_implicit_breakpoint_was_twenty_messages_before(self, later, read):
        cache = OpenAIModel(RULES)
        send(cache, sent(1, implicit=[0]), 0)
        assert cache.plan(sent(1 + later, implicit=range(1 + later)), 1).outcome.read == read

    def test_the_leading_system_messages_however_long_ago(self):
        system = [block("system", 2_000, level="system")]
        turns = blocks(40)
        cache = OpenAIModel(RULES)
        send(cache, prompt(*system, kind=OpenAIPrompt, implicit=(0,)), 0)
        long = prompt(*system, *turns, kind=OpenAIPrompt, implicit=tuple(range(41)))
        assert cache.plan(long, 1).outcome.read == 2_000

    def test_the_longest_of_several(self):
        cache = OpenAIModel(RULES)
        send(cache, sent(3, marked=[0, 1, 2]), 0)
        plan = cache.plan(sent(3, marked=[0, 1, 2]), 1)
        assert plan.outcome == CacheOutcome(read=6_000)
        assert plan.hit == 2


class TestLifetime:
    @pytest.mark.parametrize(("after", "read"), [(1_799, 2_000), (1_800, 0)])
    def test_half_an_hour_after_it_was_written(self, after, read):
        cache = OpenAIModel(RULES)
        send(cache, sent(1, marked=[0]), 0, available=60)
        assert cache.plan(sent(1, marked=[0]), after).outcome.read == read

    def test_half_an_hour_after_it_was_read_for_nothing(self):
        cache = OpenAIModel(RULES)
        outcomes = [send(cache, sent(1, marked=[0]), now) for now in (0, 1_799, 3_598, 5_398)]
        assert [outcome.read for outcome in outcomes] == [0, 2_000, 2_000, 0]
        assert [outcome.write_5m for outcome in outcomes] == [2_000, 0, 0, 2_000]

    def test_each_breakpoint_that_is_written_prolongs_its_own_entry(self):
        cache = OpenAIModel(RULES)
        for now in (0, 1_700):
            send(cache, sent(2, marked=[0, 1]), now)
        assert cache.plan(sent(1, marked=[0]), 3_400).outcome.read == 2_000

    def test_it_is_readable_once_the_reply_begins(self):
        cache = OpenAIModel(RULES)
        send(cache, sent(1, marked=[0]), 0, available=5)
        assert cache.plan(sent(1, marked=[0]), 4).outcome.read == 0
        assert cache.plan(sent(1, marked=[0]), 5).outcome.read == 2_000

    def test_refreshing_writes_nothing(self):
        cache = OpenAIModel(RULES)
        cache.refresh(cache.plan(sent(1, marked=[0]), 0))
        assert len(cache) == 0

    def test_what_has_expired_is_forgotten(self):
        cache = OpenAIModel(RULES)
        for now in range(5_000):
            send(cache, prompt(block(f"{now}", 2_000, "5m")), now * 10)
        assert len(cache) <= 1_025


USER = {"role": "user", "content": "question"}
ASSISTANT = {"role": "assistant", "content": "answer"}
CALL = {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}}]}
RESULT = {"role": "tool", "tool_call_id": "1", "content": "found"}
SYSTEM = {"role": "system", "content": "rules"}
DEVELOPER = {"role": "developer", "content": "more rules"}


class TestWhereTheImplicitBreakpointStands:
    @pytest.mark.parametrize(
        ("messages", "ends"),
        [
            ([USER], [0]),
            ([USER, ASSISTANT], [0]),
            ([USER, ASSISTANT, USER], [0, 2]),
            ([USER, CALL, RESULT, RESULT], [0, 3]),
            ([USER, CALL, RESULT, CALL, RESULT, USER], [0, 2, 4, 5]),
            ([SYSTEM], [0]),
            ([SYSTEM, DEVELOPER, USER], [1, 2]),
            ([USER, DEVELOPER, ASSISTANT], [0]),
            ([], []),
        ],
    )
    def test_after_user_messages_runs_of_tool_results_and_the_leading_system_messages(self, messages, ends):
        assert read_request({"messages": messages}).implicit == tuple(ends)

    def test_after_the_last_block_of_a_message(self):
        parts = [{"type": "text", "text": text} for text in ("a", "b", "c")]
        tool = {"type": "function", "function": {"name": "f"}}
        request = {"tools": [tool], "messages": [{"role": "user", "content": parts}]}
        assert read_request(request).implicit == (3,)

    @pytest.mark.parametrize("beside", [False, True])
    @pytest.mark.parametrize(("mode", "ends"), [("explicit", ()), ("implicit", (0,)), (None, (0,))])
    def test_nowhere_in_explicit_mode(self, beside, mode, ends):
        options = {"prompt_cache_options": {"mode": mode}}
        asked = {"extra_body": options} if beside else options
        assert read_request({"messages": [USER], **asked}).implicit == ends

    def test_in_the_responses_api_the_items_tell_whose_turn_it_is(self):
        call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
        output = {"type": "function_call_output", "call_id": "c", "output": "found"}
        items = [{"role": "developer", "content": "d"}, USER, call, call, output, output, ASSISTANT]
        assert read_request({"input": items}, "responses").implicit == (0, 1, 5)

    def test_a_text_as_input_is_the_only_message(self):
        assert read_request({"instructions": "i", "input": "hi"}, "responses").implicit == (1,)

    def test_the_prompt_is_otherwise_the_same(self):
        request = {"messages": [USER, ASSISTANT]}
        read = PromptReader("chat", BlockRules()).read(request, model="gpt-5.6", scope="team").mark({0: "5m"})
        placed = openai_prompt(read, Prompt(request, "chat"))
        assert (placed.blocks, placed.prefix, placed.tokens) == (read.blocks, read.prefix, read.tokens)
        assert placed.mark({1: "5m"}).implicit == placed.implicit


@st.composite
def prompts(draw):
    # The same content has the same size.
    marked = st.tuples(st.sampled_from([0, 7, 130, 900]), st.sampled_from([None, None, "5m"]))
    drawn = [block(f"{size}", size, ttl) for size, ttl in draw(st.lists(marked, max_size=30))]
    implicit = sorted(draw(st.sets(st.integers(0, max(0, len(drawn) - 1))))) if drawn else []
    scope = draw(st.sampled_from("st"))
    return prompt(*drawn, scope=scope, kind=OpenAIPrompt, tail=3, implicit=tuple(implicit))


requests = st.lists(st.tuples(prompts(), st.floats(0, 2_500)), max_size=8)


@pytest.mark.property
@settings(deadline=None)
@given(requests)
def test_every_token_is_counted_once(requests):
    cache, now = OpenAIModel(RULES), 0.0
    for request, gap in requests:
        now += gap
        outcome = send(cache, request, now)
        assert outcome.total == request.tokens
        assert min(outcome.read, outcome.write_5m, outcome.uncached) >= 0
        assert outcome.write_1h == 0


@pytest.mark.property
@settings(deadline=None)
@given(requests)
def test_a_read_is_a_prefix_that_was_sent_before(requests):
    cache, now, seen = OpenAIModel(RULES), 0.0, set()
    for request, gap in requests:
        now += gap
        plan = cache.plan(request, now)
        assert plan == cache.plan(request, now)
        assert {read.digest for read in plan.reads} <= seen
        assert plan.outcome.read in {0, *request.prefix.ends}
        assert len(plan.writes) <= 4
        seen.update(request.prefix.digests)
        cache.commit(plan, now)


@pytest.mark.property
@settings(deadline=None)
@given(prompts(), st.floats(0, 1_799))
def test_the_same_request_again_writes_nothing(prompt, gap):
    cache = OpenAIModel(RULES)
    first = send(cache, prompt, 0)
    assert send(cache, prompt, gap) == replace(first, read=first.write_5m, write_5m=0)
