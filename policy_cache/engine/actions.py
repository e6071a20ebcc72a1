"""What a rule does: each action takes what was settled so far, and adds its wishes, edits and placements."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from policy_cache.engine.arbitrate import Arbiter
from policy_cache.engine.changes import Edit, Origin, Placement, Step
from policy_cache.engine.compile import Mark, SetParameters, Split, Template, Unmark
from policy_cache.engine.edits import Cut, Removal
from policy_cache.engine.injection import MEANING, injection
from policy_cache.engine.repair import (
    REPAIR,
    hashed,
    idle_markers,
    inner_markers,
    long_markers,
    outward,
    shortened_keys,
    shorter,
    takes_markers,
    within,
)
from policy_cache.request.blocks import REQUEST, Block
from policy_cache.request.location import Location, fields_of, value_at
from policy_cache.request.markers import KEY, ON_REQUEST, ClientMarker, ttl_of
from policy_cache.request.prefix import Prefix

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from policy_cache.engine.compile import CompiledRule
    from policy_cache.engine.match import Facts
    from policy_cache.engine.reasons import Reason
    from policy_cache.lifetimes import Choice, Lifetimes
    from policy_cache.policy.language.model import Policy
    from policy_cache.request.targets import Hit


@dataclass(frozen=True, slots=True, eq=False)
class Conduct:
    """How a policy behaves as a whole; see `policy.language.model.Policy`."""

    observe: bool
    stand_down: bool
    replace: bool
    overrules: bool
    label: tuple[str, str]

    @classmethod
    def of(cls, policy: Policy, label: tuple[str, str]) -> Conduct:
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


def repair(state: State) -> None:
    """Put right what the client brought and the provider would refuse or ignore, of what the rules left."""
    route, request = state.facts.route, state.prompt.request
    if takes_markers(route):
        _repair_markers(state)
    for edit in shortened_keys(request, route):
        state.parameters.append(edit)
        state.repaired(edit.location, "shortened to a hash: the provider takes no longer one")


def _repair_markers(state: State) -> None:
    prompt, route, request = state.prompt, state.facts.route, state.prompt.request
    for marker, why in idle_markers(prompt, route, state.left()):
        state.remove([marker], REPAIR)
        state.repaired(marker.holder, why)
    left = state.left()
    for marker, why in long_markers(request, route, left):
        state.mended[marker.holder, marker.key] = shorter(request, marker)
        state.repaired(marker.holder, why)
    for marker, why in inner_markers(request, left):
        place = (marker.holder, marker.key)
        state.mended[place] = outward(request, route, marker, state.mended.get(place))
        state.repaired(marker.holder, why)


def unmark(state: State, rule: CompiledRule) -> None:
    """Take client markers away: everywhere, or at the rule's targets."""
    placements = state.placements
    if state.stands_down:
        detail = f"the client placed {len(state.client)}"
        for source in [target.source for target in rule.targets] or [rule.source]:
            placements.append(Placement(source, None, None, None, "stood_down", detail))
        return
    route = state.facts.route
    # Beside a `cache_control`, OpenAI's marker sleeps, and would wake once that is gone.
    beside = {marker.holder for marker in state.client if marker.key == KEY}
    markers = [
        marker
        for marker in state.client
        if marker.key == KEY
        or route.mechanism != "explicit"
        or (marker.key != route.key and (marker.block is not None or marker.holder in beside))
    ]
    if not rule.targets:
        placements.append(_removed(state, rule.source, None, markers))
        return
    places = _by_place(markers)
    for target in rule.targets:
        hits = target.select(target.find(state.prompt))
        if not hits:
            placements.append(Placement(target.source, None, None, None, "no_target"))
        for hit in hits:
            placements.append(_removed(state, target.source, hit.location, _markers_at(hit, places)))


def _removed(
    state: State, source: Origin, location: Location | None, markers: Sequence[ClientMarker]
) -> Placement:
    number = state.remove(markers, source)
    reason: Reason = "applied" if number else "duplicate" if markers else "no_target"
    detail = f"{number} removed" if number else "no marker there"
    return Placement(source, location, location if number else None, None, reason, detail)


