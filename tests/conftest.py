"""What every test shares: litellm offline, and how long hypothesis looks."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import HealthCheck, settings

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

settings.register_profile(
    "default",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile("fuzz", settings.get_profile("default"), max_examples=3_000)
# The same examples on every run of a build; other runs, and `make fuzz`, look for new ones.
settings.register_profile("build", settings.get_profile("default"), derandomize=True)
settings.load_profile("build" if os.environ.get("CI") else "default")

REPOSITORY = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def traces() -> Path:
    """Recorded requests that lie beside the checkout; tests that read them are skipped elsewhere."""
    folder = REPOSITORY.parent / "shared" / "traces"
    if not folder.is_dir():
        pytest.skip("no recorded traces beside this checkout")
    return folder


@pytest.fixture
def price_map(monkeypatch):
    """litellm as imported by the process, with these prices and nothing else."""

    def price_map(**models):
        module = ModuleType("litellm")
        module.model_cost = models
        monkeypatch.setitem(sys.modules, "litellm", module)

    return price_map


@pytest.fixture
def emulator(monkeypatch):
    """Anthropic as this process is told to reach it: an emulator on loopback."""
    from policy_cache.emulator import create_app, serve

    with serve(create_app()) as address:
        monkeypatch.setenv("ANTHROPIC_API_BASE", address)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "any")
        yield
