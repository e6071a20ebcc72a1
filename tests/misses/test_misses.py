"""Why requests miss the cache: every cause on a small conversation, and what holds for all of them."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy_cache import Engine
from policy_cache.misses.ledger import Misses
from policy_cache.report.misses import TITLES, line
from policy_cache.text.styled import plain
from policy_cache.trace.reader import Trace
from policy_cache.trace.record import TraceRecord
from policy_cache.usage.usage import CacheUsage

# No output may hold it: every text of every prompt here does.
SECRET = "xyzzy"
MODEL = "anthropic/claude-sonnet-4-5"
POLICY = """\
version: 1
name: all
rules:
  - name: all
    targets: [tools, system, messages.previous_turn, messages.last]
    action:
      add_cache_control: {}
"""
ENGINE = Engine.from_text(POLICY)


def text(size=400, name=""):
    """A text of so many tokens, more or less."""
    return f"{SECRET}{name} " + "word " * (size - 2)


def turns(number, size=400):
    roles = ("user", "assistant")
    return [{"role": roles[n % 2], "content": text(size, n)} for n in range(number)]


def tool(name, size=400):
    schema = {"type": "object", "properties": {SECRET: {"type": "string"}}}
    return {"name": name, "description": text(size, name), "input_schema": schema}


def request(number=3, *, system=None, model=MODEL, **more):
    return {
        "model": model,
        "max_tokens": 9,
        "system": text(1200, "system") if system is None else system,
        "messages": turns(number),
        **more,
    }


def record(request, at, number, *, usage=None, waited=1.0, session="s"):
    return TraceRecord(f"t:{number}", at, request, usage, waited, "", session)


def look(*requests, engine=ENGINE, gap=10.0, **more):
    """What is found in requests of one session, one every so often."""
    misses = Misses(engine)
    for number, sent in enumerate(requests, 1):
        misses.add(record(sent, gap * number, number, **more))
    return misses


def lines(misses):
    found = sorted(misses.kept, key=lambda miss: miss.where)
    return [plain(line(miss)).rstrip("\n") for miss in found]


def told(*requests, **more):
    """The only miss of the last request."""
    (said,) = lines(look(*requests, **more))
    assert SECRET not in said
    return said.removeprefix(f"t:{len(requests)}: ")


def mark(sent, *places, ttl=None):
    """A request with the client's own markers on these messages, or on its system prompt."""
    marker = {"cache_control": {"type": "ephemeral", **({"ttl": ttl} if ttl else {})}}
    messages = list(sent["messages"])
    for place in places:
        if place != "system":
            content = [{"type": "text", "text": messages[place]["content"], **marker}]
            messages[place] = {**messages[place], "content": content}
    system = [{"type": "text", "text": sent["system"], **marker}] if "system" in places else sent["system"]
    return {**sent, "system": system, "messages": messages}


def test_a_conversation_that_grows_misses_nothing():
    misses = look(*(request(number) for number in (1, 3, 5, 7)))
    assert (misses.requests, misses.sessions, misses.missed, misses.causes) == (4, 1, 0, {})
    assert misses.kept == ()


def test_a_first_request_is_not_looked_at():
    assert look(request(3)).kept == ()


def test_the_model_was_switched():
    assert told(request(3), request(5, model="anthropic/claude-opus-4-1")) == (
        "miss[model_switched]: $['model'] changed from anthropic/claude-sonnet-4-5 to "
        "anthropic/claude-opus-4-1 (3,440 tokens, $0.0593, session s)"
    )


def test_it_came_back_to_a_model_that_knows_the_conversation():
    misses = look(request(3), request(3, model="anthropic/claude-opus-4-1"), request(3))
    assert [miss.where for miss in misses.kept] == ["t:2"]


