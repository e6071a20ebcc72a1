"""One request as the prompt that each of several candidates would be sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from policy_cache.cache.models import as_sent, model_of, rules_for
from policy_cache.cache.named import Reader, name_of
from policy_cache.cache.prompt import Chain
from policy_cache.cache.reading import breakpoints_of
from policy_cache.cache.scale import UNSCALED, Scale
from policy_cache.providers.cache_rules import AutomaticRules, ExplicitRules
from policy_cache.request.location import Mapped
from policy_cache.request.markers import may_hold_markers
from policy_cache.request.prompt import Prompt, detect_shape

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence
    from decimal import Decimal

    from policy_cache.cache.entries import Entry
    from policy_cache.cache.explicit import CacheOutcome, CachePlan
    from policy_cache.cache.prompt import CachedPrompt
    from policy_cache.engine.engine import CompiledPolicy
    from policy_cache.engine.transit import Incoming
    from policy_cache.providers.cache_rules import CacheRules
    from policy_cache.providers.resolve import Route
    from policy_cache.request.markers import ClientMarker
    from policy_cache.request.prompt import Shape
    from policy_cache.warmth.turns import Outlook, Turns

_Sent: TypeAlias = "tuple[Mapping[str, object], CachedPrompt]"

ACCOUNT = (
    *("api_key", "api_base", "base_url", "organization", "vertex_project", "vertex_location"),
    *("aws_access_key_id", "aws_region_name", "aws_profile_name", "aws_bedrock_runtime_endpoint"),
)
"""The members of a request that say whose account it is billed to: a cache is never shared between two."""

ELSEWHERE = frozenset({*ACCOUNT, "model", "custom_llm_provider", "base_model", "model_info"})
"""Those that say where it goes, and change nothing of its prompt."""


class Reading:
    """One request for several candidates: what is rewritten alike is rewritten once.

    Attributes:
        bills: What becomes of the prompt at a model, and for how long that lasts, with what it costs now and
            in the turns to come.
    """

    def __init__(
        self,
        reader: Reader,
        engine: CompiledPolicy,
        turns: Turns,
        request: Mapping[str, object],
        shape: Shape | None,
    ) -> None:
        self._reader = reader
        self._request = request
        self._shape = shape
        self._engine = engine
        self._turns = turns
        self._outlook = turns.outlook
        self._alive: dict[float | None, float | None] = {None: None}
        self._names: dict[int, Hashable] = {}
        self._first: dict[Hashable, CachedPrompt] = {}
        self._prompts: dict[Hashable, CachedPrompt] = {}
        self._sent: dict[Hashable, _Sent] = {}
        self._marked: dict[Hashable, CachedPrompt] = {}
        self._prompt: Prompt | None = None
        self.bills: dict[tuple[str, CacheOutcome, float | None], tuple[Decimal | None, Decimal | None]] = {}
        self._cold: dict[tuple[int, int], tuple[CachedPrompt, CacheRules, CachePlan]] = {}
        self._scaled: dict[tuple[int, Scale], tuple[CachedPrompt, CachedPrompt]] = {}

    def sent(
        self, asked: dict[str, object], own: Mapping[str, object]
    ) -> tuple[Route, Mapping[str, object], CachedPrompt]:
        """Where a candidate's request goes, what is sent, and its prompt with its breakpoints.

        Args:
            asked: The request to the candidate.
            own: What it has that others have not, beside where it goes.

        Raises:
            RequestError: It is not a request that can be read.
        """
        if self._shape is None:
            self._shape = detect_shape(self._request)
        incoming = self._engine.incoming(asked, shape=self._shape)
        route = incoming.route
        # What cannot be written down is like nothing else.
        like = incoming.alike, (name_of(own) or object()) if own else None
        known = self._sent.get(like)
        if known is None:
            if not own:
                incoming.facts.adopt(self._shared(self._shape).elsewhere(asked))
            known = self._sent[like] = self._made(incoming, like[1])
        return route, *known

    def _made(self, incoming: Incoming, own: Hashable) -> _Sent:
        """What is sent, and its prompt with its breakpoints."""
        route, prompt = incoming.route, incoming.facts.prompt
        sent, markers = self._engine.outgoing(incoming)
        if sent is not prompt and self._engine.edits_text:
            plain = self._reader.plain(sent, route)
            return sent.request, marked(plain, sent, markers, route)
        plain = self._plain(prompt, route, own)
        if not isinstance(route.cache, ExplicitRules):
            return sent.request, marked(plain, sent, markers, route)
        # Routes that have the same breakpoints share a prompt.
        points = breakpoints_of(plain, markers, route)
        key = id(plain), *points.items()
        known = self._marked.get(key)
        if known is None:
            known = self._marked[key] = plain.mark(points)
        return sent.request, known

    def _shared(self, shape: Shape) -> Prompt:
        """The prompt that all candidates share."""
        if self._prompt is None:
            self._prompt = Prompt(self._request, shape)
            may_hold_markers(self._prompt)
        return self._prompt

    def expected(self, lasts: float | None) -> tuple[Outlook, float | None]:
        """How the conversation is expected to go on, and the share of pauses that something outlives.

        Args:
            lasts: How many seconds it lives; None where there is nothing.
        """
        alive = self._alive.get(lasts)
        if alive is None and lasts is not None:
            alive = self._alive[lasts] = self._turns.within(lasts)
        return self._outlook, alive

    def scaled(self, prompt: CachedPrompt, scale: Scale) -> CachedPrompt:
        """One of its prompts in a model's own tokens."""
        if scale is UNSCALED:
            return prompt
        key = id(prompt), scale
        known = self._scaled.get(key)
        if known is None:  # with the prompt, whose id it is
            known = self._scaled[key] = prompt, scaled(prompt, scale)
        return known[1]

    def planned(
        self, rules: CacheRules, prompt: CachedPrompt, known: Mapping[bytes, Entry], now: float
    ) -> CachePlan:
        """What one of its prompts would read where these prefixes are cached; alike wherever none is."""
        if known:
            cache = model_of(rules)
            cache.entries = known  # type: ignore[assignment]
            return cache.plan(prompt, now)
        key = id(prompt), id(rules)
        cold = self._cold.get(key)
        if cold is None:  # with those whose ids they are
            cold = self._cold[key] = prompt, rules, model_of(rules).plan(prompt, now)
        return cold[2]

    def _plain(self, prompt: Prompt, route: Route, own: Hashable) -> CachedPrompt:
        key = self._reader.like(prompt, route), own
        plain = self._prompts.get(key)
        if plain is None:
            plain = self._reader.plain(prompt, route, self._named)
            # Routes share the hashes of what they read alike.
            first = self._first.setdefault(own, plain)
            if first is not plain:
                plain.begin_as(first)
            self._prompts[key] = plain
        return plain

    def _named(self, element: object) -> Hashable:
        """The name of an element, worked out once: the request holds it meanwhile."""
        name = self._names.get(id(element))
        if name is None:
            name = self._names[id(element)] = name_of(element)
        return name


def marked(plain: CachedPrompt, sent: Prompt, markers: Sequence[ClientMarker], route: Route) -> CachedPrompt:
    """A prompt with the breakpoints that it has once a request with these markers was sent."""
    rules = rules_for(route, sent.request)
    if isinstance(rules, AutomaticRules):  # to which markers mean nothing
        return plain
    return as_sent(rules, plain, sent, markers, route)


def scaled(prompt: CachedPrompt, scale: Scale) -> CachedPrompt:
    """The same prompt in a model's own tokens; its blocks keep the estimated ones."""
    if scale is UNSCALED:
        return prompt
    digests, positions, ends = prompt.prefix
    before = prompt.shared
    factor, later = scale

    def own(end: int) -> int:
        return round(end * factor if end <= before else before * factor + (end - before) * later)

    # Few of a prompt's sizes are looked at.
    return prompt.sized(Chain(digests, positions, Mapped(ends, own)))
