"""How long entries should live: `ttl: auto`, chosen by the pauses that were seen, and what pays to keep."""

from policy_cache.lifetimes.choice import Choice
from policy_cache.lifetimes.keep import EARLY, FLOOR, Outlook, Stake, costs, gain, stays
from policy_cache.lifetimes.lifetimes import Conversation, Lifetimes

__all__ = [
    "EARLY",
    "FLOOR",
    "Choice",
    "Conversation",
    "Lifetimes",
    "Outlook",
    "Stake",
    "costs",
    "gain",
    "stays",
]
