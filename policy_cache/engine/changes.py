"""What rules asked for, what became of each wish, and the changes that came of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, TypedDict

from policy_cache.request.edit import Draft
from policy_cache.request.location import Location, pointer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from policy_cache.engine.reasons import Reason
    from policy_cache.policy.language.model import Ttl
    from policy_cache.request.edit import Operation


class PatchOperation(TypedDict, total=False):
    """One operation of a JSON Patch (RFC 6902)."""

    op: Operation
    path: str
    value: object


class Origin(NamedTuple):
    """The part of the policy that asked for something.

    Attributes:
        rule: The rule's name.
        target: The target as written; empty for a rule that acts on the whole request.
        line: The line in the policy file, of the target or else of the rule.
    """

    rule: str
    target: str
    line: int | None


class Placement(NamedTuple):
    """What became of one thing that a rule wanted.

    Attributes:
        source: Who wanted it.
        location: What the target named; None when it named nothing in this request.
        at: Where it was done, in the request as it was; None when it was not.
        ttl: The TTL that the marker has, or would have had: `auto` where none was chosen; None when it is no
            marker.
        reason: How it ended.
        detail: More, for a person; never prompt text.
        wanted: The block that was to carry the marker, in the request as it was; None where none could.
    """

    source: Origin
    location: Location | None
    at: Location | None
    ttl: Ttl | None
    reason: Reason
    detail: str = ""
    wanted: Location | None = None


class Step(NamedTuple):
    """One primitive change; `None` as a value stands for a removal."""

    op: Operation
    location: Location
    value: object = None


Change: TypeAlias = Literal["mark", "unmark", "split", "set"]


class Edit(NamedTuple):
    """One change, as a person sees it.

    Attributes:
        change: What kind it is.
        location: Where, in the request as it was.
        before: What stood there: a marker, a text, a parameter; None for nothing.
        after: What stands there now; None for nothing.
        source: Who asked for it.
        steps: The primitive changes it takes, in order.
    """

    change: Change
    location: Location
    before: object
    after: object
    source: Origin
    steps: tuple[Step, ...]


def steps_of(edits: Sequence[Edit]) -> list[Step]:
    """The steps in an order in which none shifts the place of another: the prompt's last block first."""
    prompt = [edit for edit in edits if edit.change != "set"]
    parameters = [edit for edit in edits if edit.change == "set"]
    return [step for edit in (*reversed(prompt), *parameters) for step in edit.steps]


def edited(request: Mapping[str, object], edits: Sequence[Edit]) -> Mapping[str, object]:
    """A copy of a request with edits applied; without any, the very request."""
    if not edits:
        return request
    draft = Draft(request)
    for step in steps_of(edits):
        draft.apply(step.op, step.location, step.value)
    return draft.request


def operation(step: Step) -> PatchOperation:
    """A step as an operation of a JSON Patch."""
    if step.op == "remove":
        return {"op": "remove", "path": pointer(step.location)}
    return {"op": step.op, "path": pointer(step.location), "value": step.value}
