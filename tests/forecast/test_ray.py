"""Partitions over Ray Data: a local cluster finds what one process does."""

import os

import pytest

from policy_cache.forecast.compare import compare
from tests.forecast.test_compare import DEFAULT, NONE, agent, trace

ray = pytest.importorskip("ray", reason="Ray is not installed here; `make test-ray` runs this")
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def cluster():
    os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"
    ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR")
    yield
    ray.shutdown()


@pytest.mark.usefixtures("cluster")
def test_parts_on_a_cluster_add_up_to_the_whole(tmp_path):
    from policy_cache.forecast.ray import compare as compare_on_ray

    records = [
        {"ts": 10.0 * number, "scope": scope, "request": request, "session": scope}
        for scope in ("a", "b", "c", "d")
        for number, request in enumerate(agent(3))
    ]
    options = trace(tmp_path, records)
    whole, read = compare(options, [DEFAULT, NONE], by="session")
    parts, parts_read = compare_on_ray(options, [DEFAULT, NONE], parts=3, by="session")
    assert parts_read == read
    assert (parts.requests, parts.sessions, parts.optimum) == (12, 4, whole.optimum)
    for one, other in zip(whole.policies, parts.policies, strict=True):
        assert other.total.tokens == one.total.tokens
        assert {n: t.tokens for n, t in other.groups.items()} == {n: t.tokens for n, t in one.groups.items()}
