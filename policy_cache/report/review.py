"""A change of policy as its reviewer reads it: on a terminal, in a pull request, or as data."""

from __future__ import annotations

import re
from decimal import Decimal
from html import escape
from typing import TYPE_CHECKING

from policy_cache.engine.diff import unified
from policy_cache.report.diagnostics.ci import workflow_command
from policy_cache.report.diagnostics.render import FORMAT_VERSION
from policy_cache.report.forecast import how_sized, opening, reading_warnings
from policy_cache.text.amounts import counted, usd
from policy_cache.text.styled import Span
from policy_cache.text.words import cut, visible, word

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from policy_cache.engine.repair import Fault
    from policy_cache.review.change import Change
    from policy_cache.review.group import Alike, Group, Worth
    from policy_cache.review.review import Review
    from policy_cache.text.styled import Style

MARKER = "<!-- policy-cache compare -->"
"""How a comment begins, by which the next one finds it."""

MOST = 65_536
"""The bytes that a comment may have: GitHub takes as many characters."""

_WORSE: dict[Fault, str] = {
    "refused": "newly refused by the provider",
    "lost": "a marker is newly lost on the way",
    "lowered": "newly lowered to five minutes",
}
_STYLES: dict[str, Style] = {"+": "added", "-": "removed", "~": "warning", "!": "error"}
_MOST_NAMED = 3
_MOST_NOTES, _LONGEST = 20, 500
_REST = 400
"""What is kept of a comment for a line on the groups that it has no room for."""


def full(review: Review, names: tuple[str, str], over: str, *, examples: bool = False) -> Iterator[Span]:
    """Every group with its changes, its money, and where its first request stands.

    Args:
        review: What was found.
        names: The names of the two policies.
        over: What the requests are.
        examples: Whether each group's first request is shown as it is sent before and after.
    """
    if review.simulation is not None and review.summary is not None:
        yield from opening(review.simulation, review.summary, over, optimum=False)
    else:
        yield Span(f"over {visible(over)}\n", "dim")
    yield from (Span(f"{line}\n", "warning") for line in _left_out(review))
    yield Span(f"{summary(review)}\n", "strong")
    for alike, group in review.ordered:
        yield Span(f"\n{_who(alike, group)}", "strong")
        yield Span(f"{_money(review, group)}\n")
        for sign, line in _lines(alike, names[1]):
            yield Span(f"  {sign} {line}\n", _STYLES[sign])
        example = group.example
        if example is not None:
            yield Span(f"  for example {visible(example.where)}\n", "dim")
            if examples and example.before is not None and example.after is not None:
                yield from unified(example.before, example.after, names)
    if rest := _unchanged(review):
        yield Span(f"\n{rest}\n")


def summary(review: Review) -> str:
    """How many requests change, and what that comes to."""
    if not review.changed:
        return f"nothing changes: all of {counted(review.requests, 'request')} are sent as before"
    verb = "changes" if review.changed == 1 else "change"
    told = f"{review.changed:,} of {counted(review.requests, 'request')} {verb}"
    if review.simulation is None:
        return told
    whole = review.whole
    if not whole.is_known:
        return f"{told}; what that costs is unknown"
    paid = f"{usd(whole.before.paid)} before, {usd(whole.after.paid)} after: {_more(whole)}"
    share = f" ({float(whole.difference / whole.before.paid):+.1%})" if whole.before.paid else ""
    return f"{told}; {paid}{share}{_sure(whole)}{_unpriced(whole)}"


def _more(worth: Worth) -> str:
    difference = worth.difference
    if not worth.is_known:
        return "of unknown cost"
    return f"{usd(abs(difference))} {'more' if difference > 0 else 'less'}" if difference else "the same"


def _sure(worth: Worth) -> str:
    """Between which bounds such a difference lies, for as many sessions."""
    interval = worth.interval
    if interval is None:
        return ", of one session: how sure that is cannot be said"
    low, high = (f"{'-' if bound < 0 else '+'}{usd(Decimal(abs(bound)))}" for bound in interval[1:])
    return f", for {counted(len(worth.by_session), 'session')} of this kind {low} to {high} (95 %)"


