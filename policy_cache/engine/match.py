"""Conditions: what a rule asks of a request, compiled to small predicates."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile
from operator import attrgetter
from typing import TYPE_CHECKING, TypeAlias, TypedDict

from policy_cache.request.blocks import ABSENT, SYSTEM, value_of, walk
from policy_cache.request.location import fields_of
from policy_cache.request.markers import unmarked
from policy_cache.request.metadata import carried_metadata, first_mapping
from policy_cache.request.names import Names
from policy_cache.request.path import compile_path
from policy_cache.request.prompt import Prompt
from policy_cache.request.tokens import CHARS_PER_TOKEN, chars
from policy_cache.text.amounts import counted

if TYPE_CHECKING:
    from policy_cache.policy.language.model import Match, Range, Sample
    from policy_cache.providers.resolve import Route
    from policy_cache.request.prompt import Shape


class Context(TypedDict, total=False):
    """The keyword arguments of `Engine.rewrite`, which says what each is, and of whatever takes the same."""

    provider: str | None
    alias: str | None
    metadata: Mapping[str, object] | None
    headers: Mapping[str, object] | None
    shape: Shape | None


class Facts:
    """What conditions may look at in one request.

    Static conditions look at the route and the alias alone, and may be asked before there is a prompt.
    """

    __slots__ = ("_given_headers", "_headers", "_metadata", "_prompt", "alias", "request", "route")

    def __init__(
        self,
        request: dict[str, object],
        route: Route,
        alias: str | None,
        *,
        metadata: Mapping[str, object] | None = None,
        headers: Mapping[str, object] | None = None,
        prompt: Prompt | None = None,
    ) -> None:
        self._prompt = prompt
        self.request = request
        self.route = route
        self.alias = alias
        self._metadata = metadata
        self._given_headers = headers
        self._headers: Mapping[str, object] | None = None

    @property
    def prompt(self) -> Prompt:
        """The request's prompt, read once.

        Raises:
            RequestError: It is not a request that can be read.
        """
        if self._prompt is None:
            self._prompt = Prompt(self.request, self.route.shape)
        return self._prompt

    def adopt(self, prompt: Prompt) -> None:
        """Take the request's prompt as it was read before."""
        self._prompt = prompt

    @property
    def metadata(self) -> Mapping[str, object]:
        """The caller's metadata, or what the request carries."""
        if self._metadata is None:
            self._metadata = carried_metadata(self.request)
        return self._metadata

    @property
    def headers(self) -> Mapping[str, object]:
        """The caller's headers, or what the request carries, by lower-case name."""
        if self._headers is None:
            given = self._given_headers
            if given is None:
                given = first_mapping(
                    self.request.get("extra_headers"),
                    self.request.get("headers"),
                    (fields_of(self.request.get("proxy_server_request")) or {}).get("headers"),
                )
            self._headers = {name.lower(): value for name, value in given.items() if isinstance(name, str)}
        return self._headers

    def look_up(self, name: str) -> object:
        """The value of a dotted name, such as `metadata.a.b` or `alias`; None if absent."""
        area, _, rest = name.partition(".")
        if area == "metadata":
            return nested(self.metadata, rest)
        if area == "headers":
            return self.headers.get(rest.lower())
        if area == "prefix_hash":
            return self.prefix_hash()
        return self.alias if area == "alias" else self.route.model

    def prefix_hash(self) -> str | None:
        """16 hexadecimal digits: the same for the same tools and system prompt, whatever is marked in them.

        None without either, or where one has no form in JSON.
        """
        prompt = self.prompt
        blocks = takewhile(lambda block: block.order[0] <= SYSTEM, walk(prompt, self.route.blocks))
        try:
            said = [_said(unmarked(value_of(prompt, block))) for block in blocks if block.kind not in ABSENT]
            return hashlib.blake2b(json.dumps(said).encode(), digest_size=8).hexdigest() if said else None
        except (RecursionError, TypeError, ValueError):
            return None

    def size(self, *, enough: int | None = None) -> int:
        """Characters of tools, system prompt and messages; stops at `enough`."""
        prompt = self.prompt
        return chars(
            [prompt.request.get("system") or (), prompt.messages, prompt.tools], enough=enough, plain=True
        )


def _said(value: object) -> object:
    """A text alike, whether it is in a list or not."""
    return value["text"] if isinstance(value, dict) and "text" in value else value


def base_model_of(request: Mapping[str, object]) -> str | None:
    """What a deployment is of, as litellm's callers and its Router say it."""
    about = request.get("model_info")
    for said in (request.get("base_model"), about.get("base_model") if isinstance(about, dict) else None):
        if isinstance(said, str) and said:
            return said
    return None


def drops_params(value: object) -> bool:
    """Whether `drop_params` is on, as litellm reads it: a flag, or a word for one."""
    return isinstance(value, (str, int)) and str(value).strip().lower() in _ON


def nested(mapping: Mapping[str, object], dotted: str) -> object:
    """Reach into nested mappings; a whole dotted name that is itself a key wins."""
    if dotted in mapping:
        return mapping[dotted]
    value: object = mapping
    for key in dotted.split("."):
        if not isinstance(value, Mapping) or key not in value:
            return None
        value = value[key]
    return value


Test: TypeAlias = Callable[[Facts], bool]


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """One condition of a match block.

    Attributes:
        name: Its name in the policy, `metadata.kind` for a member of a map.
        expected: What it wants, as a person would write it.
        static: Whether the route alone decides it.
        holds: Whether a request meets it.
        seen: What a request has there, for people; never prompt text.
    """

    name: str
    expected: str
    static: bool
    holds: Test
    seen: Callable[[Facts], str]


