"""What is decided of one request so far, and how a policy behaves as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from policy_cache.engine.arbitrate import Arbiter
from policy_cache.engine.changes import Edit, Origin, Placement
from policy_cache.engine.edits import Cut, Removal
from policy_cache.engine.injection import MEANING, injection
from policy_cache.engine.repair import REPAIR
from policy_cache.request.markers import ClientMarker, ttl_of
from policy_cache.request.prefix import Prefix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policy_cache.engine.compile import CompiledRule
    from policy_cache.engine.match import Facts
    from policy_cache.engine.reasons import Reason
    from policy_cache.lifetimes import Choice, Lifetimes
    from policy_cache.policy.language.model import Policy
    from policy_cache.request.blocks import Block
    from policy_cache.request.location import Location


class Label(NamedTuple):
    """What tells a policy from others.

    Attributes:
        file: Its file, or what stands for it.
        revision: Its revision: what it holds, as a hash.
        name: What it calls itself.
    """

    file: str
    revision: str
    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Conduct:
    """How a policy behaves as a whole; see `policy.language.model.Policy`."""

    observe: bool
    stand_down: bool
    replace: bool
    overrules: bool
    label: Label

    @classmethod
    def of(cls, policy: Policy, label: Label) -> Conduct:
        """The conduct that a policy asks for."""
        return cls(
            policy.mode == "observe",
            policy.client_markers == "stand_down",
            policy.client_markers == "replace",
            policy.injection == "replace",
            label,
        )


class State:
    """What the actions on one request share.

    Attributes:
        facts: The request and its route.
        conduct: How the policy behaves.
        prompt: The request as a prompt.
        prefix: Its blocks, as targets meet them.
        client: The markers that the client placed.
        injection: What litellm will add by itself.
        stands_down: Whether the client's markers make the policy stand down.
        placements: What became of every wish so far.
        removals: The markers that go, by holder and key.
        mended: The edits to the client's markers that stay, by holder and key.
        cuts: The texts that are split, by location.
        halved: For a second half that an earlier pass left, the first one.
        parameters: The edits to request-level parameters.
        taken: The parameters that a rule has set.
        arbiter: Who decides about markers, once the first is wanted.
        recorded: Whether somebody will ask what became of every wish.
    """

    __slots__ = (
        "_choice",
        "_lifetimes",
        "arbiter",
        "client",
        "conduct",
        "cuts",
        "facts",
        "halved",
        "injection",
        "mended",
        "parameters",
        "placements",
        "prefix",
        "prompt",
        "recorded",
        "removals",
        "stands_down",
        "taken",
    )

    def __init__(self, facts: Facts, conduct: Conduct, lifetimes: Lifetimes, *, recorded: bool) -> None:
        """Begin with nothing decided."""
        prompt, route = facts.prompt, facts.route
        self.facts = facts
        self.conduct = conduct
        self.recorded = recorded
        self.prompt = prompt
        self.prefix = Prefix(prompt, route.blocks, route.minimum)
        self.client = route.markers_of(prompt)
        self.injection = injection(prompt.request)
        # Where the route takes no markers, any marker says that the client manages caching itself.
        explicit = route.mechanism == "explicit"
        self.stands_down = conduct.stand_down and any(
            marker.block is not None or not explicit for marker in self.client
        )
        self.placements: list[Placement] = []
        self.removals: dict[tuple[Location, str], Removal] = {}
        self.mended: dict[tuple[Location, str], Edit] = {}
        self.cuts: dict[Location, Cut] = {}
        self.halved: dict[Location, Block] = {}
        self.parameters: list[Edit] = []
        self.taken: set[str] = set()
        self.arbiter: Arbiter | None = None
        self._lifetimes = lifetimes
        self._choice: Choice | None = None

    @property
    def choice(self) -> Choice:
        """What `ttl: auto` means here."""
        if self._choice is None:
            self._choice = self._lifetimes.choose(self.prompt, self.facts.route)
        return self._choice

    def arbitration(self) -> Arbiter:
        """The arbiter, who counts what the client marked as far as it stays."""
        if self.arbiter is None:
            staying: Sequence[ClientMarker] = () if self.conduct.replace else self.client
            if self.removals and staying:
                staying = self.left()
            if self.mended:
                staying = [self._as_mended(marker) for marker in staying]
            self.arbiter = Arbiter(
                self.facts.route,
                self.prefix,
                staying,
                self.placements,
                self.halved,
                self.cuts,
                recorded=self.recorded,
            )
        return self.arbiter

    def _as_mended(self, marker: ClientMarker) -> ClientMarker:
        edit = self.mended.get((marker.holder, marker.key))
        return marker if edit is None else marker._replace(ttl=ttl_of(edit.after))

    def left(self) -> list[ClientMarker]:
        """The client's markers that no rule took away so far."""
        gone = self.removals
        return [marker for marker in self.client if (marker.holder, marker.key) not in gone]

    def remove(self, markers: Sequence[ClientMarker], source: Origin) -> int:
        """Take markers away, and say how many were still there."""
        before = len(self.removals)
        for marker in markers:
            self.removals.setdefault((marker.holder, marker.key), Removal(marker, source))
        return len(self.removals) - before

    def repaired(self, location: Location, why: str) -> None:
        """Record what was put right."""
        self.placements.append(Placement(REPAIR, location, location, None, "repaired", why))

    def refusal(self, rule: CompiledRule) -> tuple[Reason, str] | None:
        """Why a rule can place no marker on this request at all, if so."""
        route = self.facts.route
        provider = route.provider or "an unknown provider"
        if route.mechanism == "automatic":
            return "provider_automatic", f"{provider} caches by itself"
        if route.drops_markers:
            return (
                "route_drops_marker",
                f"litellm takes markers for {route.model} out on the way to {provider}",
            )
        if route.name is None:
            return "provider_unsupported", f"the catalog has no route for {provider} with {route.model}"
        if route.mechanism == "unknown":
            return "provider_unsupported", f"how {provider} caches {route.model} is not known"
        if route.mechanism == "none":
            return "provider_unsupported", f"no markers are sent to {provider}"
        if not rule.may_mark(route):
            named = f"a rule marks here only if its `match` names {route.only_when_named}"
            return "provider_automatic", f"{provider} caches by itself; {named}"
        if self.injection == "points" and not self.conduct.overrules:
            return "stood_down", MEANING["points"]
        if self.stands_down:
            return "stood_down", f"the client placed {len(self.client)}"
        return None
