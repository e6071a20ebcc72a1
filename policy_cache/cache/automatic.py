"""Caches that providers keep by themselves and that cost nothing to write, as a model.

What such a cache keeps is at its provider's discretion: a read is what its documentation lets one expect.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from policy_cache.cache.entries import EntryModel
from policy_cache.cache.explicit import CacheOutcome, CachePlan, EntryRef

if TYPE_CHECKING:
    from policy_cache.cache.prompt import Prompt

_ASSUMED = 300.0
_TWO_HOURS = 7_200.0
_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class AutomaticRules:
    """What a provider's cache does.

    Attributes:
        minimum: The smallest prefix that is read, in tokens.
        step: What is read is rounded down to a multiple of so many tokens.
        seconds: How long an unused prefix is taken to live.
        approximate: What of that is assumed, in a sentence; None where all of it is documented.
        by_retention: The rules for each `prompt_cache_retention`, where a request can choose.
        needs_key: Whether only requests with a `prompt_cache_key` are cached.
    """

    minimum: int
    step: int
    seconds: float
    approximate: str | None = None
    by_retention: Mapping[str, AutomaticRules] = field(default_factory=dict)
    needs_key: bool = False

    def caches(self, request: Mapping[str, Any]) -> bool:
        """Whether a request is cached at all."""
        beside = request.get("extra_body")
        holders = (request, beside if isinstance(beside, Mapping) else {})
        return not self.needs_key or any(holder.get("prompt_cache_key") for holder in holders)


def _undated(provider: str, minimum: int, step: int = 1) -> AutomaticRules:
    return AutomaticRules(
        minimum,
        step,
        _ASSUMED,
        f"{provider} does not say how long a prefix lives: five idle minutes are assumed.",
    )


def _unstated(provider: str) -> AutomaticRules:
    assumed = "five idle minutes and no minimum are assumed."
    return AutomaticRules(0, 1, _ASSUMED, f"{provider} says that it caches, not what and how long: {assumed}")


_MEMORY = AutomaticRules(
    1024,
    128,
    _ASSUMED,
    "A prefix in memory lives for five to ten idle minutes, an hour at most: five are assumed.",
)
_DAILY = AutomaticRules(
    1024, 128, _DAY, "A prefix that is retained lives for up to 24 hours: as many idle ones are assumed."
)
_CHOICE = {"in_memory": _MEMORY, "24h": _DAILY}
_DEEPSEEK = AutomaticRules(
    64,
    64,
    _TWO_HOURS,
    "DeepSeek keeps a prefix for hours to days: two idle hours are assumed, and units of 64 tokens.",
)
_GROQ = AutomaticRules(
    1024,
    1,
    _TWO_HOURS,
    "Groq's minimum depends on the model, and is not known here: 1,024 tokens are assumed.",
)
_KIMI = AutomaticRules(
    0,
    1,
    300.0,
    "Moonshot does not say what it takes for a minimum: none is assumed, and the default TTL of 5m.",
)

_GEMINI = ("gemini", "vertex_ai", "vertex_ai_beta")
_OPENAI = ("openai", "azure", "azure_ai")

# By litellm's name for the provider, and the model. Providers without a row are not known to cache, or
# not known well enough, as are their models that no row names.
_RULES: tuple[tuple[tuple[str, ...], tuple[str, ...], AutomaticRules | None], ...] = (
    (_OPENAI, ("*gpt-5.5", "*gpt-5.5-*"), _DAILY),
    # Whether these cache is said both ways.
    (_OPENAI, ("*o[13]-pro*",), None),
    # Without zero data retention, which keeps to memory, these retain by default.
    (
        ("openai",),
        ("*gpt-5", "*gpt-5-*", "*gpt-5.[124]", "*gpt-5.[124]-*", "*gpt-4.1*"),
        replace(_DAILY, by_retention=_CHOICE),
    ),
    (
        ("azure", "azure_ai"),
        ("*gpt-5", "*gpt-5-*", "*gpt-5.[124]", "*gpt-5.[124]-*", "*gpt-4.1*"),
        replace(_MEMORY, by_retention=_CHOICE),
    ),
    (
        _OPENAI,
        ("*gpt-5.3", "*gpt-5.3-*", "*gpt-4o*", "o[134]", "o[134]-*", "*/o[134]", "*/o[134]-*"),
        _MEMORY,
    ),
    (_GEMINI[1:], ("gemini-4-argon*",), _undated("Google", 6144)),
    (_GEMINI, ("gemini-[34]*", "gemini-*-latest"), _undated("Google", 4096)),
    (_GEMINI, ("gemini-2.5-*",), _undated("Google", 2048)),
    (("deepseek",), ("*",), _DEEPSEEK),
    (("groq",), ("*gpt-oss-20b*", "*gpt-oss-120b*", "*gpt-oss-safeguard*", "*kimi-k2*"), _GROQ),
    (("xai",), ("*grok*",), _undated("xAI", 128, 128)),
    (("mistral",), ("*",), replace(_undated("Mistral", 64, 64), needs_key=True)),
    (("moonshot",), ("*kimi-k3*",), _KIMI),
    (("moonshot",), ("*",), _unstated("Moonshot")),
    (("minimax",), ("*",), _undated("MiniMax", 512)),
    (("dashscope",), ("*qwen*",), _undated("Alibaba", 1024)),
    (("zai",), ("*",), _unstated("Z.ai")),
    (("fireworks_ai",), ("*",), _unstated("Fireworks")),
    (("together_ai",), ("*",), _unstated("Together")),
)


def automatic_rules(provider: str, model: str, *, retention: object = None) -> AutomaticRules | None:
    """What is known of a provider's automatic cache; None where that is not enough to say anything.

    Args:
        provider: litellm's name for it.
        model: The model, without that name.
        retention: The `prompt_cache_retention` of the request, if it has one.
    """
    named = model.lower()
    for providers, models, rules in _RULES:
        if provider in providers and any(fnmatchcase(named, pattern) for pattern in models):
            choice = rules.by_retention if rules is not None and isinstance(retention, str) else {}
            return choice.get(str(retention), rules)
    return None


class AutomaticModel(EntryModel):
    """The prefixes that a provider keeps by itself. Not for several threads at once.

    Every block of a prompt ends a prefix that a later one can share. Of a block only its hash and its size
    are known, so two prompts share whole equal blocks, never the first half of one; the provider's step
    then rounds that down. Markers mean nothing here.
    """

    def __init__(self, rules: AutomaticRules) -> None:
        """Begin with an empty cache."""
        super().__init__(rules.seconds)
        self._rules = rules

    def plan(self, prompt: Prompt, now: float) -> CachePlan:
        """Work out what a prompt would read if its request started now; change nothing.

        Its reads are all prefixes that it shares, its writes the others. No lifetime is asked for: `5m` is
        what the type wants, and nothing is billed as written.
        """
        digests, _, ends = prompt.prefix
        rules = self._rules
        size = max(rules.minimum, 1)
        first = bisect_left(ends, -(-size // rules.step) * rules.step)
        is_live = self._entries.is_live
        hit = len(digests) - 1
        while hit >= first and not is_live(digests[hit], now):
            hit -= 1
        read = ends[hit] // rules.step * rules.step if hit >= first else 0
        shared = hit + 1 - first
        found = [EntryRef(index, digest, "5m") for index, digest in enumerate(digests[first:], first)]
        return CachePlan(
            started=now,
            outcome=CacheOutcome(read=read, uncached=prompt.tokens - read),
            reads=tuple(found[:shared]),
            writes=tuple(found[shared:]),
        )
