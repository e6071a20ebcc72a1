"""Reading prompts from Messages API requests."""

import pytest

from policy_cache.cache.explicit import CacheModel, CacheOutcome
from policy_cache.cache.reading import REPLY_OPENING, messages_prompt
from policy_cache.request.tokens import tokens

from .prompts import explicit_rules, no_minimum, send

MARK = {"type": "ephemeral"}
HOUR = {"type": "ephemeral", "ttl": "1h"}


def text(value, **fields):
    return {"type": "text", "text": value, **fields}


def request(**fields):
    return {"model": "claude-sonnet-4-5", "max_tokens": 9, "messages": [user("hi")], **fields}


def user(content, role="user"):
    return {"role": role, "content": content}


def tool(name, **fields):
    return {"name": name, "input_schema": {"type": "object"}, **fields}


def digest(**fields):
    return messages_prompt(request(**fields)).prefix.digests[-1]


def test_the_prefix_order_is_tools_system_messages():
    prompt = messages_prompt(
        request(
            messages=[user("hi"), user([text("a"), text("b")], "assistant")], system="s", tools=[tool("t")]
        )
    )
    assert [block.location for block in prompt.blocks] == [
        ("tools", 0),
        ("system",),
        ("messages", 0, "content"),
        ("messages", 1, "content", 0),
        ("messages", 1, "content", 1),
    ]


def test_sizes_are_the_estimate_and_the_opening_of_the_reply():
    prompt = messages_prompt(request(system="x" * 700))
    assert prompt.blocks[0].tokens == tokens(text("x" * 700))
    assert prompt.tokens == sum(block.tokens for block in prompt.blocks) + REPLY_OPENING


class TestSamePrompt:
    def test_a_string_and_a_one_block_list(self):
        assert digest(messages=[user("hi")]) == digest(messages=[user([text("hi")])])
        assert digest(system="s") == digest(system=[text("s")])
        string, listed = (
            {"type": "tool_result", "tool_use_id": "1", "content": content} for content in ("r", [text("r")])
        )
        assert digest(messages=[user([string])]) == digest(messages=[user([listed])])

    def test_markers(self):
        plain = digest(messages=[user([text("hi")])], system=[text("s")], tools=[tool("t")])
        assert plain == digest(
            messages=[user([text("hi", cache_control=MARK)])],
            system=[text("s", cache_control=HOUR)],
            tools=[tool("t", cache_control=HOUR)],
            cache_control=MARK,
        )

    def test_a_marker_nested_in_a_tool_result(self):
        plain, marked = (
            {"type": "tool_result", "tool_use_id": "1", "content": [text("r", **fields)]}
            for fields in ({}, {"cache_control": MARK})
        )
        assert digest(messages=[user([plain])]) == digest(messages=[user([marked])])

    def test_the_order_of_a_blocks_own_members(self):
        assert digest(messages=[user([{"text": "hi", "type": "text"}])]) == digest(messages=[user("hi")])

    @pytest.mark.parametrize(
        "default",
        [
            {"tool_choice": {"type": "auto"}},
            {"thinking": {"type": "disabled"}},
            {"output_config": {"effort": "high"}},
            {"speed": "standard"},
            {"temperature": 0.5},
            {"stream": True},
        ],
    )
    def test_an_explicit_default_and_what_does_not_count(self, default):
        assert digest(**default) == digest()


class TestAnotherPrompt:
    def test_the_order_inside_a_tool_input(self):
        one, other = (
            {"type": "tool_use", "id": "1", "name": "t", "input": value}
            for value in ({"a": 1, "b": 2}, {"b": 2, "a": 1})
        )
        assert digest(messages=[user([one])]) != digest(messages=[user([other])])

    def test_a_marker_like_argument_is_data(self):
        one, other = (
            {"type": "tool_use", "id": "1", "name": "t", "input": value}
            for value in ({}, {"cache_control": 1})
        )
        assert digest(messages=[user([one])]) != digest(messages=[user([other])])

    def test_another_role(self):
        assert digest(messages=[user("hi")]) != digest(messages=[user("hi", "assistant")])