class TestTools:
    A, B, C = tool("a"), tool("b"), tool("c")

    def test_their_order_changed(self):
        assert told(request(tools=[self.A, self.B]), request(tools=[self.B, self.A])) == (
            "miss[tool_order]: first differing block $['tools'][0] is another tool; the tools are the same "
            "in another order (4,618 tokens, $0.0159, session s)"
        )

    def test_one_was_added(self):
        assert told(request(tools=[self.A, self.B]), request(tools=[self.A, self.C, self.B])) == (
            "miss[tool_added]: first differing block $['tools'][1] was added (4,618 tokens, $0.0159, "
            "session s)"
        )

    def test_one_was_added_at_the_end(self):
        assert told(request(tools=[self.A]), request(tools=[self.A, self.B])) == (
            "miss[tool_added]: first differing block $['tools'][1] was added (4,029 tokens, $0.0139, "
            "session s)"
        )

    def test_one_was_removed(self):
        assert told(request(tools=[self.A, self.B]), request(tools=[self.A])) == (
            "miss[tool_removed]: first differing block $['tools'][1] of the request before was removed "
            "(4,029 tokens, $0.0139, session s)"
        )

    def test_one_changed(self):
        changed = {**self.B, "description": self.B["description"] + "15:30"}
        before = {**self.B, "description": self.B["description"] + "15:29"}
        assert told(request(tools=[self.A, before]), request(tools=[self.A, changed])) == (
            "miss[tool_changed]: first differing block $['tools'][1]['description'] changed at character "
            "2,001: looks like a clock (4,619 tokens, $0.0159, session s)"
        )

    def test_the_keys_of_its_schema_changed_their_order(self):
        properties = {"type": "object", "properties": {"b": {}, "a": {}}}
        one = {**self.A, "input_schema": properties}
        other = {**self.A, "input_schema": {"type": "object", "properties": {"a": {}, "b": {}}}}
        assert told(request(tools=[one]), request(tools=[other])) == (
            "miss[tool_changed]: first differing block $['tools'][0]['input_schema']['properties'] changed "
            "in the order of its JSON keys (4,025 tokens, $0.0139, session s)"
        )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"tool_choice": {"type": "any"}},
            "miss[tool_choice]: $['tool_choice'] changed (1,722 tokens, $0.0059, session s)",
        ),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 2000}},
            "miss[thinking]: $['thinking'] changed (1,722 tokens, $0.0059, session s)",
        ),
        (
            {"output_config": {"effort": "low"}},
            "miss[effort]: $['output_config']['effort'] changed (1,722 tokens, $0.0059, session s)",
        ),
        ({"speed": "fast"}, "miss[speed]: $['speed'] changed (3,440 tokens, $0.0119, session s)"),
    ],
)
def test_a_parameter_changed(change, said):
    assert told(request(), request(**change)) == said


def test_an_effort_of_a_chat_request_changed():
    chat = {"model": MODEL, "messages": [{"role": "system", "content": text(1200)}, *turns(1)]}
    low, high = ({**chat, "reasoning_effort": effort} for effort in ("low", "high"))
    assert told(low, chat).startswith("miss[thinking]: $['reasoning_effort'] changed ")
    assert told(low, high) == ("miss[effort]: $['reasoning_effort'] changed (574 tokens, $0.0020, session s)")


def test_images_came():
    image = {"type": "image", "source": {"type": "url", "url": f"https://{SECRET}.example/a.png"}}
    grown = request(5)
    grown["messages"][4] = {"role": "user", "content": [image]}
    assert told(request(3), grown) == ("miss[images]: images came (1,722 tokens, $0.0059, session s)")


def test_citations_came():
    source = {"type": "text", "media_type": "text/plain", "data": text()}
    document = {"type": "document", "source": source, "citations": {"enabled": True}}
    grown = request(5)
    grown["messages"][4] = {"role": "user", "content": [document]}
    assert told(request(3), grown) == ("miss[citations]: citations came (3,440 tokens, $0.0119, session s)")


def test_the_system_prompt_changed():
    said = told(
        *(request(system=f"{text(1200)} Now: {clock}") for clock in ("2026-11-25 09:41", "2026-11-25 09:52"))
    )
    assert said == (
        "miss[system_changed]: first differing block $['system'] changed at character 6,017: looks like a "
        "clock (3,445 tokens, $0.0119, session s)"
    )


def test_a_message_changed():
    changed = request(5)
    changed["messages"][0] = {"role": "user", "content": changed["messages"][0]["content"] + "more"}
    assert told(request(3), changed) == (
        "miss[message_changed]: first differing block $['messages'][0]['content'] goes on at character "
        "1,998, where it ended before (1,722 tokens, $0.0059, session s)"
    )


def test_the_conversation_was_cut_back():
    summary = [{"role": "user", "content": text(100, "summary")}]
    cut = {**request(), "messages": [*summary, *turns(5)[3:]]}
    assert told(request(5), cut) == (
        "miss[conversation_cut]: $['messages'][0]['content'] is where the conversation was cut back (1,295 "
        "tokens, $0.0045, session s)"
    )


