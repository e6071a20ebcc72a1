"""Recorded requests with the usage that Anthropic reported for them.

Sizes here are estimates, so what is compared is which request writes, which one reads, and that a
read is what an earlier request wrote.
"""

import json

import pytest


@pytest.fixture
def recording(traces):
    def recording(name):
        path = traces / "provider-usage" / f"{name}.jsonl"
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        return [(line["request"], line["usage"]) for line in lines]

    return recording


def read(usage):
    return usage["cache_read_input_tokens"]


def written(usage):
    return usage["cache_creation_input_tokens"]


def test_a_marked_system_message_is_written_then_read(send, recording):
    recorded = recording("test_inline_system_prompt_cache_prefix_is_reused")
    replayed = [send(request) for request, _ in recorded]
    for usages in ([usage for _, usage in recorded], replayed):
        first, second = usages
        assert (read(first), written(second)) == (0, 0)
        assert read(second) == written(first) > 1024
        assert first["cache_creation"]["ephemeral_5m_input_tokens"] == written(first)
        assert first["input_tokens"] == second["input_tokens"] <= 3


def test_automatic_caching_reads_the_last_turn_and_writes_the_new_one(send, recording):
    recorded = recording("test_anthropic_cache_real_api")
    # The recording begins with a cache that an earlier run had filled.
    send(recorded[0][0])
    replayed = [send(request) for request, _ in recorded]
    for usages in ([usage for _, usage in recorded], replayed):
        first, second = usages
        assert written(first) == 0
        assert read(first) == read(second) > 1024
        assert 0 < written(second) < read(second)
        assert first["input_tokens"] == second["input_tokens"] == 3


@pytest.mark.parametrize(
    "name", ["test_inline_system_prompt_cache_prefix_is_reused", "test_anthropic_cache_real_api"]
)
def test_the_estimate_is_of_the_right_size(send, recording, name):
    for request, usage in recording(name):
        real, estimated = (
            total["input_tokens"] + read(total) + written(total) for total in (usage, send(request))
        )
        assert 0.6 < estimated / real < 1.7
