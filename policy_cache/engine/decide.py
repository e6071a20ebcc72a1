"""Deciding one request: every matching rule's wishes, arbitrated, become a plan."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from policy_cache.engine.arbitrate import Arbiter
from policy_cache.engine.breakpoints import breakpoints
from policy_cache.engine.changes import Edit, Origin, Placement, Step, edited
from policy_cache.engine.compile import SetParameters, Split, Template, Unmark
from policy_cache.engine.edits import Cut, Removal, prompt_edits
from policy_cache.engine.injection import MEANING, injection
from policy_cache.engine.plan import Plan
from policy_cache.engine.reasons import ACTED
from policy_cache.request.blocks import REQUEST, Block
from policy_cache.request.edit import marked
from policy_cache.request.location import Location, fields_of, value_at
from policy_cache.request.markers import KEY, ClientMarker
from policy_cache.request.prefix import Prefix

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from policy_cache.engine.arbitrate import Accepted
    from policy_cache.engine.compile import CompiledRule
    from policy_cache.engine.match import Facts
    from policy_cache.engine.reasons import Reason
    from policy_cache.policy.language.model import Policy
    from policy_cache.request.targets import Hit


@dataclass(frozen=True, slots=True, eq=False)
class Conduct:
    """How a policy behaves as a whole; see `policy.model.Policy`."""

    observe: bool
    stand_down: bool
    replace: bool
    label: tuple[str, str]

    @classmethod
    def of(cls, policy: Policy, label: tuple[str, str]) -> Conduct:
        """The conduct that a policy asks for."""
        return cls(
            policy.mode == "observe",
            policy.client_markers == "stand_down",
            policy.client_markers == "replace",
            label,
        )


def decide(rules: Sequence[CompiledRule], facts: Facts, conduct: Conduct) -> Decision:
    """Decide one request under the rules that matched it."""
    decision = Decision(facts, conduct)
    marking = [rule for rule in rules if rule.marks]
    if len(marking) == len(rules):
        decision.open_arbitration(bool(marking))
    else:
        for rule in rules:
            if isinstance(rule.action, Unmark):
                decision.unmark(rule)
        for rule in rules:
            if isinstance(rule.action, Split):
                decision.split(rule, rule.action.at)
            elif isinstance(rule.action, SetParameters):
                decision.set_parameters(rule, rule.action)
        decision.open_arbitration(bool(marking))
    if marking:
        decision.mark(marking)
    decision.settle()
    return decision


class Decision:
    """What was decided for one request; `request` is the one to send."""

    __slots__ = (
        "_arbiter",
        "_client",
        "_conduct",
        "_cuts",
        "_facts",
        "_gone",
        "_halved",
        "_injection",
        "_parameters",
        "_placements",
        "_prefix",
        "_prompt",
        "_removals",
        "_replacing",
        "_stands_down",
        "_taken",
        "accepted",
        "request",
    )

    def __init__(self, facts: Facts, conduct: Conduct) -> None:
        prompt = facts.prompt
        self._facts = facts
        self._prompt = prompt
        self._conduct = conduct
        self._client = facts.route.markers_of(prompt)
        self._prefix = Prefix(prompt, facts.route.blocks)
        self._placements: list[Placement] = []
        self._removals: list[Removal] = []
        self._gone: set[tuple[Location, str]] = set()
        # Where no marker takes effect, one says at least that the client has a will of its own.
        explicit = facts.route.mechanism == "explicit"
        self._stands_down = conduct.stand_down and any(
            marker.block is not None or not explicit for marker in self._client
        )
        self._injection = injection(prompt.request)
        self._cuts: dict[Location, Cut] = {}
        self._halved: dict[Location, Block] = {}
        self._parameters: list[Edit] = []
        self._taken: set[str] = set()
        self._replacing = False
        self._arbiter: Arbiter | None = None
        self.accepted: list[Accepted] = []
        self.request = prompt.request

    def unmark(self, rule: CompiledRule) -> None:
        """Take client markers away: everywhere, or at the rule's targets."""
        if self._stands_down:
            detail = f"the client placed {len(self._client)}"
            for source in [target.source for target in rule.targets] or [rule.source]:
                self._placements.append(Placement(source, None, None, None, "stood_down", detail))
            return
        key = self._facts.route.key
        # Beside a `cache_control`, OpenAI's marker sleeps, and would wake once that is gone.
        beside = {m.holder for m in self._client if m.key == KEY}
        markers = [
            m
            for m in self._client
            if m.key == KEY or (m.key != key and (m.block is not None or m.holder in beside))
        ]
        if not rule.targets:
            self._remove(rule.source, None, markers)
        places = _by_place(markers) if rule.targets else {}
        for target in rule.targets:
            source = target.source
            hits = target.select(target.find(self._prompt))
            if not hits:
                self._placements.append(Placement(source, None, None, None, "no_target"))
            for hit in hits:
                self._remove(source, hit.location, _markers_at(hit, places))

    def _remove(self, source: Origin, location: Location | None, markers: list[ClientMarker]) -> None:
        fresh = [one for one in markers if (one.holder, one.key) not in self._gone]
        self._gone.update((one.holder, one.key) for one in fresh)
        self._removals += [Removal(one, source) for one in fresh]
        reason: Reason = "applied" if fresh else "duplicate" if markers else "no_target"
        detail = f"{len(fresh)} removed" if fresh else "no marker there"
        self._placements.append(
            Placement(source, location, location if fresh else None, None, reason, detail)
        )

    def open_arbitration(self, marks: bool) -> None:
        """Count what the client marked, as far as it stays."""
        gone = self._gone
        staying = [m for m in self._client if (m.holder, m.key) not in gone] if gone else self._client
        self._replacing = marks and self._conduct.replace and bool(staying)
        client = () if self._replacing else staying
        if not self._stands_down and self._injection != "points":
            self._arbiter = Arbiter(
                self._facts.route, self._prefix, client, self._placements, self._halved, self._cuts
            )

    def _refusal(self, rule: CompiledRule) -> tuple[Reason, str] | None:
        """Why a rule can place no marker on this request at all, if so."""
        route = self._facts.route
        provider = route.provider or "an unknown provider"
        if route.mechanism == "automatic":
            return "provider_automatic", f"{provider} caches by itself"
        if route.drops_markers:
            return (
                "route_drops_marker",
                f"litellm takes markers for {route.model} out on the way to {provider}",
            )
        if route.mechanism == "none":
            unknown = f"the catalog has no route for {provider} with {route.model}"
            return "provider_unsupported", f"no markers are sent to {provider}" if route.name else unknown
        if not rule.may_mark(route):
            named = f"a rule marks here only if its `match` names {route.only_when_named}"
            return "provider_automatic", f"{provider} caches by itself; {named}"
        if self._injection == "points":
            return "stood_down", MEANING["points"]
        if self._stands_down:
            return "stood_down", f"the client placed {len(self._client)}"
        return None

    def mark(self, rules: Sequence[CompiledRule]) -> None:
        """Want a marker at each target of each rule."""
        for rule in rules:
            refusal = self._refusal(rule)
            if refusal is not None:
                for target in rule.targets:
                    self._placements.append(Placement(target.source, None, None, target.ttl, *refusal))
                continue
            arbiter = self._arbiter
            assert arbiter is not None  # what closes the arbitration is a refusal
            for target in rule.targets:
                hits = target.find(self._prompt)
                if not hits:
                    self._placements.append(Placement(target.source, None, None, target.ttl, "no_target"))
                for hit in hits if len(hits) < 2 else target.select(hits):
                    arbiter.want(target.source, hit, target.ttl)

    def split(self, rule: CompiledRule, literal: str) -> None:
        """Split the text blocks at the rule's targets at a literal."""
        refusal = self._refusal(rule)
        for target in rule.targets:
            source = target.source
            if refusal is not None:
                self._placements.append(Placement(source, None, None, None, *refusal))
                continue
            hits = target.select(target.find(self._prompt))
            if not hits:
                self._placements.append(Placement(source, None, None, None, "no_target"))
            for hit in hits:
                self._placements.append(self._cut(source, hit, literal))

    def _cut(self, source: Origin, hit: Hit, literal: str) -> Placement:
        block = None if hit.order is None or hit.order[0] == REQUEST else self._prefix.settle(hit.order)
        text = None if block is None else self._text(block.location)
        if block is None or text is None:
            return Placement(
                source, hit.location, None, None, "not_markable", f"{source.target} is not a text"
            )
        if block.location in self._cuts:
            return Placement(source, hit.location, None, None, "duplicate", "split already")
        at = text.find(literal)
        if at < 0:
            return Placement(source, hit.location, None, None, "no_target", "the boundary is not in the text")
        if at == 0:
            stable = self._stable_half(block)
            if stable is not None:
                self._halved[block.location] = stable
            return Placement(source, hit.location, None, None, "duplicate", "the text begins at the boundary")
        self._cuts[block.location] = Cut(block.order, at, source)
        reason: Reason = "observed" if self._conduct.observe else "applied"
        return Placement(source, hit.location, block.location, None, reason, f"after {at:,} characters")

    def _text(self, location: Location) -> str | None:
        value = value_at(self._prompt.request, location)
        text = value if isinstance(value, str) else (fields_of(value) or {}).get("text")
        return text if isinstance(text, str) else None

    def _stable_half(self, block: Block) -> Block | None:
        """The block before one that begins at the boundary: what an earlier split left."""
        section, element, part, number = block.order
        if number == 0:
            return None
        before = self._prefix.settle((section, element, part, number - 1))
        return before if before is not None and before.order[:3] == block.order[:3] else None

    def set_parameters(self, rule: CompiledRule, action: SetParameters) -> None:
        """Set request-level cache parameters, each the way that litellm forwards it."""
        for name, wanted in action.values:
            self._placements.append(self._set_parameter(rule.source, name, wanted))

    def _set_parameter(self, source: Origin, name: str, wanted: Template | Mapping[str, str]) -> Placement:
        route = self._facts.route
        taken = route.parameters.get(name)
        if taken is None:
            detail = f"{name} does not reach {route.provider or 'an unknown provider'}"
            return Placement(source, None, None, None, "provider_unsupported", detail)
        location: Location = (name,) if taken.send == "argument" else ("extra_body", name)
        if name in self._taken:
            return Placement(source, location, None, None, "duplicate", "an earlier rule set it")
        if isinstance(wanted, Template):
            value, absent = wanted.fill(self._facts)
            if absent is not None:
                return Placement(source, location, None, None, "no_target", f"{absent} is absent")
        request = self._prompt.request
        extra = request.get("extra_body")
        if extra is not None and not isinstance(extra, dict):
            return Placement(source, location, None, None, "not_markable", "`extra_body` is not an object")
        if extra is not None and name in extra:
            location = ("extra_body", name)  # litellm lets it win over an argument
        before = (extra or {}).get(name)
        if before is None:
            before = request.get(name)
        detail = ""
        new: object
        if isinstance(wanted, Template):
            new = within(value or "", taken.longest)
            if taken.values and new not in taken.values:
                detail = f"{route.model} takes {' or '.join(taken.values)} here, not {new}"
                return Placement(source, location, None, None, "provider_unsupported", detail)
            if new != value:
                detail = f"shortened to a hash: the provider takes {taken.longest} characters"
        else:
            new = dict(wanted)
        if before is not None and not self._conduct.replace:
            kept = "" if before == new else "the client set another value"
            return Placement(source, location, None, None, "kept_client_marker", kept)
        self._taken.add(name)
        if before != new:
            there = name in request if location == (name,) else name in (extra or {})
            steps: tuple[Step, ...] = (Step("replace" if there else "add", location, new),)
            opened = any(edit.location[0] == "extra_body" for edit in self._parameters)
            if location[0] == "extra_body" and extra is None and not opened:
                steps = (Step("add", ("extra_body",), {name: new}),)
            self._parameters.append(Edit("set", location, before, new, source, steps))
        reason: Reason = "observed" if self._conduct.observe else "applied"
        return Placement(source, location, location, None, reason, detail)

    def settle(self) -> None:
        """Settle the TTLs, and apply everything to a copy."""
        accepted = self._arbiter.settle_ttls() if self._arbiter is not None else []
        self.accepted = accepted
        if self._replacing and accepted:
            source = self._placements[accepted[0].number].source
            self._removals += [
                Removal(marker, source)
                for marker in self._client
                if (marker.holder, marker.key) not in self._gone
            ]
        if self._conduct.observe:
            self._observe()
        elif self._removals or self._cuts or self._parameters:
            self.request = edited(self.request, self.edits())
        elif accepted:
            route = self._facts.route
            marks = {location: dict(route.markers[ttl]) for _, location, ttl, _ in accepted}
            self.request = marked(self.request, marks, route.key)

    def edits(self) -> list[Edit]:
        """The changes as values, in prefix order; parameters come last."""
        edits = prompt_edits(
            self._prompt,
            self._facts.route,
            self.accepted,
            self._placements,
            self._removals,
            self._cuts,
            self._client,
        )
        return edits + self._parameters

    def plan(self, matched: tuple[str, ...]) -> Plan:
        """The decision as a value, with everything that led to it."""
        edits, route = self.edits(), self._facts.route
        owners = {edit.location: edit.source for edit in edits if edit.change == "mark"}
        # One that a rule removed and another set anew, the same, is no edit; the place tells whose it is now.
        owners |= {a.location: self._placements[a.number].source for a in self.accepted}
        splits = [edit.location for edit in edits if edit.change == "split"]
        original, added = self._prompt.request, self._injection
        changed = original if not edits else edited(original, edits)
        intended = breakpoints(original, changed, route, owners=owners, splits=splits, injection=added)
        sent = intended
        if edits and self.request is original:
            sent = breakpoints(original, original, route, owners={}, splits=(), injection=added)
        return Plan(
            self.request,
            self._prompt.request,
            route,
            self._placements,
            edits,
            sent,
            intended,
            self._client,
            matched,
            self._conduct.label,
            self._injection,
        )

    def _observe(self) -> None:
        for index, placement in enumerate(self._placements):
            if placement.reason in ACTED:
                self._placements[index] = placement._replace(
                    reason="observed", detail=placement.detail or f"would be {placement.reason}"
                )


def within(text: str, longest: int | None) -> str:
    """A text, or a hash of it where it is longer than a provider takes: the same for the same text."""
    if longest is None or len(text) <= longest:
        return text
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()[:longest]


def _by_place(markers: Sequence[ClientMarker]) -> dict[Location, list[ClientMarker]]:
    """Markers by every location that holds them; those on the request by the empty one."""
    places: dict[Location, list[ClientMarker]] = {}
    for one in markers:
        if one.holder in {(), ("extra_body",)}:
            places.setdefault((), []).append(one)
        for length in range(1, len(one.holder) + 1):
            places.setdefault(one.holder[:length], []).append(one)
    return places


def _markers_at(hit: Hit, places: Mapping[Location, list[ClientMarker]]) -> list[ClientMarker]:
    """The markers at what a target named: on it, inside it, or the very marker."""
    if hit.order is not None and hit.order[0] == REQUEST:
        return places.get((), [])
    place = hit.location
    if KEY in place:
        holder = place[: place.index(KEY)]
        return [one for one in places.get(holder, []) if one.holder == holder]
    return places.get(place, []) if place else []
