"""policy-cache beside litellm: what a request looks like once litellm has translated it."""

from policy_cache.integrations.litellm.wire import Check, Fate, Wire, WireError, WireMarker, check, wire

__all__ = ["Check", "Fate", "Wire", "WireError", "WireMarker", "check", "wire"]