def test_the_conversation_went_back_to_an_earlier_turn():
    asked = request(5)
    again = {**asked, "messages": asked["messages"][:2]}
    assert told(mark(asked, "system", 4), mark(again, "system", 1), engine=None) == (
        "miss[conversation_cut]: $['messages'][1]['content'][0] is where the conversation was cut back "
        "(1,148 tokens, $0.0040, session s)"
    )


def test_a_tool_result_was_cleared():
    def conversation(result, *more):
        call = {"type": "tool_use", "id": "a", "name": "a", "input": {}}
        answer = {"type": "tool_result", "tool_use_id": "a", "content": result}
        called = [{"role": "assistant", "content": [call]}, {"role": "user", "content": [answer]}]
        return {**request(), "messages": [*turns(1), *called, *more]}

    more = [{"role": "assistant", "content": text(20)}, {"role": "user", "content": text(20)}]
    assert told(conversation(text(900)), conversation("[cleared]", *more)) == (
        "miss[conversation_cut]: $['messages'][2]['content'][0] is where the conversation was cut back (85 "
        "tokens, $0.0003, session s)"
    )


def test_below_the_minimum():
    short = [request(number, system="") for number in (1, 3)]
    assert told(*short) == (
        "miss[below_minimum]: $['messages'][0]['content']: the 577 tokens up to here are below the model's "
        "minimum of 1,024 (577 tokens, $0.0020, session s)"
    )


def test_a_breakpoint_stood_below_the_minimum():
    sent = [mark(request(number, system=text(500)), "system") for number in (3, 5)]
    assert told(*sent, engine=None) == (
        "miss[below_minimum]: $['messages'][2]['content']: the request before had its last breakpoint up "
        "to here at 717 tokens, below the model's minimum of 1,024 (2,439 tokens, $0.0066, session s)"
    )


def test_the_request_before_left_no_entry():
    assert told(*(mark(request(number), "system") for number in (3, 5)), engine=None) == (
        "miss[no_breakpoint]: $['messages'][2]['content']: the request before had no breakpoint between "
        "what was read and here (1,722 tokens, $0.0046, session s)"
    )


def test_nothing_was_marked():
    assert told(request(3), request(5), engine=None) == (
        "miss[no_breakpoint]: $['messages'][2]['content']: the request before had no breakpoint up to here "
        "(3,440 tokens, $0.0093, session s)"
    )


def test_the_request_has_no_breakpoint_behind_the_entry():
    assert told(mark(request(3), "system", 2), mark(request(5), "system"), engine=None) == (
        "miss[no_breakpoint]: $['messages'][2]['content']: this request has none at or behind the entry "
        "that ends here (1,722 tokens, $0.0046, session s)"
    )


@pytest.mark.parametrize(
    ("ttl", "gap", "said"),
    [
        (
            None,
            312,
            "5m entry that ends here had expired 12 s before; 1h would have kept it ($0.0119, session s)",
        ),
        (None, 4000, "5m entry that ends here had expired 3,700 s before ($0.0119, session s)"),
        ("1h", 4000, "1h entry that ends here had expired 400 s before ($0.0196, session s)"),
    ],
)
def test_it_expired(ttl, gap, said):
    sent = (mark(request(number), -1, ttl=ttl) for number in (3, 5))
    expected = f"miss[expired]: $['messages'][2]['content']: the {said}".replace("($", "(3,440 tokens, $")
    assert told(*sent, engine=None, gap=gap) == expected


def test_the_lookback_was_exceeded():
    far = request(25)
    assert told(mark(request(1), 0), mark(far, -1), engine=None) == (
        "miss[lookback]: $['messages'][0]['content']: the entry that ends here is 24 positions before the "
        "next breakpoint, which looks back 19 (2,292 tokens, $0.0079, session s)"
    )


def test_a_read_does_not_prolong_every_entry():
    model = "openrouter/google/gemini-2.5-pro"
    content = [{"type": "text", "text": text(3_000), "cache_control": {"type": "ephemeral"}}]
    sent = {"model": model, "messages": [{"role": "user", "content": content}]}
    misses = look(sent, sent, sent, engine=None, gap=200.0)
    [said] = lines(misses)
    assert said.startswith("t:3: miss[expired]: $['messages'][0]['content'][0]: ")
    assert "the 5m entry that ends here had expired: a read does not prolong it" in said


