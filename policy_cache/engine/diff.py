"""What a plan changes, as a person reads it: the recorded edits, never the whole request."""

from __future__ import annotations

import difflib
from collections import Counter
from pathlib import PurePath
from typing import TYPE_CHECKING, Protocol

from policy_cache.engine.reasons import GRANTED
from policy_cache.request.location import fields_of, place
from policy_cache.request.markers import MARKER_KEYS
from policy_cache.text.amounts import counted
from policy_cache.text.styled import Span, column
from policy_cache.text.values import elided, indented, one_line
from policy_cache.text.words import word

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from policy_cache.engine.breakpoints import Breakpoint
    from policy_cache.engine.changes import Edit, Origin, Placement
    from policy_cache.engine.state import Label
    from policy_cache.providers.resolve import Route
    from policy_cache.request.location import Location
    from policy_cache.request.markers import ClientMarker

_WHOLE: dict[Location, str] = {("system",): "system prompt", (): "the request"}


class Planned(Protocol):
    """What is shown of a plan; `Plan` says what each is."""

    @property
    def request(self) -> Mapping[str, object]: ...
    @property
    def original(self) -> Mapping[str, object]: ...
    @property
    def changed(self) -> bool: ...
    @property
    def route(self) -> Route: ...
    @property
    def policy(self) -> Label: ...
    @property
    def matched(self) -> Sequence[str]: ...
    @property
    def placements(self) -> Sequence[Placement]: ...
    @property
    def edits(self) -> Sequence[Edit]: ...
    @property
    def client_markers(self) -> Sequence[ClientMarker]: ...
    @property
    def intended(self) -> Sequence[Breakpoint]: ...


def diff(plan: Planned) -> list[Span]:
    """The heading, each edit with its rule and policy line, and a summary."""
    spans = [*heading(plan), Span("\n")]
    located = [(place(edit.location), name_at(plan, edit.location)) for edit in plan.edits]
    widths = column(where for where, _ in located), column(name for _, name in located)
    for edit, (where, name) in zip(plan.edits, located, strict=True):
        spans += [Span("~ ", "warning"), Span(f"{where:{widths[0]}}", "strong")]
        spans.append(Span(f"  {name:{widths[1]}}" if widths[1] else "", "dim"))
        spans += [
            Span(f"  {asked(edit.source)}", "note"),
            Span(f"  ({place_of(plan, edit.source)})\n", "location"),
        ]
        spans += [Span(f"  - {line}\n", "removed") for line in _lines(edit, edit.before)]
        spans += [Span(f"  + {line}\n", "added") for line in _lines(edit, edit.after)]
    if plan.edits:
        spans.append(Span("\n"))
    return [*spans, *summary(plan), *_withheld(plan)]


def heading(plan: Planned) -> list[Span]:
    """The policy with its revision, the model, and the route."""
    route = plan.route
    way = f"route {route.name or 'unknown'}" if route.provider else "unknown provider"
    return [
        Span("policy "),
        Span(file_name(plan.policy.file), "strong"),
        Span(f"@{plan.policy.revision}", "dim"),
        Span(f"  {word(route.qualified)}"),
        Span(f"  {way}, {route.shape}\n", "dim"),
    ]


def file_name(file: str) -> str:
    """A policy file by its own name, without its folders."""
    return word(PurePath(file).name)


def place_of(plan: Planned, source: Origin) -> str:
    """Where in the policy something was asked for: `default.yaml:31`."""
    return file_name(plan.policy.file) + (f":{source.line}" if source.line else "")


def asked(source: Origin) -> str:
    """Who asked for something: `rule / target`, or the rule alone."""
    return f"{word(source.rule)} / {word(source.target)}" if source.target else word(source.rule)


def _lines(edit: Edit, value: object) -> Iterator[str]:
    """One side of an edit: a marker, a text, the blocks it becomes, a parameter."""
    if value is None:
        return
    if edit.change == "set" or isinstance(value, str):
        yield one_line(value)
    elif isinstance(value, list):
        for number, block in enumerate(value):
            yield from _block(block, "[" if number == 0 else " ", "]" if number == len(value) - 1 else ",")
    elif edit.change == "split":
        yield from _block(value, "", "")
    else:
        # The last step that touches it ends in the marker's own name.
        yield f'"{edit.steps[-1].location[-1]}": {one_line(value)}'


def _block(block: object, opening: str, closing: str) -> Iterator[str]:
    """A content block; its marker gets a line of its own."""
    text = one_line(block)
    fields = fields_of(block) or {}
    marker = next((key for key in MARKER_KEYS if key in fields), None)
    if marker is None:
        yield f"{opening}{text}{closing}"
        return
    rest = one_line({key: value for key, value in fields.items() if key != marker})
    yield f"{opening}{rest[:-1]},"
    yield f'{" " * len(opening)} "{marker}": {one_line(fields[marker])}}}{closing}'


