from tests.warmth.conftest import redis_server

__all__ = ["redis_server"]
