"""A hashed trace tells what the plain one does: the same hits, and sizes that are nearly the same."""

import pytest

from policy_cache.forecast.compare import TraceOptions, compare
from policy_cache.trace.recorder import TraceRecorder
from tests.forecast.conversations import lines
from tests.forecast.test_compare import DEFAULT


@pytest.mark.parametrize("mean", [15, 420])
def test_hits_are_the_same_and_sizes_within_1_percent(traces, tmp_path, mean):
    found = []
    for text in ("plain", "hashed"):
        path = tmp_path / f"{text}.jsonl"
        with TraceRecorder(path, text=text, rotate_bytes=1_000_000_000) as recorder:
            for record in lines(traces / "taubench", mean):
                recorder.record(record["request"], ts=record["ts"], session=record["session"])
        found.append(compare(TraceOptions((str(path),)), [DEFAULT])[0])
    plain, hashed = found
    assert (plain.requests, plain.sessions) == (hashed.requests, hashed.sessions) == (84, 4)
    for one, other in zip(plain.policies, hashed.policies, strict=True):
        assert other.total.hits == one.total.hits
        assert other.total.tokens.total == pytest.approx(one.total.tokens.total, rel=0.01)
        assert float(other.total.cost) == pytest.approx(float(one.total.cost), rel=0.02)