def name_at(plan: Planned, location: Location) -> str:
    """What a person calls the block at a location: a tool's name, a message's role."""
    value: object = plan.original
    name = _WHOLE.get(location[:1], "")
    for key in location:
        members = value if isinstance(value, (list, tuple)) else fields_of(value) or {}
        try:
            value = members[key]  # type: ignore[index]
        except LookupError:  # a parameter that is yet to be set
            return name
        fields = fields_of(value) or {}
        called = (fields_of(fields.get("function")) or fields).get("name")
        role = fields.get("role")
        if isinstance(called, str):
            name = one_line(called)
        elif isinstance(role, str):
            name = f"{word(role)} message"
    return name


def summary(plan: Planned) -> Iterator[Span]:
    """What was done in numbers, and how many of the route's breakpoints are then used."""
    run = plan.route.run
    changes = Counter(kind for edit in plan.edits for kind in _kinds(edit))
    # Those that are no more, or that ours took the place of.
    touched = {
        edit.location
        for edit in plan.edits
        if edit.change == "unmark" or (edit.change == "mark" and isinstance(edit.before, dict))
    }
    effective = [marker for marker in plan.client_markers if marker.block is not None]
    lost = sum(1 for marker in plan.client_markers if marker.block is None and marker.holder not in touched)
    added = f"{counted(changes['added'], 'breakpoint')} added"
    if run:
        added = (
            f"1 run of {counted(changes['added'], 'message')} added" if changes["added"] else "no run added"
        )
    parts = [added, f"{len(effective)} already present"]
    parts += [f"{changes[kind]} {kind}" for kind in ("replaced", "removed") if changes[kind]]
    parts += [counted(changes["split"], "text") + " split"] if changes["split"] else []
    parts += [counted(changes["set"], "parameter") + " set"] if changes["set"] else []
    parts += [counted(changes["unset"], "parameter") + " removed"] if changes["unset"] else []
    parts += [f"{lost} without effect"] if lost else []
    used = len({point.slot for point in plan.intended if point.slot is not None and point.party != "litellm"})
    limit = plan.route.breakpoints
    of = f"; {used} of {limit} used" if limit else ""
    observed = "" if plan.changed or not plan.edits else " (observed only: the request is sent unchanged)"
    yield Span(f"{', '.join(parts)}{of}.{observed}\n", "strong")
    if limit and used > limit and plan.route.is_plain:
        carried = f"The client placed {len(effective)} markers"
        fix = "`client_markers: replace` places the policy's instead"
        yield Span(f"{carried}; the provider refuses a request with more than {limit}: {fix}.\n", "error")


def _kinds(edit: Edit) -> tuple[str, ...]:
    """How the summary counts an edit; a split may take the text's marker away as well."""
    if edit.change == "mark":
        return ("added",) if edit.before is None or isinstance(edit.before, str) else ("replaced",)
    if edit.change == "unmark":
        return ("removed",)
    if edit.change == "set" and edit.after is None:
        return ("unset",)
    halves = edit.after if edit.change == "split" and isinstance(edit.after, list) else ()
    before = fields_of(edit.before) or {}
    if halves and any(key in before and key not in halves[-1] for key in MARKER_KEYS):
        return ("split", "removed")
    return (edit.change,)


def _withheld(plan: Planned) -> Iterator[Span]:
    """What rules wanted and did not get, by reason; or that there was none."""
    if not plan.matched:
        yield Span("No rule matches this request; `policy-cache explain` says why.\n", "dim")
    reasons = Counter(placement.reason for placement in plan.placements if placement.reason not in GRANTED)
    if reasons:
        counts = ", ".join(f"{number} {reason}" for reason, number in reasons.items())
        yield Span(f"Not placed: {counts}; `policy-cache explain` says why.\n", "dim")


def unified(before: Mapping[str, object], after: Mapping[str, object], names: tuple[str, str]) -> list[Span]:
    """Two requests as a unified diff of indented JSON, long texts cut the same way on both sides."""
    old, new = (indented(elided(_jsonable(value))).splitlines() for value in (before, after))
    spans: list[Span] = []
    for line in difflib.unified_diff(old, new, word(names[0]), word(names[1]), lineterm=""):
        added, taken = line.startswith("+"), line.startswith("-")
        spans.append(Span(f"{line}\n", "added" if added else "removed" if taken else ""))
    return spans


def _jsonable(value: object) -> object:
    fields = fields_of(value)
    if fields is not None:
        return {key: _jsonable(item) for key, item in fields.items()}
    return [_jsonable(item) for item in value] if isinstance(value, (list, tuple)) else value
