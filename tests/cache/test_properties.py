"""What holds for every prompt."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy_cache.cache.explicit import CacheModel
from policy_cache.cache.prompt import LEVELS, CachedBlock, CachedPrompt

from .prompts import explicit_rules, send

pytestmark = pytest.mark.property

ttls = st.sampled_from([None, None, "5m", "1h"])
# As they are read: what is hashed tells where a block belongs, and what it is.
blocks = st.builds(
    lambda level, kind, content, tokens: CachedBlock(
        level, kind, f"{level} {kind} {content}".encode(), tokens
    ),
    st.sampled_from(LEVELS),
    st.sampled_from(["text", "tool_use", "tool_result"]),
    st.sampled_from("abc"),
    st.integers(0, 50),
)


@st.composite
def prompts(draw):
    drawn = draw(st.lists(blocks, max_size=40))
    marked = draw(st.lists(ttls, min_size=len(drawn), max_size=len(drawn)))
    return CachedPrompt(
        model=draw(st.sampled_from(["m", "n"])),
        scope=draw(st.sampled_from(["s", "t"])),
        blocks=tuple(sorted(drawn, key=lambda block: LEVELS.index(block.level))),
        tail=draw(st.integers(0, 3)),
        breakpoints={index: ttl for index, ttl in enumerate(marked) if ttl is not None},
    )


caches = st.builds(lambda size: CacheModel(explicit_rules(size)), st.integers(0, 200))
gaps = st.floats(0, 4000)


def unmarked(prompt):
    return replace(prompt, breakpoints={})


@settings(deadline=None)
@given(caches, st.lists(st.tuples(prompts(), gaps), max_size=8))
def test_every_token_is_counted_once(cache, sent):
    now = 0.0
    for prompt, gap in sent:
        now += gap
        outcome = send(cache, prompt, now)
        assert outcome.total == prompt.tokens
        assert min(outcome.read, outcome.write_5m, outcome.write_1h, outcome.uncached) >= 0


@settings(deadline=None)
@given(caches, prompts(), st.floats(0, 299))
def test_the_same_request_again_writes_nothing(cache, prompt, gap):
    first = send(cache, prompt, 0)
    again = send(cache, prompt, gap)
    assert again.read == first.read + first.write_5m + first.write_1h
    assert again.write_5m == again.write_1h == 0


@settings(deadline=None)
@given(prompts())
def test_markers_are_not_hashed(prompt):
    assert prompt.prefix.digests == unmarked(prompt).prefix.digests


@settings(deadline=None)
@given(prompts(), prompts())
def test_what_another_prompt_knows_changes_no_prefix(prompt, other):
    other = replace(other, model=prompt.model, scope=prompt.scope)
    fresh = replace(prompt).prefix
    prompt.begin_as(other)
    assert prompt.prefix == fresh


@settings(deadline=None)
@given(caches, prompts(), prompts())
def test_without_breakpoints_nothing_is_read_or_written(cache, writer, prompt):
    send(cache, writer, 0)
    outcome = send(cache, unmarked(prompt), 1)
    assert outcome.uncached == prompt.tokens


@settings(deadline=None)
@given(caches, prompts(), prompts(), st.integers(0, 39))
def test_one_more_breakpoint_never_reads_less(cache, writer, prompt, index):
    send(cache, writer, 0)
    before = cache.plan(prompt, 1).outcome
    if index < len(prompt.blocks) and index not in prompt.breakpoints:
        after = cache.plan(prompt.mark({index: "5m"}), 1).outcome
        assert after.read >= before.read
        assert after.uncached <= before.uncached


@settings(deadline=None)
@given(caches, prompts(), prompts(), st.floats(0, 4000))
def test_planning_changes_nothing(cache, writer, prompt, now):
    send(cache, writer, 0)
    assert cache.plan(prompt, now) == cache.plan(prompt, now)


@settings(deadline=None)
@given(caches, prompts(), prompts())
def test_a_read_is_of_a_prefix_that_was_written(cache, writer, prompt):
    written = send(cache, writer, 0)
    outcome = cache.plan(prompt, 1).outcome
    if outcome.read:
        assert (writer.model, writer.scope) == (prompt.model, prompt.scope)
        assert written.write_5m + written.write_1h > 0
