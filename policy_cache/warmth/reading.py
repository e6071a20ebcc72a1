"""One request as the prompt that each of several candidates would be sent."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

from policy_cache.cache.models import as_sent, rules_for
from policy_cache.cache.prompt import CachedPrompt, Chain
from policy_cache.cache.reading import assembled, cached
from policy_cache.cache.scale import UNSCALED, Scale
from policy_cache.request.blocks import BlockRules, walk
from policy_cache.request.prompt import Prompt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policy_cache.cache.prompt import CachedBlock
    from policy_cache.providers.resolve import Route
    from policy_cache.request.location import Location


class Reading:
    """The contents of one request, read once for all candidates: the model stands in none of the hashes."""

    def __init__(self) -> None:
        """Begin with nothing read."""
        self._contents: dict[tuple[Location, str], CachedBlock | None] = {}
        self._chains: dict[tuple[bytes, ...], Chain] = {}
        self._prompts: dict[tuple[str, BlockRules], CachedPrompt] = {}

    def prompt(
        self, request: Mapping[str, object], sent: Mapping[str, object], route: Route, *, edited: bool
    ) -> CachedPrompt:
        """The prompt of what a policy made of the request for a route, with its breakpoints.

        Args:
            request: The request.
            sent: What is sent in its place.
            route: Where to.
            edited: Whether its texts may differ, too.
        """
        if edited and sent is not request:
            return Reading().prompt(sent, sent, route, edited=False)
        key = route.shape, route.blocks
        plain = self._prompts.get(key)
        if plain is None:
            plain = self._prompts[key] = self._plain(request, route)
        prompt = Prompt(sent, route.shape)
        return as_sent(rules_for(route, sent), plain, sent, route.markers_of(prompt), route)

    def _plain(self, request: Mapping[str, object], route: Route) -> CachedPrompt:
        prompt = Prompt(request, route.shape)
        contents = self._contents
        blocks: list[CachedBlock | None] = []
        for block in walk(prompt, route.blocks):
            key = block.location, block.kind
            if key not in contents:
                contents[key] = cached(prompt, block)
            blocks.append(contents[key])
        whole = assembled(prompt, blocks, model="", scope="")
        alike = tuple(block.content for block in whole.blocks)
        chain = self._chains.get(alike)
        if chain is None:
            self._chains[alike] = whole.prefix
        else:
            object.__setattr__(whole, "_prefix", chain)
        return whole


def scaled(prompt: CachedPrompt, scale: Scale) -> CachedPrompt:
    """The same prompt in a model's own tokens; its blocks keep the estimated ones."""
    if scale is UNSCALED:
        return prompt
    digests, positions, _ = prompt.prefix
    ends = list(accumulate(round(block.tokens * scale.of(block.level)) for block in prompt.blocks))
    prompt = prompt.mark({})
    object.__setattr__(prompt, "_prefix", Chain(digests, positions, ends))
    return prompt
