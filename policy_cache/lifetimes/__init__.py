"""How long entries should live: `ttl: auto`, chosen by the pauses that were seen."""

from policy_cache.lifetimes.choice import Choice
from policy_cache.lifetimes.lifetimes import Lifetimes

__all__ = ["Choice", "Lifetimes"]
