"""The Redis that processes share what they learn through."""

from tests.warmth.conftest import redis_server

__all__ = ["redis_server"]
