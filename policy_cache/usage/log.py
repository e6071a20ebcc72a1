"""The log record of what one request's cache did."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from policy_cache.usage.usage import CacheUsage

_log = logging.getLogger("policy_cache")


def log_usage(
    usage: CacheUsage | None,
    *,
    model: str,
    provider: str,
    route: str | None,
    rules: Sequence[str],
    revision: str,
    saved: Decimal | None = None,
    logger: logging.Logger = _log,
) -> None:
    """Log at INFO, in one record, what a request wrote to the cache and read from it; nothing if neither.

    The record's `policy_cache` is a dict of the names given here, of the usage's figures, in tokens, and of
    `saved_usd`, a float.

    Args:
        usage: The usage; None where the response reported none.
        model: The model, without its provider prefix.
        provider: litellm's name for the provider.
        route: The catalog's name for the route; None for a provider it does not know.
        rules: The names of the rules that matched, in file order.
        revision: The policy's revision.
        saved: What caching saved in USD; negative where it cost more, None where a price is unknown.
        logger: Where to.
    """
    if usage is None:
        return
    messages = []
    if usage.written:
        messages.append(f"[cache] Created cache: {usage.written} tokens")
    if usage.read:
        messages.append(f"[cache] Cache HIT: {usage.read} tokens saved")
    if not messages:
        return
    record = {
        "model": model,
        "provider": provider,
        "route": route,
        "rules": list(rules),
        "revision": revision,
        "read": usage.read,
        "write_5m": usage.write_5m,
        "write_1h": usage.write_1h,
        "uncached": usage.uncached,
        "output": usage.output,
        "saved_usd": None if saved is None else float(saved),
    }
    logger.info("%s", "; ".join(messages), extra={"policy_cache": record})
