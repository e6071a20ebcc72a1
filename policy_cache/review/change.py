"""What is sent differently under another policy, in the words of the two."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import zip_longest
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, get_args

from policy_cache.engine.repair import Fault, faults
from policy_cache.request.blocks import REQUEST, SYSTEM, TOOLS
from policy_cache.request.markers import unmarked
from policy_cache.request.prompt import PROMPT_MEMBERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from policy_cache.engine.breakpoints import Breakpoint
    from policy_cache.engine.plan import Plan
    from policy_cache.request.location import Location

Kind: TypeAlias = Literal["added", "removed", "ttl", "split", "joined", "set", "unset", "content"]

FAULTS: tuple[Fault, ...] = get_args(Fault)

_LEVELS = {REQUEST: "the request", TOOLS: "tools", SYSTEM: "system"}
_LOWERED = ("ttl_lowered", "ttl_unsupported")


class Change(NamedTuple):
    """One difference of what is sent, the same for every request that has it.

    Attributes:
        kind: What differs: a breakpoint is `added`, `removed`, or has another `ttl`; a text is `split` or
            `joined`; a parameter is `set` or `unset`; or the `content` is another.
        what: The target, the parameter, or what a client or litellm marked.
        rule: The rule that asks for it, in the policy that does; empty where none does.
        ttl: The TTL that a breakpoint has, or had; empty for what is none.
        before: The TTL that it had, where that differs.
        line: Where the new policy asks for it; None where it does not.
    """

    kind: Kind
    what: str
    rule: str = ""
    ttl: str = ""
    before: str = ""
    line: int | None = None


def changes(old: Plan, new: Plan) -> tuple[Change, ...]:
    """The differences of two plans of one request, each named once, in prefix order."""
    if old.request == new.request:
        return ()
    found = [*_breakpoints(old, new), *_splits(old, new), *_parameters(old, new)]
    return tuple(dict.fromkeys(found or [Change("content", "the prompt")]))


def worse(old: Plan, new: Plan) -> tuple[Fault, ...]:
    """Of what more is wrong under the new policy: what is refused, lost, or lowered to five minutes."""
    before, after = _faults(old), _faults(new)
    return tuple(fault for fault in FAULTS if after[fault] > before[fault])


def _faults(plan: Plan) -> Counter[Fault]:
    wrong = faults(plan.request, plan.route)
    if plan.changed:
        wrong["lowered"] += sum(placement.reason in _LOWERED for placement in plan.placements)
    return wrong


def _breakpoints(old: Plan, new: Plan) -> Iterator[Change]:
    before, after = _by_block(old), _by_block(new)
    for block in dict.fromkeys((*after, *before)):
        for was, is_ in zip_longest(before.get(block, ()), after.get(block, ())):
            if was is None:
                yield Change("added", _what(is_), _rule(is_), is_.ttl, line=is_.source and is_.source.line)
            elif is_ is None:
                yield Change("removed", _what(was), _rule(was), was.ttl)
            elif was.ttl != is_.ttl:
                line = is_.source and is_.source.line
                yield Change("ttl", _what(is_), _rule(is_), is_.ttl, was.ttl, line)


def _by_block(plan: Plan) -> Mapping[Location, list[Breakpoint]]:
    """The breakpoints that are sent, by their block in the request as it was."""
    blocks: dict[Location, list[Breakpoint]] = defaultdict(list)
    for point in plan.breakpoints:
        blocks[point.at if point.origin is None else point.origin].append(point)
    return blocks


def _what(point: Breakpoint) -> str:
    if point.source is not None:
        return point.source.target or "the request"
    whose = "a client's" if point.party == "client" else "litellm's"
    return f"{whose} marker on {_LEVELS.get(point.order[0], 'messages')}"


def _rule(point: Breakpoint) -> str:
    return "" if point.source is None else point.source.rule


def _splits(old: Plan, new: Plan) -> Iterator[Change]:
    before, after = (
        {edit.location: edit for edit in plan.edits if plan.changed and edit.change == "split"}
        for plan in (old, new)
    )
    for location, edit in after.items():
        if location not in before or unmarked(before[location].after) != unmarked(edit.after):
            yield Change("split", edit.source.target, edit.source.rule, line=edit.source.line)
    for location, edit in before.items():
        if location not in after:
            yield Change("joined", edit.source.target, edit.source.rule)


def _parameters(old: Plan, new: Plan) -> Iterator[Change]:
    """Parameters that differ; their values may be a client's, and are not told."""
    sources = {
        str(edit.location[-1]): edit.source
        for plan in (old, new)
        for edit in plan.edits
        if edit.change == "set"
    }
    gone = object()
    for name in dict.fromkeys((*new.request, *old.request)):
        was, is_ = old.request.get(name, gone), new.request.get(name, gone)
        if name in PROMPT_MEMBERS or was is is_ or was == is_:
            continue
        source = sources.get(name)
        rule, line = ("", None) if source is None else (source.rule, source.line)
        yield Change("unset", name, rule) if is_ is gone else Change("set", name, rule, line=line)