def split(state: State, rule: CompiledRule) -> None:
    """Split the text blocks at the rule's targets at a literal."""
    refusal = state.refusal(rule)
    assert isinstance(rule.action, Split)
    for target in rule.targets:
        source = target.source
        if refusal is not None:
            state.placements.append(Placement(source, None, None, None, *refusal))
            continue
        hits = target.select(target.find(state.prompt))
        if not hits:
            state.placements.append(Placement(source, None, None, None, "no_target"))
        for hit in hits:
            state.placements.append(_cut(state, source, hit, rule.action.at))


def _cut(state: State, source: Origin, hit: Hit, literal: str) -> Placement:
    block = None if hit.order is None or hit.order[0] == REQUEST else state.prefix.settle(hit.order)
    text = None if block is None else _text(state, block.location)
    if block is None or text is None:
        return Placement(source, hit.location, None, None, "not_markable", f"{source.target} is not a text")
    if block.location in state.cuts:
        return Placement(source, hit.location, None, None, "duplicate", "split already")
    at = text.find(literal)
    if at < 0:
        return Placement(source, hit.location, None, None, "no_target", "the boundary is not in the text")
    if at == 0:
        stable = _stable_half(state, block)
        if stable is not None:
            state.halved[block.location] = stable
        return Placement(source, hit.location, None, None, "duplicate", "the text begins at the boundary")
    state.cuts[block.location] = Cut(block.order, at, source)
    reason: Reason = "observed" if state.conduct.observe else "applied"
    return Placement(source, hit.location, block.location, None, reason, f"after {at:,} characters")


def _text(state: State, location: Location) -> str | None:
    value = value_at(state.prompt.request, location)
    text = value if isinstance(value, str) else (fields_of(value) or {}).get("text")
    return text if isinstance(text, str) else None


def _stable_half(state: State, block: Block) -> Block | None:
    """The block before one that begins at the boundary: what an earlier split left."""
    section, element, part, number = block.order
    if number == 0:
        return None
    before = state.prefix.settle((section, element, part, number - 1))
    return before if before is not None and before.order[:3] == block.order[:3] else None


def set_parameters(state: State, rule: CompiledRule) -> None:
    """Set request-level cache parameters, each the way that litellm forwards it."""
    assert isinstance(rule.action, SetParameters)
    for name, wanted in rule.action.values:
        state.placements.append(_parameter(state, rule.source, name, wanted))
    for name, value in rule.action.headers:
        state.placements.append(_header(state, rule.source, name, value))


def _parameter(state: State, source: Origin, name: str, wanted: Template | Mapping[str, object]) -> Placement:
    route = state.facts.route
    taken = route.parameters.get(name)
    if taken is None or taken.send == "header":
        return _unreached(state, source, name)
    location: Location = (name,) if taken.send == "argument" else ("extra_body", name)
    if name in state.taken:
        return Placement(source, location, None, None, "duplicate", "an earlier rule set it")
    if isinstance(wanted, Template):
        value, absent = wanted.fill(state.facts)
        if absent is not None:
            return Placement(source, location, None, None, "no_target", f"{absent} is absent")
    request = state.prompt.request
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
    if before is not None and not state.conduct.replace:
        kept = "" if before == new else "the client set another value"
        if isinstance(before, str) and taken.longest is not None and len(before) > taken.longest:
            kept = f"the client's has {len(before):,} characters, and the provider takes {taken.longest}"
        return Placement(source, location, None, None, "kept_client_marker", kept)
    state.taken.add(name)
    if before != new:
        there = name in request if location == (name,) else name in (extra or {})
        steps: tuple[Step, ...] = (Step("replace" if there else "add", location, new),)
        opened = any(edit.location[0] == "extra_body" for edit in state.parameters)
        if location[0] == "extra_body" and extra is None and not opened:
            steps = (Step("add", ("extra_body",), {name: new}),)
        state.parameters.append(Edit("set", location, before, new, source, steps))
    reason: Reason = "observed" if state.conduct.observe else "applied"
    return Placement(source, location, location, None, reason, detail)


_HEADERS = ("extra_headers", "headers")
"""Where litellm takes headers; the first wins."""

_LONGEST_HEADER = 256
_IN_HEADER = re.compile(r"[!-~](?:[ -~]*[!-~])?")


def _unreached(state: State, source: Origin, name: str) -> Placement:
    detail = f"{name} does not reach {state.facts.route.provider or 'an unknown provider'}"
    return Placement(source, None, None, None, "provider_unsupported", detail)


