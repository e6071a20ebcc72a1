"""A page as one HTML document that loads nothing."""

from __future__ import annotations

import json
from base64 import b64encode
from hashlib import sha256
from html import escape
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING

from policy_cache.report.forecast import HEAD, cells, opening, warnings
from policy_cache.report.misses import ESTIMATE, TITLES, ordered
from policy_cache.report.misses import warnings as missed_warnings
from policy_cache.report.page import costs, switches
from policy_cache.report.page.drawn import MOST_BLOCKS, MOST_TURNS
from policy_cache.report.page.headline import headline
from policy_cache.text.amounts import counted, usd
from policy_cache.text.styled import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from policy_cache.misses.ledger import Misses
    from policy_cache.report.page.values import DrawnSession, Page, Treated


def document(page: Page) -> str:
    """The HTML of a page; it holds everything that it needs, and is forbidden to load anything."""
    style, script = _file("page.css"), _file("page.js")
    return Template(_file("page.html")).substitute(
        policy=_security(style, script),
        style=style,
        name=escape(page.name),
        headline=escape(headline(page.simulation, page.policies)),
        opening="".join(f"<p>{escape(line)}</p>\n" for line in _opening(page)),
        warnings=_list(warnings(page.simulation, page.summary)),
        bars=costs.picture(costs.bars(page)),
        costs=_table("Tokens and cost of the prompts", HEAD, cells(page.simulation, page.policies)),
        sessions="" if page.sessions else "hidden",
        unchanged="" if page.switches.pairs else "hidden",
        switches=_switches(page),
        misses="".join(
            _misses(page, policy, misses) for policy, misses in zip(page.policies, page.misses, strict=True)
        ),
        estimate=escape(ESTIMATE),
        limits=f"At most {MOST_TURNS:,} requests of a session are drawn, and {MOST_BLOCKS:,} blocks of them.",
        data=_data(page),
        script=script,
    )


def _file(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _security(style: str, script: str) -> str:
    """Only this style and this script count, and nothing is fetched."""
    return (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def _opening(page: Page) -> list[str]:
    known = set(warnings(page.simulation, page.summary))
    lines = plain(opening(page.simulation, page.summary, page.name)).splitlines()
    return [line for line in lines if line and line not in known]


def _list(lines: Iterable[str]) -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f'<ul class="notes">{items}</ul>' if items else ""


def _table(caption: str, head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A table that scrolls by itself where it is too wide."""
    columns = "".join(f'<th scope="col">{escape(cell)}</th>' if cell else "<td></td>" for cell in head)
    body = "".join(
        f'<tr><th scope="row">{escape(first)}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in rest)}</tr>'
        for first, *rest in lines
    )
    return (
        f'<div class="scrolls" role="region" aria-label="{escape(caption)}" tabindex="0"><table>'
        f"<caption>{escape(caption)}</caption><thead><tr>{columns}</tr></thead><tbody>{body}</tbody>"
        "</table></div>"
    )


def _misses(page: Page, policy: str, misses: Misses) -> str:
    known = set(warnings(page.simulation, page.summary))
    lines = [
        (TITLES[cause], f"{total.requests:,}", f"{total.tokens:,}", usd(total.cost))
        for cause, total in ordered(misses)
    ]
    summary = f"{misses.missed:,} of {counted(misses.requests, 'request')} did not read all that they could."
    table = _table(f"Misses by cause: {policy}", ("cause", "requests", "tokens", "cost"), lines)
    left_out = (line for line in missed_warnings(misses, page.summary) if line not in known)
    return f"<h3>{escape(policy)}</h3><p>{summary}</p>{_list(left_out)}{table if lines else ''}"


def _switches(page: Page) -> str:
    head = ("switch", "number", "cost against staying")
    table = _table("Switches of model, by pair", head, switches.rows(page.switches))
    return switches.picture(page.switches) + table


def _data(page: Page) -> str:
    """What the script draws. A data block ends at the first `</script`, and is no place for a `<`."""
    data = {
        "ways": page.ways,
        "sessions": [_session(session) for session in page.sessions],
    }
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")


def _session(session: DrawnSession) -> dict[str, object]:
    return {
        "name": session.name,
        "model": session.model,
        "requests": session.requests,
        "cost": usd(session.cost),
        "blocks": session.blocks,
        "turns": [
            {"where": turn.where, "at": round(turn.at, 3), "ways": [_treated(way) for way in turn.ways]}
            for turn in session.turns
        ],
    }


def _treated(way: Treated | None) -> dict[str, object] | None:
    if way is None:
        return None
    outcome = way.outcome
    return {
        "tokens": (outcome.read, outcome.write_1h, outcome.write_5m, outcome.uncached),
        "blocks": _runs(way.blocks),
        "states": way.states,
        "breakpoints": way.breakpoints,
        "changed": way.changed,
    }


def _runs(numbers: Sequence[int]) -> list[list[int]]:
    """Numbers as runs, each with its first and its last: a prompt mostly is the one before and more."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return runs
