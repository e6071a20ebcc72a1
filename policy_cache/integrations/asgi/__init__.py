"""What a router that is an ASGI application can mount."""

from policy_cache.integrations.asgi.page import LivePageError, live_page
from policy_cache.report.live.live import Live

__all__ = ["Live", "LivePageError", "live_page"]