def compile_match(match: Match | None, rule: str) -> tuple[Condition, ...]:
    """The conditions of a match block, those that the route decides first."""
    if match is None:
        return ()
    conditions = [*_static_conditions(match), *_counts(match)]
    if match.stream is not None:
        conditions.append(_stream(wanted=match.stream))
    conditions += [_named("metadata", name, globs) for name, globs in match.metadata.items()]
    conditions += [_named("headers", name, globs) for name, globs in match.headers.items()]
    if match.sample is not None:
        conditions.append(_sample(match.sample, rule))
    conditions += [_path(text, wanted=True) for text in match.exists]
    conditions += [_path(text, wanted=False) for text in match.missing]
    if match.tokens is not None:
        conditions.append(_tokens(match.tokens))
    return tuple(conditions)


def _static_conditions(match: Match) -> list[Condition]:
    asked: dict[str, tuple[str, ...]] = {
        "provider": match.provider,
        "model": match.model,
        "alias": match.alias,
        "caching": match.caching,
    }
    if match.shape is not None:
        asked["shape"] = (match.shape,)
    return [_static(name, wanted) for name, wanted in asked.items() if wanted]


_ON = {"1", "on", "t", "true", "y", "yes"}
_NONE = {"provider": "unknown", "alias": "none"}
_READ: dict[str, Callable[[Facts], str | None]] = {
    "provider": attrgetter("route.provider"),
    "model": attrgetter("route.model"),
    "alias": attrgetter("alias"),
    "caching": attrgetter("route.mechanism"),
    "shape": attrgetter("route.shape"),
}


@lru_cache(maxsize=4_096)
def _static(name: str, wanted: tuple[str, ...]) -> Condition:
    """The same for every rule that asks the same, so that a route is asked once."""
    read, names = _READ[name], Names(wanted, expressions=name == "model")

    def holds(facts: Facts) -> bool:
        # A deployment goes by its own name, and by that of the model behind it.
        values = (read(facts), facts.route.deployment) if name == "model" else (read(facts),)
        return any(value is not None and names.match(value) for value in values)

    return Condition(
        name,
        " | ".join(wanted),
        True,
        holds,
        lambda facts: read(facts) or _NONE.get(name, ""),
    )


def _bounds(limits: Range) -> tuple[float, float]:
    return limits.min or 0, math.inf if limits.max is None else limits.max


def _range_text(limits: Range) -> str:
    if limits.min is None:
        return f"at most {limits.max}"
    return f"at least {limits.min}" if limits.max is None else f"{limits.min} to {limits.max}"


def _counts(match: Match) -> list[Condition]:
    limits = (("tools", match.tools), ("messages", match.messages))
    return [_count(name, limit) for name, limit in limits if limit is not None]


def _count(name: str, limits: Range) -> Condition:
    low, high = _bounds(limits)
    measured = attrgetter(f"prompt.{name}")
    # Asked of every request, and mostly with one bound.
    holds: Test = (
        (lambda facts: len(measured(facts)) >= low)
        if limits.max is None
        else (lambda facts: low <= len(measured(facts)) <= high)
    )
    return Condition(
        name,
        _range_text(limits),
        False,
        holds,
        lambda facts: str(len(measured(facts))),
    )


def _stream(*, wanted: bool) -> Condition:
    return Condition(
        "stream",
        str(wanted).lower(),
        False,
        lambda facts: bool(facts.request.get("stream")) is wanted,
        lambda facts: str(bool(facts.request.get("stream"))).lower(),
    )


def text_of(value: object) -> str | None:
    """A text, a number or a truth value as a condition sees it; None for anything else."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, (str, int, float)) else None


def _named(area: str, name: str, globs: tuple[str, ...]) -> Condition:
    pattern = Names(globs)
    dotted = f"{area}.{name}"

    def holds(facts: Facts) -> bool:
        value = facts.look_up(dotted)
        values = value if isinstance(value, (list, tuple)) else [value]
        return any((text := text_of(item)) is not None and pattern.match(text) for item in values)

    def seen(facts: Facts) -> str:
        value = facts.look_up(dotted)
        return "absent" if value is None else "(hidden)" if area == "headers" else repr(value)

    return Condition(dotted, " | ".join(globs), False, holds, seen)


def _sample(sample: Sample, rule: str) -> Condition:
    share = round(sample.percent * 100)

    def bucket(facts: Facts) -> int | None:
        text = text_of(facts.look_up(sample.by))
        if text is None:
            return None
        digest = hashlib.blake2b(f"{rule}\0{text}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
        return int.from_bytes(digest, "big") % 10_000

    def holds(facts: Facts) -> bool:
        number = bucket(facts)
        return number is not None and number < share

    def seen(facts: Facts) -> str:
        number = bucket(facts)
        return f"{sample.by} is absent" if number is None else f"{number / 100:g}"

    return Condition("sample", f"below {sample.percent:g}% by {sample.by}", False, holds, seen)


def _path(text: str, *, wanted: bool) -> Condition:
    path = compile_path(text)

    def holds(facts: Facts) -> bool:
        return path.matches(facts.request) is wanted

    def seen(facts: Facts) -> str:
        return counted(len(path.find(facts.request)), "hit")

    return Condition("exists" if wanted else "missing", text, False, holds, seen)


def _tokens(limits: Range) -> Condition:
    low, high = _bounds(limits)
    bound = limits.min if limits.max is None else limits.max + 1
    enough = None if bound is None else int(bound * CHARS_PER_TOKEN) + 1

    def holds(facts: Facts) -> bool:
        return low <= facts.size(enough=enough) / CHARS_PER_TOKEN <= high

    def seen(facts: Facts) -> str:
        return f"about {facts.size() / CHARS_PER_TOKEN:,.0f}"

    return Condition("tokens", _range_text(limits), False, holds, seen)
