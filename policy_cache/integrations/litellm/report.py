"""The wire check as a person reads it."""

from __future__ import annotations

from collections import Counter
from importlib.metadata import version
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from policy_cache.integrations.litellm.finding import PLACED
from policy_cache.request.location import place
from policy_cache.text.styled import Span, column
from policy_cache.text.words import visible, word

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from policy_cache.integrations.litellm.finding import Brought, Finding, Kind, Outcome
    from policy_cache.integrations.litellm.wire import Check, WireMarker
    from policy_cache.text.styled import Style

_LOST = "lost by litellm"


def wire_report(check: Check) -> Iterator[Span]:
    """Where each marker of a request stands in the body that litellm sends, or that it was lost."""
    sent = [request for request in check.wire.sent if request.method != "GET"]
    yield Span(f"\nwire, litellm {version('litellm')}\n", "strong")
    for number, request in enumerate(sent):
        call = f"[{number + 1}] " if len(sent) > 1 else ""
        yield Span(f"  {call}{request.method} {visible(_address(request.url))}\n", "dim")
    offset = len(check.wire.sent) - len(sent)
    rows = [
        (
            place(fate.marker.at),
            _places(fate.places, offset, len(sent)),
            _by(fate.marker.source and fate.marker.source.rule),
        )
        for fate in check.fates
    ]
    rows += [("litellm's own", _places([marker], offset, len(sent)), "litellm") for marker in check.added]
    rows += [(name, "sent" if there else "not sent", "") for name, there in check.parameters.items()]
    widths = column(row[0] for row in rows), column(row[1] for row in rows)
    for where, result, by in rows:
        yield Span(f"  {where:{widths[0]}}  ")
        yield Span(f"{result:{widths[1]}}", "error" if result in {_LOST, "not sent"} else "added")
        yield Span(f"  {by}\n" if by else "\n", "note")
    if not check.wire.markers and not check.fates:
        yield Span("  no marker is sent\n", "dim")
    for name in check.wire.leaks:
        yield Span(f"  litellm passes `{name}` on to the provider\n", "error")


def wire_json(check: Check) -> dict[str, object]:
    """The same as JSON data: every marker of the request with its places in the bodies that are sent."""
    return {
        "litellm": version("litellm"),
        "requests": [{"method": request.method, "url": _address(request.url)} for request in check.wire.sent],
        "markers": [
            {
                "at": place(fate.marker.at),
                "rule": None if fate.marker.source is None else fate.marker.source.rule,
                "places": [_marker_json(marker) for marker in fate.places],
            }
            for fate in check.fates
        ],
        "added": [_marker_json(marker) for marker in check.added],
        "parameters": dict(check.parameters),
        "leaks": list(check.wire.leaks),
    }


def _marker_json(marker: WireMarker) -> dict[str, object]:
    return {"request": marker.call, "at": place(marker.location), "ttl": marker.ttl}


def _address(url: str) -> str:
    """Where a request goes, without what an `api_base` may hold of secrets."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _by(rule: str | None) -> str:
    return word(rule) if rule else "the client"


def _places(places: Iterable[WireMarker], offset: int, calls: int) -> str:
    """The places, each with its call where there are several."""
    shown = [
        f"-> {f'[{marker.call - offset + 1}] ' if calls > 1 else ''}{place(marker.location)}"
        f"{f' ({marker.ttl})' if marker.ttl else ''}"
        for marker in places
    ]
    return ", ".join(shown) or _LOST


_SIGNS: Mapping[Outcome, tuple[str, Style]] = {
    "kept": ("kept", "added"),
    "moved": ("moved", "note"),
    "lost": ("LOST", "error"),
    "refused": ("REFUSED", "error"),
    "gained": ("GAINED", "error"),
    "unmarked": ("-", "dim"),
    "unsent": ("not sent", "note"),
}


_COLUMNS: tuple[Kind, ...] = (*PLACED, "translated")
# Of what a client brings besides, only what differs is told.
_BESIDES: Mapping[Brought, str] = {
    "beside": "a text beside tools, in the other dialect",
    "message": "a message of text",
    "list": "a message with a list",
    "image": "an image in a result",
    "nested": "a text in a result",
    "blank": "a blank text beside a call",
}


def doctor_report(findings: Sequence[Finding], beside: Iterable[tuple[str, str]]) -> Iterator[Span]:
    """What became of each kind of block's marker, a line for each route and shape; and what else there is."""
    yield Span(f"litellm {version('litellm')}\n", "strong")
    for name, what in beside:
        yield Span(f"  {visible(name)}", "note")
        yield Span(f"  {visible(what)}\n", "dim")
    rows: dict[tuple[str, str], dict[str, Outcome]] = {}
    for finding in findings:
        rows.setdefault((finding.route, finding.shape), {})[finding.kind] = finding.outcome
    widths = column(route for route, _ in rows), column(shape for _, shape in rows)
    head = "".join(f"{kind:11}" for kind in _COLUMNS).rstrip()
    yield Span(f"\n{'route':{widths[0]}}  {'shape':{widths[1]}}  {head}\n", "strong")
    for (route, shape), outcomes in rows.items():
        yield Span(f"{visible(route):{widths[0]}}  {shape:{widths[1]}}  ")
        for kind in _COLUMNS:
            sign, style = _SIGNS[outcomes[kind]]
            yield Span(sign if kind == _COLUMNS[-1] else f"{sign:11}", style)
        yield Span("\n")
    yield from _besides(findings)
    number = Counter(finding.outcome for finding in findings)
    yield Span(
        f"\n{len(rows)} ways to a provider: {number['kept']} markers kept, {number['moved']} moved, "
        f"{number['lost']} lost, {number['refused']} refused; {number['unmarked']} not placed there"
        + (f", {number['unsent']} not sent by this litellm" if number["unsent"] else "")
        + ".\n",
        "error" if number["lost"] + number["refused"] else "strong",
    )


def _besides(findings: Sequence[Finding]) -> Iterator[Span]:
    """What litellm loses of a client's other markers, and what arrives though the catalog says otherwise."""
    for kind, name in _BESIDES.items():
        for outcome in ("lost", "gained"):
            ways = [f"{f.route} {f.shape}" for f in findings if (f.kind, f.outcome) == (kind, outcome)]
            if ways:
                sign, style = _SIGNS[outcome]
                yield Span(f"\na client's marker on {name}: ")
                yield Span(sign, style)
                yield Span(f" on {', '.join(map(visible, ways))}\n", "dim")


def doctor_json(findings: Sequence[Finding], beside: Iterable[tuple[str, str]]) -> dict[str, object]:
    """The same as JSON data."""
    return {
        "litellm": version("litellm"),
        "beside": dict(beside),
        "findings": [finding._asdict() for finding in findings],
    }
