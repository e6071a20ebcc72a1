"""Compiling a policy: each rule to conditions and actions that are ready to run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from policy_cache.engine.changes import Origin
from policy_cache.engine.match import Condition, Facts, Test, compile_match, text_of
from policy_cache.request.targets import PLACES, Finder, Hit, compile_target

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from policy_cache.policy.language.model import Rule, Target, Ttl
    from policy_cache.policy.load import LoadedPolicy
    from policy_cache.providers.resolve import Route
    from policy_cache.request.prompt import Prompt
    from policy_cache.request.targets import Place

Take: TypeAlias = Literal["first", "last", "all"] | int


@dataclass(frozen=True, slots=True, eq=False)
class CompiledTarget:
    """One target of a rule.

    Attributes:
        source: The rule, the target as written, and its line in the policy file.
        ttl: The TTL that markers there shall have; `auto` is chosen for each request.
        find: Locates it in a prompt.
        take: Which of its hits to use; a number means that many, counted from the end.
        place: Locates the element whose end a named target means, at once; None for other targets.
    """

    source: Origin
    ttl: Ttl
    find: Finder
    take: Take
    place: Callable[[Prompt], Place | None] | None

    def select(self, hits: Sequence[Hit]) -> Sequence[Hit]:
        """The hits to use, those nearest the end first."""
        if len(hits) < 2:
            return hits
        match self.take:
            case "all":
                return hits[::-1]
            case "first":
                return hits[:1]
            case "last":
                return hits[-1:]
            case int(number):
                return hits[-number:][::-1]


@dataclass(frozen=True, slots=True)
class Template:
    """A text with `{names}` to fill in, split once."""

    parts: tuple[str, ...]

    def fill(self, facts: Facts) -> tuple[str | None, str | None]:
        """The filled text, or None and the name that is absent, or no text that can be sent."""
        out: list[str] = []
        for index, part in enumerate(self.parts):
            if index % 2 == 0:
                out.append(part)
                continue
            text = text_of(facts.look_up(part))
            if not text or not text.isprintable():
                return None, part
            out.append(text)
        return "".join(out), None


@dataclass(frozen=True, slots=True, eq=False)
class Mark:
    """`add_cache_control`."""


@dataclass(frozen=True, slots=True, eq=False)
class Unmark:
    """`remove_cache_control`."""


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """`split_text`: the boundary."""

    at: str


@dataclass(frozen=True, slots=True, eq=False)
class SetParameters:
    """`set`: the parameters and their values, and the headers, in lower case, and theirs."""

    values: tuple[tuple[str, Template | dict[str, object]], ...]
    headers: tuple[tuple[str, Template], ...] = ()


Action: TypeAlias = Mark | Unmark | Split | SetParameters


@dataclass(frozen=True, slots=True, eq=False)
class CompiledRule:
    """A rule ready to run.

    Attributes:
        number: Its place in the file, from 1.
        source: Its name, and its line in the policy file.
        match: Conditions that must all hold.
        veto: Conditions that, all holding, take the rule out; empty when there is no `except`.
        targets: What it acts on.
        action: What it does.
        stop: Whether no later rule applies once it matched.
        marks: Whether it adds markers.
        names: What its `match` says of providers and models, in lower case.
    """

    number: int
    source: Origin
    match: tuple[Condition, ...]
    veto: tuple[Condition, ...]
    targets: tuple[CompiledTarget, ...]
    action: Action
    stop: bool
    marks: bool
    names: tuple[str, ...]

    def may_mark(self, route: Route) -> bool:
        """Whether a route that waits to be named is named; see `RouteEntry.only_when_named`."""
        word = route.only_when_named
        return word is None or any(word in name for name in self.names)

    @property
    def is_direct(self) -> bool:
        """Whether it only marks the ends of whole elements, or only removes what clients marked."""
        if isinstance(self.action, Unmark):
            return True
        return self.marks and all(target.place is not None for target in self.targets)

    def acts_on(self, route: Route) -> bool:
        """Whether its action can change anything on a route."""
        if isinstance(self.action, (Mark, Split)):
            return route.mechanism == "explicit" and self.may_mark(route)
        return not isinstance(self.action, SetParameters) or any(
            name in route.parameters for name, _ in (*self.action.values, *self.action.headers)
        )


class Candidate(NamedTuple):
    """A rule that a route does not exclude, with what is still to be asked of each request.

    Attributes:
        rule: The rule.
        tests: What must all hold.
        veto: What, all holding, takes the rule out; None where nothing can.
    """

    rule: CompiledRule
    tests: tuple[Test, ...]
    veto: tuple[Condition, ...] | None


class Entry(NamedTuple):
    """A rule as a route is asked about it.

    Attributes:
        match: The numbers of the static conditions of its `match`.
        veto: Those of its `except`; None where there is none.
        free: What is left of it where its `except` cannot hold.
        bound: What is left of it where its `except` may hold; None where it does.
    """

    match: tuple[int, ...]
    veto: tuple[int, ...] | None
    free: Candidate
    bound: Candidate | None


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """The rules of a policy by what a route decides of them.

    Attributes:
        conditions: Their static conditions, each once.
        entries: The rules, in file order.
    """

    conditions: tuple[Condition, ...]
    entries: tuple[Entry, ...]

    @classmethod
    def of(cls, rules: tuple[CompiledRule, ...]) -> Index:
        """Number the static conditions of some rules."""
        numbers: dict[Condition, int] = {}

        def numbered(conditions: tuple[Condition, ...]) -> tuple[int, ...]:
            return tuple(numbers.setdefault(c, len(numbers)) for c in conditions if c.static)

        entries: list[Entry] = []
        for rule in rules:
            tests = tuple(c.holds for c in rule.match if not c.static)
            veto = tuple(c for c in rule.veto if not c.static)
            entries.append(
                Entry(
                    numbered(rule.match),
                    numbered(rule.veto) if rule.veto else None,
                    Candidate(rule, tests, None),
                    Candidate(rule, tests, veto) if veto else None,
                )
            )
        return cls(tuple(numbers), tuple(entries))

    def answers(self, facts: Facts) -> bytes:
        """Whether each static condition holds; only the route and the alias of `facts` are looked at."""
        return bytes(condition.holds(facts) for condition in self.conditions)

    def candidates(self, answers: bytes) -> tuple[Candidate, ...]:
        """The rules that may apply, given what holds."""
        candidates: list[Candidate] = []
        for match, veto, free, bound in self.entries:
            if not all(answers[number] for number in match):
                continue
            vetoed = veto is not None and all(answers[number] for number in veto)
            candidate = bound if vetoed else free
            if candidate is None:
                continue
            candidates.append(candidate)
            if candidate.rule.stop and not candidate.tests and candidate.veto is None:
                break
        return tuple(candidates)


def compile_policy(loaded: LoadedPolicy) -> tuple[CompiledRule, ...]:
    """Compile every rule of a loaded policy, in file order."""
    return tuple(_rule(loaded, rule, index) for index, rule in enumerate(loaded.policy.rules))


def _rule(loaded: LoadedPolicy, rule: Rule, index: int) -> CompiledRule:
    added = rule.action.add_cache_control
    ttl: Ttl = (added.ttl if added else None) or "5m"
    return CompiledRule(
        number=index + 1,
        source=Origin(rule.name, "", loaded.line("rules", index)),
        match=compile_match(rule.match, rule.name),
        veto=compile_match(rule.except_, rule.name),
        targets=tuple(
            _target(target, Origin(rule.name, target.at, loaded.line("rules", index, "targets", place)), ttl)
            for place, target in enumerate(rule.targets)
        ),
        action=_action(rule),
        stop=rule.stop,
        marks=added is not None,
        names=tuple(name.lower() for name in (*rule.match.provider, *rule.match.model)) if rule.match else (),
    )


def _target(target: Target, source: Origin, ttl: Ttl) -> CompiledTarget:
    return CompiledTarget(
        source,
        target.ttl or ttl,
        compile_target(target.at, target.boundary),
        target.take,
        PLACES.get(target.at),
    )


def _action(rule: Rule) -> Action:
    action = rule.action
    if action.split_text is not None:
        return Split(action.split_text.at)
    if action.set is not None:
        given = action.set.model_dump(exclude_none=True)
        headers = given.pop("headers", {})
        return SetParameters(
            tuple(
                (name, _template(value) if isinstance(value, str) else value) for name, value in given.items()
            ),
            tuple((name.lower(), _template(value)) for name, value in headers.items()),
        )
    return Mark() if action.add_cache_control is not None else Unmark()


def _template(text: str) -> Template:
    return Template(tuple(re.split(r"\{([^{}]*)\}", text)))