def _header(state: State, source: Origin, name: str, wanted: Template) -> Placement:
    """One header, whose name a client may spell as it likes, and more than once."""
    taken = state.facts.route.parameters.get(name)
    if taken is None or taken.send != "header":
        return _unreached(state, source, name)
    location: Location = (_HEADERS[0], name)
    if name in state.taken:
        return Placement(source, location, None, None, "duplicate", "an earlier rule set it")
    value, absent = wanted.fill(state.facts)
    if value is None:
        return Placement(source, location, None, None, "no_target", f"{absent} is absent")
    request = state.prompt.request
    given = {holder: request.get(holder) for holder in _HEADERS}
    extra = given[_HEADERS[0]]
    if extra is not None and not isinstance(extra, dict):
        return Placement(source, location, None, None, "not_markable", f"`{_HEADERS[0]}` is not an object")
    places: list[Location] = [
        (holder, key)
        for holder, headers in given.items()
        if isinstance(headers, dict)
        for key in headers
        if isinstance(key, str) and key.lower() == name
    ]
    before = [given[str(holder)][key] for holder, key in places]  # type: ignore[index]
    longest = taken.longest or _LONGEST_HEADER
    fits = len(value) <= longest and _IN_HEADER.fullmatch(value)
    new = value if fits else hashed(value)
    detail = "" if new == value else f"a hash: a header takes {longest} characters of ASCII"
    if any(header is not None for header in before) and not state.conduct.replace:
        kept = "" if set(map(str, before)) == {new} else "the client set another value"
        return Placement(source, places[0], None, None, "kept_client_marker", kept)
    state.taken.add(name)
    steps = tuple(Step("replace", place, new) for place in places)
    if not places:
        opened = any(edit.location[0] == _HEADERS[0] for edit in state.parameters)
        whole = extra is None and not opened
        steps = (Step("add", location[:1], {name: new}) if whole else Step("add", location, new),)
    at = places[0] if places else location
    if any(header != new for header in before) or not places:
        state.parameters.append(Edit("set", at, before[0] if before else None, new, source, steps))
    reason: Reason = "observed" if state.conduct.observe else "applied"
    return Placement(source, at, at, None, reason, detail)


def mark(state: State, rule: CompiledRule) -> None:
    """Want a marker at each of the rule's targets.

    Where no record is wanted, a wish that can win nothing is passed over: a request may have thousands.
    """
    refusal = state.refusal(rule)
    if refusal is not None:
        for target in rule.targets:
            state.placements.append(Placement(target.source, None, None, target.ttl, *refusal))
        return
    arbiter = state.arbitration()
    for target in rule.targets:
        hits = target.find(state.prompt)
        if not hits:
            state.placements.append(Placement(target.source, None, None, target.ttl, "no_target"))
        for hit in hits if len(hits) < 2 else target.select(hits):
            if state.recorded or not arbiter.is_vain(hit):
                arbiter.want(target.source, hit, state.choice if target.ttl == "auto" else target.ttl)
            elif arbiter.is_full:
                return


def _by_place(markers: Sequence[ClientMarker]) -> dict[Location, list[ClientMarker]]:
    """Markers by every location that holds them; those on the request by the empty one."""
    places: dict[Location, list[ClientMarker]] = {}
    for marker in markers:
        if marker.holder in ON_REQUEST:
            places.setdefault((), []).append(marker)
        for length in range(1, len(marker.holder) + 1):
            places.setdefault(marker.holder[:length], []).append(marker)
    return places


def _markers_at(hit: Hit, places: Mapping[Location, list[ClientMarker]]) -> list[ClientMarker]:
    """The markers at what a target named: on it, inside it, or the very marker."""
    if hit.order is not None and hit.order[0] == REQUEST:
        return places.get((), [])
    place = hit.location
    if KEY in place:
        holder = place[: place.index(KEY)]
        return [marker for marker in places.get(holder, []) if marker.holder == holder]
    return places.get(place, []) if place else []


Stage: TypeAlias = "Mapping[type, Callable[[State, CompiledRule], None]]"

ORDER: tuple[Stage, ...] = (
    {Unmark: unmark},
    {Split: split, SetParameters: set_parameters},
    {Mark: mark},
)
"""The actions in their order; those of a stage act in the order of their rules. Repairs follow the first."""