def test_it_was_not_readable_yet():
    assert told(request(3), request(3), gap=0.5, waited=2.0) == (
        "miss[not_readable_yet]: $['messages'][2]['content']: the entry that ends here became readable 1.5 "
        "s later (3,440 tokens, $0.0119, session s)"
    )


class TestReported:
    def look(self, *usages, gap=10.0):
        misses = Misses(None)
        for number, usage in enumerate(usages, 1):
            sent = mark(request(2 * number + 1), -1)
            misses.add(record(sent, gap * number, number, usage=usage))
        return misses

    def test_what_was_read_is_no_miss(self):
        first = CacheUsage(write_5m=3600, uncached=5)
        assert self.look(first, CacheUsage(read=3580, write_5m=1200, uncached=5)).kept == ()

    def test_what_the_model_expected_and_nobody_read(self):
        first = CacheUsage(write_5m=2400, uncached=5)
        (said,) = lines(self.look(first, CacheUsage(write_5m=3200, uncached=5)))
        assert said == (
            "t:2: miss[unexplained]: $['messages'][2]['content']: the entry that ends here should have "
            "been read; it was evicted, or is somewhere else (2,401 tokens, $0.0083, session s)"
        )

    def test_a_read_that_the_model_did_not_expect_is_no_miss(self):
        first = CacheUsage(write_5m=2400, uncached=5)
        assert self.look(first, CacheUsage(read=2400, write_5m=800, uncached=5), gap=400).kept == ()

    def test_under_a_policy_it_says_nothing(self):
        misses = Misses(ENGINE)
        for number in (1, 2):
            usage = CacheUsage(uncached=4000)
            misses.add(record(request(2 * number + 1), 10.0 * number, number, usage=usage))
        assert misses.kept == ()


def test_what_follows_another_request_is_no_miss():
    """Two agents share a session: each goes on from its own last request."""
    other = {**request(3), "system": text(1500, "other")}
    misses = look(request(3), other, request(5))
    assert [miss.where for miss in misses.kept] == ["t:2"]


def test_a_provider_without_such_a_cache_is_left_out():
    misses = look(request(3, model="deepseek/deepseek-chat"), request(5))
    assert misses.unmodelled == {"deepseek/deepseek-chat": 1}
    assert [miss.cause for miss in misses.kept] == ["model_switched"]


def test_a_price_that_is_unknown_leaves_the_cost_unknown():
    misses = look(request(3, model="anthropic/claude-x"), request(5, model="anthropic/claude-x"), engine=None)
    assert misses.unpriced == {"anthropic/claude-x"}
    (total,) = misses.causes.values()
    assert total.cost is None
    assert lines(misses)[0].endswith(", unknown, session s)")


def test_one_session_alone():
    misses = Misses(None, session="b")
    for number, session in enumerate("abab"):
        misses.add(record(request(3), 10.0 * number, number, session=session))
    assert {miss.session for miss in misses.kept} == {"b"}
    assert (misses.requests, misses.sessions) == (2, 1)


def test_the_dearest_and_the_first_are_kept():
    misses = Misses(None, most=2)
    for number in range(2, 12):
        misses.add(record(request(number), 10.0 * number, number))
    assert [miss.where for miss in misses.kept] == ["t:11", "t:10", "t:4", "t:3"]
    assert misses.causes["no_breakpoint"].requests == 9


def test_the_texts_of_a_hashed_trace_say_nothing():
    def hashed(value):
        return {"chars": 4000, "hash": value * 16}

    def line_of(number, system):
        message = {"role": "user", "content": {"chars": 5000, "hash": "9" * 32}}
        asked = {"model": MODEL, "system": hashed(system), "messages": [message]}
        return json.dumps({"ts": number, "session": "s", "request": asked}).encode()

    misses = Misses(ENGINE)
    for read in Trace([("t:1", line_of(1, "1a")), ("t:2", line_of(2, "2b"))]):
        misses.add(read)
    (said,) = lines(misses)
    assert said == (
        "t:2: miss[system_changed]: first differing block $['system'] changed (2,578 tokens, $0.0089, "
        "session s)"
    )


def test_every_cause_has_a_title():
    from typing import get_args

    from policy_cache.misses.difference import Cause

    assert set(TITLES) == set(get_args(Cause))