class TestInvalidation:
    """What a change costs, on a request with a breakpoint after each level."""

    BASE = request(
        tools=[tool("t" * 4000, cache_control=MARK)],
        system=[text("s" * 4000, cache_control=MARK)],
        messages=[user([text("m" * 4000, cache_control=MARK)])],
    )

    def kept(self, **changed):
        cache = CacheModel(explicit_rules(1_024))
        first = messages_prompt(self.BASE)
        send(cache, first, 0)
        reads = send(cache, messages_prompt({**self.BASE, **changed}), 1).read
        sizes = {0: 0}
        total = 0
        for block in first.blocks:
            total += block.tokens
            sizes[total] = sizes[max(sizes)] + 1
        return ("nothing", "tools", "system", "messages")[sizes[reads]]

    def test_nothing_changed(self):
        assert self.kept() == "messages"

    @pytest.mark.parametrize(
        "changed",
        [
            {"tool_choice": {"type": "any"}},
            {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
            {"thinking": {"type": "enabled", "budget_tokens": 1024}},
            {"output_config": {"effort": "low"}},
            {
                "messages": [
                    *BASE["messages"],
                    user([{"type": "image", "source": {"type": "url", "url": "u"}}]),
                ]
            },
        ],
    )
    def test_messages_are_lost(self, changed):
        assert self.kept(**changed) == "system"

    @pytest.mark.parametrize(
        "changed",
        [
            {"speed": "fast"},
            {"tools": [*BASE["tools"], {"type": "web_search_20250305", "name": "web_search"}]},
            {"tools": [{"type": "web_fetch_20250910", "name": "web_fetch"}, *BASE["tools"]]},
            {
                "messages": [
                    *BASE["messages"],
                    user(
                        [
                            {
                                "type": "document",
                                "source": {"type": "text", "data": "d"},
                                "citations": {"enabled": True},
                            }
                        ]
                    ),
                ]
            },
        ],
    )
    def test_system_and_messages_are_lost(self, changed):
        assert self.kept(**changed) == "tools"

    @pytest.mark.parametrize(
        "changed", [{"tools": [tool("u", cache_control=MARK)]}, {"model": "claude-opus-5"}]
    )
    def test_everything_is_lost(self, changed):
        assert self.kept(**changed) == "nothing"

    def test_a_deferred_tool_is_not_in_the_prefix(self):
        assert self.kept(tools=[tool("later", defer_loading=True), *self.BASE["tools"]]) == "messages"

    def test_another_text_later_on(self):
        assert self.kept(messages=[*self.BASE["messages"], user("more")]) == "messages"
        marked = user([text("more", cache_control=MARK)])
        assert self.kept(messages=[*self.BASE["messages"], marked]) == "messages"


class TestBreakpoints:
    def ttls(self, **fields):
        prompt = messages_prompt(request(**fields))
        return [prompt.breakpoints.get(index) for index in range(len(prompt.blocks))]

    def test_lifetimes(self):
        short = {"type": "ephemeral", "ttl": "5m"}
        marked = [
            text("a", cache_control=HOUR),
            text("b", cache_control=MARK),
            text("c", cache_control=short),
            text("d"),
        ]
        assert self.ttls(messages=[user(marked)]) == ["1h", "5m", "5m", None]

    def test_the_last_nested_block_marks_its_parent(self):
        nested = [text("a"), text("b", cache_control=HOUR)]
        result = {"type": "tool_result", "tool_use_id": "1", "content": nested}
        document = {"type": "document", "source": {"type": "content", "content": nested}}
        assert self.ttls(messages=[user([result, document])]) == ["1h", "1h"]

    def test_automatic_goes_on_the_last_cacheable_block(self):
        thinking = {"type": "thinking", "thinking": "hm", "signature": "s"}
        messages = [user("hi"), user([text("a"), thinking, text("")], "assistant")]
        assert self.ttls(messages=messages, cache_control=HOUR) == [None, "1h", None, None]

    def test_automatic_after_its_own_marker(self):
        assert self.ttls(messages=[user([text("a", cache_control=MARK)])], cache_control=MARK) == ["5m"]

    def test_automatic_moves_forward_with_the_conversation(self):
        cache = no_minimum()
        turns = [user("a" * 700), user("b" * 350, "assistant"), user("c" * 350)]
        first = messages_prompt(request(messages=turns[:1], cache_control=MARK))
        second = messages_prompt(request(messages=turns, cache_control=MARK))
        written = send(cache, first, 0)
        assert written == CacheOutcome(write_5m=tokens(text("a" * 700)), uncached=3)
        assert send(cache, second, 1) == CacheOutcome(
            read=written.write_5m, write_5m=tokens(text("b" * 350)) + tokens(text("c" * 350)), uncached=3
        )
