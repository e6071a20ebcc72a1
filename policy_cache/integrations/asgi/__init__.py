"""What a router that is an ASGI application can mount."""

from policy_cache.integrations.asgi.page import LivePageError, live_page

__all__ = ["LivePageError", "live_page"]