KINDS = st.sampled_from(["grow", "switch", "system", "tool", "edit", "cut", "choice", "unmarked"])


@st.composite
def sessions(draw):
    """Requests of one session, each a change of the one before."""
    sent = mark(request(3, tools=[tool("a"), tool("b")]), "system", -1)
    base = request(3, tools=[tool("a"), tool("b")])
    found = []
    for _ in range(draw(st.integers(1, 6))):
        kind = draw(KINDS)
        base = dict(base)
        number = len(base["messages"])
        if kind == "grow":
            base["messages"] = [*base["messages"], *turns(number + draw(st.sampled_from([2, 30])))[number:]]
        elif kind == "switch":
            base["model"] = draw(st.sampled_from([MODEL, "anthropic/claude-opus-4-1", "openai/gpt-4o"]))
        elif kind == "system":
            base["system"] = text(draw(st.sampled_from([10, 1200])), draw(st.integers(0, 9)))
        elif kind == "tool":
            base["tools"] = draw(st.permutations(base["tools"]))[: draw(st.integers(0, 2))]
        elif kind == "edit":
            messages = list(base["messages"])
            messages[draw(st.integers(0, number - 1))] = {"role": "user", "content": text(50, "edited")}
            base["messages"] = messages
        elif kind == "cut":
            base["messages"] = base["messages"][: draw(st.integers(1, number))]
        elif kind == "choice":
            base["tool_choice"] = {"type": draw(st.sampled_from(["auto", "any"]))}
        places = draw(st.sets(st.sampled_from(["system", 0, -1]))) if kind == "unmarked" else {"system", -1}
        ttl = draw(st.sampled_from([None, "1h"]))
        sent = mark(base, *places, ttl=ttl)
        found.append((sent, draw(st.sampled_from([0.5, 10.0, 300.0, 4000.0]))))
    return found


@pytest.mark.property
@settings(deadline=None, max_examples=150)
@given(session=sessions(), policy=st.booleans(), reads=st.lists(st.integers(0, 9000), min_size=6, max_size=6))
def test_misses_add_up(session, policy, reads):
    misses = Misses(ENGINE if policy else None)
    at = 0.0
    sizes = {}
    for number, (sent, gap) in enumerate(session):
        at += gap
        usage = CacheUsage(read=reads[number], write_5m=3000, uncached=7) if reads[number] % 3 else None
        before = misses.tokens
        misses.add(record(sent, at, number, usage=usage))
        sizes[f"t:{number}"] = misses.tokens - before
    found = misses.kept
    lost = {where: sum(miss.tokens for miss in found if miss.where == where) for where in sizes}
    assert all(lost[where] <= sizes[where] for where in sizes)
    assert misses.missed == sum(map(bool, lost.values()))
    for cause, total in misses.causes.items():
        mine = [miss for miss in found if miss.cause == cause]
        assert total.requests == len(mine)
        assert total.tokens == sum(miss.tokens for miss in mine)
        assert total.cost == sum((miss.cost for miss in mine), Decimal(0))
        assert all(miss.tokens > 0 and miss.cost > 0 for miss in mine)
    assert SECRET not in "".join(lines(misses))


@pytest.mark.property
@settings(deadline=None, max_examples=50)
@given(
    grown=st.lists(st.integers(1, 9), min_size=1, max_size=6),
    gaps=st.lists(st.floats(2, 299), min_size=7, max_size=7),
)
def test_a_conversation_that_only_grows_misses_nothing(grown, gaps):
    misses = Misses(ENGINE)
    at, number = 0.0, 1
    for index, more in enumerate([0, *grown]):
        at += gaps[index]
        number += 2 * more
        misses.add(record(request(number), at, index))
    assert misses.kept == ()


def test_a_message_without_content_is_no_error():
    system = {"role": "system", "content": "tools and rules " * 3_000}
    talks = [
        [system, {"role": "user", "content": "hi " * 900}],
        [system, {}, {"role": "assistant", "content": "x"}, {"role": "user", "content": "y"}],
    ]
    looked = Misses(Engine.default())
    for number, messages in enumerate(talks):
        request = {"model": "anthropic/claude-sonnet-4-5", "messages": messages}
        looked.add(TraceRecord(str(number), float(number), request, None, 0.0, "", "s"))
    assert looked.requests == 2
