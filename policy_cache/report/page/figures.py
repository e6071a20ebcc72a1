"""The figures of a page, as Plotly takes them: data and layout, in JSON.

A trace is coloured by the page's style sheet, so that it follows light and dark; its `meta` names the colour.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, TypedDict

from policy_cache.report.forecast import least_cost, rows
from policy_cache.text.amounts import share_saved, usd

if TYPE_CHECKING:
    from decimal import Decimal

    from policy_cache.report.page.values import DrawnSession, Page

_LONGEST_NAME = 34
_KINDS = (
    ("read", "read", ""),
    ("written 1h", "hour", "x"),
    ("written 5m", "minutes", "/"),
    ("uncached", "uncached", "."),
)


class Figure(TypedDict):
    """A figure of Plotly's."""

    data: list[dict[str, object]]
    layout: dict[str, object]


def costs(page: Page) -> Figure:
    """A bar for each way of marking whose cost is known and about every request."""
    simulation = page.simulation
    baseline, least = simulation.uncached.total.cost, least_cost(simulation)
    bars: list[tuple[str, str, Decimal]] = []
    for row in rows(simulation, page.policies):
        cost = row.column.total.cost
        if cost is not None and row.column.total.requests == simulation.requests:
            given = any(row.column is column for column in simulation.policies)
            bars.append((row.name, "read" if given else "uncached", cost))
    if least is not None:
        bars.append(("optimum", "optimum", least))
    data: list[dict[str, object]] = []
    notes: list[dict[str, object]] = []
    for number, (name, colour, cost) in enumerate(bars):
        amount = usd(cost) + (f", {share_saved(baseline, cost)} saved" if number else "")
        shape = {"uncached": ".", "optimum": "/"}.get(colour, "")
        data.append({
            "type": "bar",
            "orientation": "h",
            "name": literal(name),
            "x": [float(cost)],
            "y": [number],
            "width": [0.5],
            "meta": colour,
            "marker": {"pattern": {"shape": shape}},
            "hovertemplate": f"{literal(name)}<br>{amount}<extra></extra>",
        })  # fmt: skip
        notes.append({
            "text": f"{literal(shortened(name))}: <b>{amount}</b>",
            "x": 0,
            "y": number,
            "xanchor": "left",
            "yanchor": "bottom",
            "yshift": 12,
            "showarrow": False,
        })  # fmt: skip
    return {
        "data": data,
        "layout": {
            "barmode": "overlay",
            "showlegend": False,
            "height": 60 + 58 * len(bars),
            "margin": {"l": 8, "r": 8, "t": 8, "b": 44},
            "annotations": notes,
            "xaxis": {"title": {"text": "USD for the prompts"}, "tickprefix": "$", "nticks": 5},
            "yaxis": {"range": [len(bars) - 0.55, -0.75], "visible": False},
        },
    }


def tokens(session: DrawnSession, way: int) -> Figure:
    """The tokens of each request of a session, marked in one way, stacked by what happened to them."""
    turns = [turn.ways[way] for turn in session.turns]
    counts = [
        [None if turn is None else getattr(turn.outcome, field) for turn in turns]
        for field in ("read", "write_1h", "write_5m", "uncached")
    ]
    numbers = list(range(1, len(turns) + 1))
    data: list[dict[str, object]] = [
        {
            "type": "bar",
            "name": name,
            "x": numbers,
            "y": values,
            "meta": colour,
            "marker": {"pattern": {"shape": shape}},
            "hovertemplate": f"request %{{x}}: %{{y:,}} tokens {name}<extra></extra>",
        }
        for (name, colour, shape), values in zip(_KINDS, counts, strict=True)
    ]
    return {
        "data": data,
        "layout": {
            "barmode": "stack",
            "bargap": 0.15,
            "height": 340,
            "margin": {"l": 60, "r": 8, "t": 8, "b": 44},
            "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "traceorder": "normal"},
            "xaxis": {
                "title": {"text": "request"},
                "nticks": 12,
                "tickformat": "d",
                "range": [0.4, len(turns) + 0.6],
            },
            "yaxis": {
                "title": {"text": "tokens", "standoff": 8},
                "rangemode": "tozero",
                "tickformat": "~s",
                "automargin": True,
            },
        },
    }


def literal(text: str) -> str:
    """A text that Plotly shows as it is: it reads tags, entities, and the braces of its templates."""
    return escape(text, quote=False).replace("%{", "%&#123;").replace("$", "&#36;")


def shortened(name: str) -> str:
    """A name cut at its beginning, where a path tells the least."""
    return name if len(name) <= _LONGEST_NAME else f"…{name[-_LONGEST_NAME:]}"
