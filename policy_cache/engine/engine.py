"""A compiled policy, applied to every request."""

from __future__ import annotations

import logging
import os
import sys
from collections import Counter
from contextlib import suppress
from copy import copy
from typing import TYPE_CHECKING, TypeAlias, TypedDict, TypeVar

from policy_cache.engine.compile import CompiledRule, Index, Split, compile_policy
from policy_cache.engine.decide import decide
from policy_cache.engine.direct import direct
from policy_cache.engine.match import Facts, base_model_of, drops_params
from policy_cache.engine.program import Alike, Left, Program
from policy_cache.engine.repair import KEY_PARAMETER, can_repair
from policy_cache.engine.state import Conduct, Label
from policy_cache.engine.transit import Incoming, Outgoing
from policy_cache.errors import RequestError
from policy_cache.lifetimes import Lifetimes
from policy_cache.policy.check.reach.routes import unknown_providers
from policy_cache.providers.catalog import packaged_catalog
from policy_cache.providers.resolve import Route, resolve
from policy_cache.request.edit import marked
from policy_cache.request.location import kind_of
from policy_cache.request.markers import ClientMarker
from policy_cache.request.metadata import carried_metadata
from policy_cache.request.names import Names
from policy_cache.request.prompt import Prompt, Shape, detect_shape
from policy_cache.text.words import quoted

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence
    from typing import Self, Unpack

    from policy_cache.engine.match import Context
    from policy_cache.engine.plan import Plan
    from policy_cache.policy.load import LoadedPolicy
    from policy_cache.providers.catalog import Catalog, Ttl
    from policy_cache.request.blocks import Order
    from policy_cache.request.location import Location

SWITCH = "POLICY_CACHE_DISABLED"
ON = frozenset({"1", "true", "yes", "on"})
"""What means yes in a variable of the environment."""

_log = logging.getLogger("policy_cache")
# A client may choose names, and they must not fill the memory: at most so many programs, each with names of
# at most so many characters. Programs with the same rules left share one list; if no two did, the lists would
# hold two million rules, 16 MB.
_MOST_PROGRAMS = 4_096
_MOST_LISTED = 2_000_000
_LONGEST_KEY = 2_048


def is_disabled() -> bool:
    """Whether the environment switches everything off: `POLICY_CACHE_DISABLED=1`."""
    return os.environ.get(SWITCH, "").lower() in ON


class Answer(TypedDict, total=False):
    """The keyword arguments of `Engine.learn`, which says what each is, and of whatever takes the same."""

    shape: Shape | None
    at: float | None
    read: int | None
    written: int | None
    anyway: bool


_Key: TypeAlias = "tuple[str, str | None, str | None, str | None, Shape, str | None, bool]"
_Traits: TypeAlias = tuple[object, ...]


