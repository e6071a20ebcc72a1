"""`set`: the request-level parameters and headers, each the way that litellm forwards it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from policy_cache.engine.changes import Edit, Origin, Placement, Step
from policy_cache.engine.compile import SetParameters, Template
from policy_cache.engine.repair import hashed, within

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policy_cache.engine.compile import CompiledRule
    from policy_cache.engine.reasons import Reason
    from policy_cache.engine.state import State
    from policy_cache.request.location import Location


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
