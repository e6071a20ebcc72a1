"""What a prompt would cost: a model of the provider's cache, and its prices."""

from policy_cache.simulate.cache import CacheModel, CacheOutcome, CachePlan, EntryRef
from policy_cache.simulate.messages import messages_prompt
from policy_cache.simulate.minimums import minimum_tokens
from policy_cache.simulate.prices import Prices, list_prices
from policy_cache.simulate.prompt import Prompt, PromptBlock

__all__ = [
    "CacheModel",
    "CacheOutcome",
    "CachePlan",
    "EntryRef",
    "Prices",
    "Prompt",
    "PromptBlock",
    "list_prices",
    "messages_prompt",
    "minimum_tokens",
]
