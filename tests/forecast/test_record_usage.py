"""`make record-usage`, with the emulator in the place of a provider."""

from __future__ import annotations

import sys

from benchmarks import record_usage
from benchmarks.recorded import errors
from policy_cache.emulator import create_app, serve
from policy_cache.usage.stats import stats


def test_forty_requests_are_recorded_and_reproduced(tmp_path):
    model, path = record_usage.MODELS["ANTHROPIC_API_KEY"], tmp_path / "anthropic.jsonl"
    with serve(create_app()) as url:
        assert record_usage.record(model, path, api_base=url, api_key="k") == 40
    with path.open("rb") as lines:
        [whole] = stats(lines).ledger.by["model"].values()
    assert whole.total.hits >= 20
    assert whole.total.write_1h > 0
    assert whole.total.tokens.total < 120_000
    found = list(errors(str(path), None))
    assert len(found) == 40
    for _, _, error in found:
        assert max(error.read, error.written, error.cost or 0) < 0.01


def test_without_a_key_nothing_runs(tmp_path, monkeypatch, capsys):
    for name in record_usage.MODELS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "argv", ["record_usage", str(tmp_path / "usage")])
    record_usage.main()
    assert capsys.readouterr().out.startswith("no key: set one of ANTHROPIC_API_KEY, ")
    assert not (tmp_path / "usage").exists()