def _unpriced(worth: Worth) -> str:
    number = worth.unpriced if worth.is_known else 0
    return f"; {counted(number, 'request')} of unknown price left out" if number else ""


def _who(alike: Alike, group: Group) -> str:
    requests, way = counted(group.requests, "request"), alike.way
    if way is None:
        ways = {f"{word(way.route or way.provider)}, {way.shape}": None for way in group.ways}
        return f"{requests} on {_some([*ways], '; ')}"
    whose = f" of {word(way.alias)}" if way.alias else ""
    models = _some([word(model) for model, _ in group.models.most_common()], ", ")
    route = word(way.route or way.provider or "an unknown route")
    return f"{requests}{whose} on {route}, {way.shape} ({models})"


def _some(names: Sequence[str], between: str) -> str:
    """The first names of many."""
    more = len(names) - _MOST_NAMED
    return between.join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _money(review: Review, worth: Worth) -> str:
    if review.simulation is None:
        return ""
    sure = _sure(worth) if len(worth.by_session) > 1 and worth.difference else ""
    return f": {_more(worth)}{sure}{_unpriced(worth)}"


def _lines(alike: Alike, new: str) -> Iterator[tuple[str, str]]:
    """Each fault and each change, with the sign that stands before it."""
    for fault in alike.worse:
        yield "!", _WORSE[fault]
    for change in alike.changes:
        by = f" by `{word(change.rule)}`" if change.rule else ""
        at = f"  ({visible(new)}:{change.line})" if change.line else ""
        yield _SIGNS.get(change.kind, "~"), f"{_told(change)}{by}{at}"


_SIGNS = {"added": "+", "removed": "-"}


def _told(change: Change) -> str:
    what = word(change.what)
    ttl = visible(change.ttl)
    match change.kind:
        case "added" | "removed":
            return f"{ttl} breakpoint at {what}"
        case "ttl":
            return f"{visible(change.before)} -> {ttl} at {what}"
        case "split":
            return f"a text is split at {what}"
        case "joined":
            return f"a text is no longer split at {what}"
        case "set":
            return f"`{what}` has another value"
        case "unset":
            return f"`{what}` is no longer sent"
        case _:
            return f"{what} differs"


def _unchanged(review: Review) -> str:
    """What the others come to, which read what the changed ones left."""
    rest = review.groups.unchanged
    if not (rest.requests and review.changed and review.simulation):
        return ""
    verb = "is" if rest.requests == 1 else "are"
    return f"{counted(rest.requests, 'request')} {verb} sent as before: {_more(rest)}{_unpriced(rest)}"


def notes(review: Review) -> Iterator[str]:
    """What a reader must know before relying on the figures."""
    if review.simulation is not None and review.summary is not None:
        yield from how_sized(review.simulation)
        yield from reading_warnings(review.simulation, review.summary)
    yield from _left_out(review)


def _left_out(review: Review) -> Iterator[str]:
    for reason, number in sorted(review.unread.items()):
        yield f"{counted(number, 'request')} left out: {visible(reason)}"


def markdown(review: Review, names: tuple[str, str], over: str) -> str:
    """A comment for a pull request: the sum, then each group folded, as many as it has room for.

    Args:
        review: What was found.
        names: The names of the two policies.
        over: What the requests are.
    """
    head = [MARKER, f"### {_code(cut(names[0], _LONGEST))} → {_code(cut(names[1], _LONGEST))}", ""]
    head += [f"{_text(summary(review))}.", "", f"Over {_text(cut(over, _LONGEST))}.", ""]
    lines = [*notes(review)]
    head += [f"- {_text(cut(line, _LONGEST))}" for line in lines[:_MOST_NOTES]]
    head += [f"- and {len(lines) - _MOST_NOTES:,} more"] if len(lines) > _MOST_NOTES else []
    parts = ["\n".join(head).rstrip() + "\n"]
    size = len(parts[0].encode())
    ordered = review.ordered
    for number, (alike, group) in enumerate(ordered):
        part = _folded(review, alike, group, names[1])
        size += len(part.encode())
        if size > MOST - _REST:
            rest = ordered[number:]
            requests = sum(group.requests for _, group in rest)
            parts.append(f"\n… and {counted(len(rest), 'group')} more, of {counted(requests, 'request')}.\n")
            break
        parts.append(part)
    if unchanged := _unchanged(review):
        parts.append(f"\n{_text(unchanged)}.\n")
    return "".join(parts)