class CompiledPolicy:
    """What a policy does to requests. Immutable, and safe to share between threads.

    Attributes:
        policy: The loaded policy, with its source and warnings.
        rules: Its compiled rules, in file order.
        edits_text: Whether any of them changes what a prompt says, beside its markers and parameters.
        failures: How often `rewrite` gave a request back unread, by kind of error.
        lifetimes: What `ttl: auto` means, as far as it was learned.
        learns: Whether any rule asks for that.
    """

    __slots__ = (
        "_alikes",
        "_catalog",
        "_conduct",
        "_index",
        "_lefts",
        "_most",
        "_programs",
        "_providers",
        "_repairs",
        "edits_text",
        "failures",
        "learns",
        "lifetimes",
        "policy",
        "rules",
    )

    def __init__(
        self,
        policy: LoadedPolicy,
        catalog: Catalog | None = None,
        *,
        enabled: bool = True,
        providers: Sequence[str] = (),
        lifetimes: Lifetimes | None = None,
    ) -> None:
        """Compile a loaded policy.

        Args:
            policy: The policy.
            catalog: What the providers take; the packaged catalog if left out.
            enabled: False lets every request pass untouched, and so does `POLICY_CACHE_DISABLED`.
            providers: Globs over the providers whose requests may change; all if left out.
            lifetimes: What was learned so far; nothing if left out.
        """
        self.policy = policy
        acts = enabled and policy.policy.enabled and not is_disabled()
        self.rules: tuple[CompiledRule, ...] = compile_policy(policy) if acts else ()
        self.edits_text = any(isinstance(rule.action, Split) for rule in self.rules)
        self._providers = Names(tuple(providers)) if providers else None
        self.failures: Counter[str] = Counter()
        self.lifetimes = lifetimes or Lifetimes()
        self.learns = any(target.ttl == "auto" for rule in self.rules for target in rule.targets)
        self._repairs = acts and policy.policy.client_markers == "repair"
        self._conduct = Conduct.of(
            policy.policy, Label(policy.source.name, policy.revision, policy.policy.name)
        )
        self._catalog = catalog or packaged_catalog()
        if providers:
            _tell_unknown(providers, self._catalog)
        self._index = Index.of(self.rules)
        self._most = max(1, min(_MOST_PROGRAMS, _MOST_LISTED // (len(self.rules) or 1)))
        self._programs: dict[_Key, Program] = {}
        self._lefts: dict[_Traits, Left] = {}
        self._alikes: dict[Hashable, Alike] = {}

    def rewrite(
        self,
        request: dict[str, object],
        *,
        provider: str | None = None,
        alias: str | None = None,
        metadata: Mapping[str, object] | None = None,
        headers: Mapping[str, object] | None = None,
        shape: Shape | None = None,
    ) -> dict[str, object]:
        """Return the request to send.

        The given request is never mutated, and is itself returned when nothing changes, or when
        anything goes wrong: that is counted in `failures` and logged once per kind, never raised.

        Args:
            request: The keyword arguments of `litellm.completion`, `litellm.anthropic_messages` or
                `litellm.responses`.
            provider: litellm's provider name, in place of what the request says.
            alias: The router's own name for the model.
            metadata: What `metadata` conditions look at; by default what the request carries.
            headers: What `headers` conditions look at; by default what the request carries.
            shape: `chat`, `messages` or `responses`; by default told from the request.
        """
        try:
            return self._sent(*self._enter(request, provider, alias, metadata, headers, shape))
        except Exception as error:  # noqa: BLE001, a router must never fail because of a policy
            self._failed(error)
            return request

    def incoming(
        self, request: dict[str, object], *, prompt: Prompt | None = None, **context: Unpack[Context]
    ) -> Incoming:
        """A request on its way in, for `send`.

        Args:
            request: The request.
            prompt: Its prompt, where that was read already.
            **context: What `rewrite` takes.

        Raises:
            RequestError: It names no model.
        """
        return Incoming(*self._enter(request, **context, prompt=prompt))

    def send(self, incoming: Incoming) -> dict[str, object]:
        """The request to send; what `rewrite` says of that goes for this, too."""
        try:
            return self._sent(*incoming)
        except Exception as error:  # noqa: BLE001, a router must never fail because of a policy
            self._failed(error)
            return incoming.facts.request

    def outgoing(self, incoming: Incoming) -> Outgoing:
        """What `send` makes of a request, as far as a cache sees it; cheaper than to read it back.

        Raises:
            RequestError: It is not a request that can be read.
        """
        facts, program = incoming
        prompt, route = facts.prompt, program.route
        if program.left.acts:
            marks = self._direct(self._matching(facts, program), facts, program)
            if marks is not None:
                key = route.key
                markers = [ClientMarker(at, at, order, ttl, key) for at, (order, ttl) in marks.items()]
                return Outgoing(prompt, markers)
        sent = prompt.rewritten(self.send(incoming))
        return Outgoing(sent, route.markers_of(sent))

    def plan(self, request: dict[str, object], **context: Unpack[Context]) -> Plan:
        """Decide a request and say why; takes what `rewrite` takes.

        Raises:
            RequestError: It is not a request that can be planned.
        """
        facts, program = self._enter(request, **context)
        matched = self._matching(facts, program)
        decision = decide(
            matched, facts, self._conduct, self.lifetimes, repairs=program.left.repairs, recorded=True
        )
        return decision.plan(tuple(rule.source.rule for rule in matched))

    def learning(self, lifetimes: Lifetimes) -> Self:
        """The same policy, which learns apart."""
        other = copy(self)
        other.lifetimes = lifetimes
        return other

    def learn(
        self,
        request: dict[str, object],
        *,
        shape: Shape | None = None,
        at: float | None = None,
        read: int | None = None,
        written: int | None = None,
        anyway: bool = False,
    ) -> None:
        """Learn from a request that was sent and answered, for `ttl: auto`. Never raises.

        Args:
            request: The request as it came.
            shape: Its shape; by default told from it.
            at: When it was sent, in seconds since the epoch; by default now.
            read: The tokens that the answer reported as read; None where it said nothing.
            written: Those that it reported as written.
            anyway: Learn even where no rule asks for that.
        """
        if not (self.learns or anyway):
            return
        try:
            incoming = self.incoming(request, shape=shape)
            prompt, markers = incoming.facts.prompt, self.outgoing(incoming).markers
            self.lifetimes.learn(prompt, incoming.route, markers, at=at, read=read, written=written)
        except RequestError:
            return
        except Exception as error:  # noqa: BLE001, what cannot be learned must not cost an answer
            self._failed(error)

    def route(self, request: dict[str, object], **context: Unpack[Context]) -> Route:
        """Where a request goes; takes what `rewrite` takes.

        Raises:
            RequestError: It names no model.
        """
        return self._enter(request, **context)[1].route

    def facts(self, request: dict[str, object], **context: Unpack[Context]) -> Facts:
        """What conditions see of a request; takes what `rewrite` takes.

        Raises:
            RequestError: It is not a request that can be planned.
        """
        facts, _ = self._enter(request, **context)
        _ = facts.prompt  # what cannot be read is told of here
        return facts

    def _enter(
        self,
        request: dict[str, object],
        provider: str | None = None,
        alias: str | None = None,
        metadata: Mapping[str, object] | None = None,
        headers: Mapping[str, object] | None = None,
        shape: Shape | None = None,
        prompt: Prompt | None = None,
    ) -> tuple[Facts, Program]:
        if not isinstance(request, dict):
            raise RequestError((), found=kind_of(request), expected="a request, as a dict")
        model = request.get("model")
        if not isinstance(model, str):
            raise RequestError(("model",), found=kind_of(model), expected="the model's name")
        if provider is None and "custom_llm_provider" in request:
            provider = _text(request["custom_llm_provider"])
        if alias is None and (metadata or "metadata" in request or "litellm_metadata" in request):
            if metadata is None:
                metadata = carried_metadata(request)
            alias = _text(metadata.get("model_group"))
        if shape is None:
            shape = detect_shape(request) if prompt is None else prompt.shape
        base = request.get("api_base") or request.get("base_url")
        deployed = "model_info" in request or "base_model" in request
        base_model = base_model_of(request) if deployed else None
        drops = "drop_params" in request and drops_params(request["drop_params"])
        key = (model, provider, alias, base if base is None else _text(base), shape, base_model, drops)
        program = self._programs.get(key)
        if program is None:
            program = self._compile(key)
        return Facts(
            request, program.route, alias, metadata=metadata, headers=headers, prompt=prompt
        ), program

    def _compile(self, key: _Key) -> Program:
        model, provider, alias, api_base, shape, base_model, drops = key
        length = sum(len(name) for name in key[:-1] if name)
        if length > _LONGEST_KEY:
            expected = f"names of at most {_LONGEST_KEY:,} characters"
            raise RequestError((), found=f"{length:,} characters", expected=expected)
        route = resolve(
            self._catalog,
            model=model,
            provider=provider,
            api_base=api_base,
            shape=shape,
            base_model=base_model,
            # litellm's own setting, where the process has it.
            drop_params=drops or getattr(sys.modules.get("litellm"), "drop_params", None) is True,
        )
        left = self._left(route, alias)
        traits = _alike(route, left)
        alike = self._alikes.get(traits)
        if alike is None:
            alike = Alike(left)
            _remember(self._alikes, traits, alike, self._most)
        program = Program(route, left, alike)
        _remember(self._programs, key, program, self._most)
        return program

    def _left(self, route: Route, alias: str | None) -> Left:
        """What is left on a route: the same object for routes that differ in nothing that a rule asks."""
        excluded = route.left_alone or (
            self._providers is not None and not self._providers.match(route.provider)
        )
        answers = self._index.answers(Facts({}, route, alias))
        parameters = tuple(route.parameters)
        repairs = self._repairs and not excluded and can_repair(route)
        traits = (
            excluded,
            answers,
            route.mechanism,
            route.only_when_named,
            parameters,
            route.run,
            repairs,
        )
        left = self._lefts.get(traits)
        if left is None:
            candidates = () if excluded else self._index.candidates(answers)
            acting = [candidate.rule for candidate in candidates if candidate.rule.acts_on(route)]
            marks = any(rule.marks for rule in acting)
            named = route.run or route.only_when_named is not None
            left = Left(
                candidates,
                acts=repairs or bool(acting),
                direct=not (self._conduct.observe or (marks and named))
                and all(rule.is_direct for rule in acting),
                marks=marks,
                repairs=repairs,
            )
            _remember(self._lefts, traits, left, self._most)
        return left

    def _sent(self, facts: Facts, program: Program) -> dict[str, object]:
        request, left = facts.request, program.left
        if not left.acts:
            return request
        matched = self._matching(facts, program)
        marks = self._direct(matched, facts, program)
        if marks is not None:
            # Where every prefix is too small, the very request.
            markers = program.route.markers
            made = {location: markers[ttl].copy() for location, (_, ttl) in marks.items()}
            return marked(request, made, program.route.key) if made else request
        decision = decide(matched, facts, self._conduct, self.lifetimes, repairs=left.repairs, recorded=False)
        if self._conduct.observe:
            ttls = ", ".join(marker.ttl for marker in decision.accepted)
            _log.info(
                "%s would place %d markers%s",
                self.policy.source.name,
                len(decision.accepted),
                f": {ttls}" if ttls else "",
            )
        return decision.request  # type: ignore[return-value]

    def _direct(
        self, matched: list[CompiledRule], facts: Facts, program: Program
    ) -> Mapping[Location, tuple[Order, Ttl]] | None:
        left = program.left
        if not left.direct or (left.repairs and KEY_PARAMETER in facts.request):
            return None
        return direct(matched if left.marks else (), facts.prompt, program.route, self.lifetimes)

    def _matching(self, facts: Facts, program: Program) -> list[CompiledRule]:
        matched: list[CompiledRule] = []
        for rule, tests, veto in program.left.candidates:
            for test in tests:
                if not test(facts):
                    break
            else:
                if veto is not None and all(condition.holds(facts) for condition in veto):
                    continue
                matched.append(rule)
                if rule.stop:
                    break
        return matched

    def _failed(self, error: Exception) -> None:
        """Count a failure and log its kind once; a RequestError holds no text of the request."""
        kind = type(error).__name__
        self.failures[kind] += 1
        if self.failures[kind] == 1:
            trace = error.__traceback__
            while trace is not None and trace.tb_next is not None:
                trace = trace.tb_next
            code = f" at {trace.tb_frame.f_code.co_name}:{trace.tb_lineno}" if trace else ""
            detail = f": {error}" if isinstance(error, RequestError) else code
            _log.warning("a request was passed on unchanged after %s%s (logged once)", kind, detail)


def _tell_unknown(providers: Sequence[str], catalog: Catalog) -> None:
    """Log which names stand for no provider that is known, since requests to all others stay as they are."""
    routed = (name for route in catalog.routes for name in route.providers)
    for name, close in unknown_providers(providers, sorted({*catalog.providers, *routed})):
        hint = f"; did you mean {quoted(close)}?" if close else ""
        _log.warning("`providers`: no provider is called %s%s", quoted(name), hint)


def _alike(route: Route, left: Left) -> Hashable:
    return (
        id(left),
        route.shape,
        route.breakpoints,
        route.ttls,
        route.minimum,
        route.request_marker,
        route.blocks,
        route.key,
        route.mechanism,
        route.run,
        type(route.cache),
    )


_K = TypeVar("_K")
_V = TypeVar("_V")


def _remember(table: dict[_K, _V], key: _K, value: _V, most: int) -> None:
    """Keep a value, and let the oldest go; no lock, since another thread can at most let one more go."""
    if len(table) >= most:
        with suppress(RuntimeError):  # it grew just now
            table.pop(next(iter(table), key), None)
    table[key] = value


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
