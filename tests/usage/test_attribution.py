"""Who caused what the cache did: that shares add up, and that each token goes to its breakpoint's owner."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy_cache import CacheUsage, Engine
from policy_cache.cache.named import Reader
from policy_cache.request.prompt import Prompt
from policy_cache.usage.account import account_of
from policy_cache.usage.attribution import CLIENT, LITELLM, PROVIDER, Owner, Segment, Share, attribute
from policy_cache.usage.segments import segments

A, B = Owner("policy", "a"), Owner("policy", "b")
counts = st.integers(0, 10**6)
usages = st.builds(CacheUsage, read=counts, write_5m=counts, write_1h=counts, uncached=counts)
parts = st.lists(
    st.builds(Segment, st.sampled_from([A, B, CLIENT, LITELLM, PROVIDER]), st.integers(0, 10**6)), max_size=8
)


def of(shares, owner):
    return next((share for share in shares if share.owner == owner), Share(owner))


@pytest.mark.property
@given(segments=parts, usage=usages, tail=counts)
def test_shares_add_up_to_the_usage_and_none_is_negative(segments, usage, tail):
    shares = attribute(segments, usage.outcome, tail=tail)
    assert sum(share.read for share in shares) == usage.read
    assert sum(share.write_5m for share in shares) == usage.write_5m
    assert sum(share.write_1h for share in shares) == usage.write_1h
    assert all(min(share[1:4]) >= 0 and sum(share[1:4]) > 0 for share in shares)
    assert len({share.owner for share in shares}) == len(shares)


@pytest.mark.property
@given(segments=parts, usage=usages, tail=counts, more=counts)
def test_reading_more_of_a_prompt_takes_a_read_from_nobody(segments, usage, tail, more):
    more = min(more, usage.uncached)
    larger = CacheUsage(
        read=usage.read + more,
        write_5m=usage.write_5m,
        write_1h=usage.write_1h,
        uncached=usage.uncached - more,
    )
    before, after = (
        attribute(segments, usage.outcome, tail=tail),
        attribute(segments, larger.outcome, tail=tail),
    )
    assert all(of(after, share.owner).read >= share.read for share in before)


@pytest.mark.property
@given(segments=parts, usage=usages, tail=counts, unit=st.integers(1, 1_000))
def test_only_the_ratios_of_sizes_count(segments, usage, tail, unit):
    scaled = [Segment(owner, size * unit) for owner, size in segments]
    assert attribute(scaled, usage.outcome, tail=tail * unit) == attribute(segments, usage.outcome, tail=tail)


@pytest.mark.parametrize(
    ("segments", "tail", "usage", "expected"),
    [
        # 100 tokens a segment.
        ([(A, 1), (B, 1)], 1, CacheUsage(read=150, uncached=150), [Share(A, 100), Share(B, 50)]),
        (
            [(A, 1), (B, 1)],
            1,
            CacheUsage(read=100, write_5m=100, uncached=100),
            [Share(A, 100), Share(B, 0, 100)],
        ),
        # Hours are billed before minutes.
        (
            [(A, 1), (B, 1)],
            0,
            CacheUsage(write_5m=100, write_1h=100),
            [Share(A, 0, 0, 100), Share(B, 0, 100)],
        ),
        # Owners that take turns have one share.
        ([(A, 1), (CLIENT, 1), (A, 1)], 0, CacheUsage(read=300), [Share(A, 200), Share(CLIENT, 100)]),
        # Sizes are estimates: what reaches past the last breakpoint is its own.
        ([(A, 1), (B, 1)], 8, CacheUsage(read=90, uncached=10), [Share(A, 10), Share(B, 80)]),
        # Sizes that say nothing.
        ([(A, 0), (B, 0)], 0, CacheUsage(read=7), [Share(B, 7)]),
        ([], 0, CacheUsage(read=7, write_5m=1), [Share(PROVIDER, 7, 1)]),
        ([(A, 1)], 1, CacheUsage(uncached=7), []),
    ],
)
def test_segments_fill_from_the_front(segments, tail, usage, expected):
    found = attribute([Segment(*segment) for segment in segments], usage.outcome, tail=tail)
    assert list(found) == expected


# Segments of planned requests

MARK = {"type": "ephemeral"}
CLAUDE = "anthropic/claude-sonnet-4-5"


def words(number):
    """A text of 5,000 tokens or so for each."""
    return "word " * 3_500 * number


def request(model=CLAUDE, **more):
    """Tools of one part, a system prompt of two and a question of one."""
    function = {"name": "f", "description": words(1), "parameters": {"type": "object", "properties": {}}}
    return {
        "model": model,
        "messages": [
            {"role": "system", "content": words(2)},
            {"role": "user", "content": words(1)},
        ],
        "tools": [{"type": "function", "function": function}],
        **more,
    }


def rule(name, target, action="add_cache_control: {}"):
    return f"  - {{name: {name}, targets: [{target}], action: {{{action}}}}}\n"


def engine(*rules, head=""):
    return Engine.from_text("version: 1\nname: p\n" + head + "rules:\n" + "".join(rules))


def divided(plan):
    """The segments in parts of the prompt, and what is left."""
    found, tail = segments(plan)
    return [(str(owner), round(size / 5_000)) for owner, size in found], round(tail / 5_000)


def test_each_rule_has_what_ends_at_its_breakpoint():
    plan = engine(rule("tools", "tools"), rule("prompt", "system")).plan(request())
    assert divided(plan) == ([("tools", 1), ("prompt", 2)], 1)


def test_the_clients_marker_is_the_clients():
    given = request()
    given["tools"][0]["cache_control"] = MARK
    plan = engine(rule("prompt", "system"), rule("tools", "tools")).plan(given)
    assert divided(plan) == ([("(client)", 1), ("prompt", 2)], 1)


def test_a_marker_that_the_policy_takes_away_or_replaces_is_not_the_clients():
    given = request()
    given["tools"][0]["cache_control"] = MARK
    clear = "  - {name: clear, action: {remove_cache_control: {}}}\n"
    removed = engine(clear, rule("prompt", "system"), rule("talk", "messages.last")).plan(given)
    assert divided(removed) == ([("prompt", 3), ("talk", 1)], 0)
    again = engine(rule("tools", "tools"), rule("talk", "messages.last"), head="client_markers: replace\n")
    assert divided(again.plan(given)) == ([("tools", 1), ("talk", 3)], 0)


def test_a_client_that_marks_the_request_has_the_rest():
    plan = engine(rule("prompt", "system")).plan(request(cache_control=MARK))
    assert divided(plan) == ([("prompt", 3), ("(client)", 1)], 0)


def test_of_a_split_text_the_first_half_is_marked():
    given = request()
    given["messages"][0]["content"] = words(1) + "NOW " + words(1)
    split = '  - {name: cut, targets: [system], action: {split_text: {at: "NOW "}}}\n'
    plan = engine(split, rule("prompt", "system"), rule("talk", "messages.last")).plan(given)
    assert divided(plan) == ([("prompt", 2), ("talk", 2)], 0)


def test_one_owner_needs_no_sizes():
    plan = engine(rule("all", "tools, system")).plan(request())
    assert segments(plan) == ([Segment(Owner("policy", "all"), 1)], 0)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"cache_control_injection_points": [{"location": "message", "role": "system"}]}, "(litellm)"),
        ({"enable_prompt_caching": True, "messages": [{"role": "user", "content": "q"}]}, "(litellm)"),
    ],
)
def test_litellms_own_markers_are_litellms(more, expected):
    plan = engine(rule("prompt", "system")).plan(request(**more))
    assert [str(owner) for owner, _ in segments(plan)[0]] == [expected]


def test_litellm_adds_nothing_automatically_where_the_policy_marks():
    plan = engine(rule("prompt", "system")).plan(request(enable_prompt_caching=True))
    assert [str(owner) for owner, _ in segments(plan)[0]] == ["prompt"]


@pytest.mark.parametrize(
    ("policy", "model"),
    [
        ((rule("prompt", "system"),), "deepseek/deepseek-chat"),
        ((rule("prompt", "messages.previous_turn"),), CLAUDE),
    ],
)
def test_without_a_breakpoint_all_is_the_providers(policy, model):
    plan = engine(*policy).plan(request(model))
    assert attribute(*segments(plan)[:1], CacheUsage(read=9).outcome) == (Share(PROVIDER, 9),)


def test_in_observe_mode_nothing_is_the_policys():
    plan = engine(rule("prompt", "system"), head="mode: observe\n").plan(request())
    assert segments(plan) == ([], 0)


def test_openai_caches_what_nobody_marked():
    plan = engine(rule("prompt", "system")).plan(request("openai/gpt-5.6"))
    assert divided(plan) == ([("prompt", 3), ("(provider)", 1)], 0)


def test_a_request_that_was_sent_without_markers_owes_the_policy_nothing():
    plan = engine(rule("prompt", "system")).plan(request())
    unmarked = plan.without([*plan.marks.values()])
    found = account_of(unmarked, CacheUsage(read=9, uncached=1), "cold")
    assert (found.rules, found.shares[0].owner) == ((), PROVIDER)


@pytest.mark.property
@given(read=st.integers(0, 20_000), write_5m=st.integers(0, 10_000), write_1h=st.integers(0, 10_000))
def test_what_the_shares_saved_is_what_the_request_saved(read, write_5m, write_1h):
    plan = engine(rule("tools", "tools"), rule("prompt", "system")).plan(request())
    usage = CacheUsage(read=read, write_5m=write_5m, write_1h=write_1h, uncached=500)
    found = account_of(plan, usage, "warm")
    assert sum(share.saved for share in found.shares) == found.saved


def test_an_account_as_a_line():
    plan = engine(rule("tools", "tools"), rule("prompt", "system")).plan(request())
    found = account_of(plan, CacheUsage(read=5_000, write_5m=10_000, uncached=5_000), "warm")
    # A tool's names and schema count some characters, beside texts of 70,000.
    ends = Reader().plain(Prompt(plan.request, plan.route.shape), plan.route).prefix.ends
    assert ends[0] * 20_000 // (ends[-1] + 3) == 5_010
    assert found.line() == {
        "name": "p",
        "revision": plan.policy.revision,
        "route": "anthropic",
        "rules": ["tools", "prompt"],
        "shares": [
            {"source": "policy", "rule": "tools", "read": 5_000, "write_5m": 10},
            {"source": "policy", "rule": "prompt", "write_5m": 9_990},
        ],
        "placed": [
            {"at": ["tools", 0], "ttl": "5m", "by": "tools"},
            {"at": ["messages", 0, "content"], "ttl": "5m", "by": "prompt"},
        ],
    }