def _folded(review: Review, alike: Alike, group: Group, new: str) -> str:
    sign = "⚠️ " if alike.worse else ""
    # Nobody is mentioned by a name in code.
    title = f"<code>{escape(_who(alike, group))}</code>{escape(_money(review, group))}"
    body = "\n".join(f"{sign} {line}" for sign, line in _lines(alike, new))
    # A name may have backticks of its own.
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", body)), default=0))
    where = "" if group.example is None else f"\nFor example {_code(group.example.where)}.\n"
    return (
        f"\n<details><summary>{sign}{title}</summary>\n\n{fence}diff\n{body}\n{fence}\n{where}\n</details>\n"
    )


def _code(text: str) -> str:
    return f"<code>{_text(text)}</code>"


def _text(text: str) -> str:
    """A text of which nothing is markup, and that mentions nobody."""
    marked = re.sub(r"([\\`*_\[\]|~#@])", r"\\\1", escape(visible(text), quote=False))
    return re.sub("([@#])", "\\1\u200b", marked)


def for_github(review: Review, names: tuple[str, str]) -> Iterator[str]:
    """Lines for its runner: the sum, and a notice or a warning where the new policy asks for a change."""
    file = visible(file_of(names[1]))
    yield workflow_command("notice", {"file": file}, summary(review))
    for alike, group in review.ordered:
        line = next((change.line for change in alike.changes if change.line), None)
        properties: dict[str, object] = {"file": file, **({"line": line} if line else {})}
        told = "\n".join(f"{sign} {text}" for sign, text in _lines(alike, names[1]))
        message = f"{_who(alike, group)}{_money(review, group)}\n{told}"
        yield workflow_command("warning" if alike.worse else "notice", properties, message)


def file_of(name: str) -> str:
    """The file of a policy that git may have another version of."""
    return name.split(":", 2)[-1] if name.startswith("git:") else name


def as_json(review: Review, names: tuple[str, str]) -> dict[str, object]:
    """Everything that was found; costs in USD, of the requests whose price is known."""
    money = review.simulation is not None
    return {
        "format_version": FORMAT_VERSION,
        "old": names[0],
        "new": names[1],
        "requests": review.requests,
        "changed": review.changed,
        "warnings": [*notes(review)],
        "total": _worth(review.whole) if money else None,
        "unchanged": _worth(review.groups.unchanged) if money else None,
        "groups": [_group(alike, group, money=money) for alike, group in review.ordered],
    }


def _group(alike: Alike, group: Group, *, money: bool) -> dict[str, object]:
    return {
        "ways": [{**way._asdict(), "requests": number} for way, number in group.ways.most_common()],
        "models": dict(group.models.most_common()),
        "requests": group.requests,
        "worse": list(alike.worse),
        "changes": [change._asdict() for change in alike.changes],
        "example": None if group.example is None else group.example.where,
        "worth": _worth(group) if money else None,
    }


def _worth(worth: Worth) -> dict[str, object]:
    interval, known = worth.interval, worth.is_known
    return {
        "requests": worth.requests,
        "sessions": len(worth.by_session),
        "before_usd": float(worth.before.paid) if known else None,
        "after_usd": float(worth.after.paid) if known else None,
        "difference_usd": float(worth.difference) if known else None,
        "interval_95_usd": None if interval is None else [interval.low, interval.high],
        "unpriced": worth.unpriced,
    }
