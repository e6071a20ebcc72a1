"""How long entries should live: `ttl: auto`, chosen by the pauses that were seen, and what it pays to keep."""

from policy_cache.lifetimes.choice import Choice
from policy_cache.lifetimes.keep import EARLY, ENDED, FLOOR, Outlook, Stake, gain
from policy_cache.lifetimes.lifetimes import Lifetimes

__all__ = ["EARLY", "ENDED", "FLOOR", "Choice", "Lifetimes", "Outlook", "Stake", "gain"]
