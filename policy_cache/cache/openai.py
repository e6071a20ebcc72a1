"""OpenAI's prompt cache from GPT-5.6 on, as a model: it caches by itself, and bills what it writes.

The way it works is OpenAI's (developers.openai.com, "Prompt caching", and the types of its SDK), and its
figures are the catalog's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from policy_cache.cache.entries import EntryModel
from policy_cache.cache.explicit import CacheOutcome, CachePlan, EntryRef
from policy_cache.cache.prompt import CachedPrompt
from policy_cache.request.prompt import SYSTEM_ROLES, TOOL_ROLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policy_cache.providers.cache_rules import BreakpointRules
    from policy_cache.request.location import Key
    from policy_cache.request.prompt import Prompt


@dataclass(frozen=True, slots=True)
class OpenAIPrompt(CachedPrompt):
    """A prompt that OpenAI may put a breakpoint into by itself.

    Attributes:
        implicit: The blocks that end a message it may stand after, in order; it stands after the last.
            Empty where the request turned it off: then only markers count.
    """

    implicit: tuple[int, ...] = ()


def openai_prompt(prompt: CachedPrompt, request: Prompt) -> OpenAIPrompt:
    """The prompt of a request, with what its roles and its `prompt_cache_options` say of breakpoints."""
    implicit = () if _is_explicit(request.request) else tuple(_endings(prompt, request))
    placed = OpenAIPrompt(
        prompt.model,
        prompt.scope,
        prompt.blocks,
        prompt.parameters,
        prompt.tail,
        prompt.breakpoints,
        implicit=implicit,
    )
    object.__setattr__(placed, "_prefix", prompt.prefix)
    return placed


def _is_explicit(request: Mapping[str, Any]) -> bool:
    beside = request.get("extra_body")
    holders = (request, beside if isinstance(beside, Mapping) else {})
    options = next((found for holder in holders if (found := holder.get("prompt_cache_options"))), None)
    return isinstance(options, Mapping) and options.get("mode") == "explicit"


def _endings(prompt: CachedPrompt, request: Prompt) -> Iterator[int]:
    """The ends of each user message, of each run of tool results, and of the leading system messages."""
    roles = [message.get("role") for message in request.messages]
    area = request.area
    last: dict[Key, int] = {}
    for index, block in enumerate(prompt.blocks):
        location = block.location
        if location and location[0] == area:
            # A text as `input` is the only message.
            last[location[1] if len(location) > 1 else 0] = index
    leading = True
    for number, (role, following) in enumerate(pairwise([*roles, None])):
        leading = leading and role in SYSTEM_ROLES
        ends_tools = role in TOOL_ROLES and following not in TOOL_ROLES
        ends_system = leading and following not in SYSTEM_ROLES
        if number in last and (role == "user" or ends_tools or ends_system):
            yield last[number]


class OpenAIModel(EntryModel):
    """The entries of OpenAI's cache. Not for several threads at once.

    What is written costs 1.25 times as much as what is not, as with Anthropic's five-minute entries:
    `write_5m` holds these tokens, though they live for longer.
    """

    def __init__(self, rules: BreakpointRules) -> None:
        """Begin with an empty cache."""
        super().__init__(rules.lives)
        self._rules = rules

    def plan(self, prompt: CachedPrompt, now: float) -> CachePlan:
        """Work out what a prompt would read and write if its request started now; change nothing.

        It reads the longest entry that ends where the prompt has a breakpoint, or may have had the implicit
        one before. What one of the breakpoints that it writes finds is prolonged, too. A plain
        `CachedPrompt` has the breakpoints of its markers alone.
        """
        digests, _, ends = prompt.prefix
        rules = self._rules
        endings = prompt.implicit if isinstance(prompt, OpenAIPrompt) else ()
        marked = [*prompt.breakpoints]
        implicit = endings[-1:]
        own = sorted({*marked[len(implicit) - rules.writes :], *implicit})
        live = {index for index in own if self.is_live(digests[index], now)}
        sought = {
            *marked[-rules.lookback :],
            *endings[-1 - rules.messages :],
            *_system_ending(prompt, endings),
        }
        hit = max((i for i in sought if self.is_live(digests[i], now)), default=-1)
        writes = [index for index in own if index not in live and ends[index] >= rules.minimum]
        read = ends[hit] if hit >= 0 else 0
        written = max(0, ends[writes[-1]] - read) if writes else 0
        return CachePlan(
            started=now,
            outcome=CacheOutcome(read=read, write_5m=written, uncached=prompt.tokens - read - written),
            reads=tuple(EntryRef(i, digests[i], "5m") for i in sorted({*live, hit} - {-1})),
            writes=tuple(EntryRef(index, digests[index], "5m") for index in writes),
        )


def _system_ending(prompt: CachedPrompt, endings: Sequence[int]) -> Sequence[int]:
    """The end of the leading system messages, which is looked at however long ago it was."""
    return endings[:1] if endings and prompt.blocks[endings[0]].level == "system" else ()
