"""What the tests of plug-ins share: a provider on loopback, and a litellm that forgets."""

from __future__ import annotations

import litellm
import pytest

from policy_cache.emulator import create_app, serve
from policy_cache.integrations.litellm import answers, uninstall


@pytest.fixture
def address():
    """The address of a provider that caches."""
    with serve(create_app()) as url:
        yield url


@pytest.fixture(autouse=True)
def forgetful():
    yield
    uninstall()
    # litellm copies a callback into lists of its own.
    litellm.logging_callback_manager._reset_all_callbacks()
    answers._awaited.clear()
    answers._answered.clear()
    answers._failed.clear()
