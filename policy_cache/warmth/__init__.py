"""What is warm: which prefixes of which model are cached until when, and what a request costs there now."""

from policy_cache.warmth.quote import Quote, Sure, prefer
from policy_cache.warmth.table import Beliefs, Table
from policy_cache.warmth.warmth import Warmth

__all__ = ["Beliefs", "Quote", "Sure", "Table", "Warmth", "prefer"]
