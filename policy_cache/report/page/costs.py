"""What each way of marking costs: a bar each, with its amount beside its name."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from policy_cache.report.forecast import least_cost, rows
from policy_cache.text.amounts import share_saved, usd

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from policy_cache.report.page.values import Page

Kind: TypeAlias = Literal["policy", "other", "optimum"]


class Bar(NamedTuple):
    """A bar.

    Attributes:
        name: Whose cost it is.
        kind: What that is.
        cost: In USD.
        saved: What that saves against no caching, in per cent; empty for no caching itself.
    """

    name: str
    kind: Kind
    cost: Decimal
    saved: str


def bars(page: Page) -> list[Bar]:
    """A bar for each way of marking whose cost is known and about every request."""
    simulation = page.simulation
    baseline, least = simulation.uncached.total.cost, least_cost(simulation)
    found: list[Bar] = []
    for row in rows(simulation, page.policies):
        column, cost = row.column, row.column.cost
        if cost is not None and column.total.requests == simulation.requests:
            given = any(column is policy for policy in simulation.policies)
            saved = "" if column is simulation.uncached else share_saved(baseline, cost)
            found.append(Bar(row.name, "policy" if given else "other", cost, saved))
    if least is not None:
        found.append(Bar("optimum", "optimum", least, share_saved(baseline, least)))
    return found


def picture(shown: Sequence[Bar]) -> str:
    """The bars as a list; empty where there is none."""
    most = max((bar.cost for bar in shown), default=None)
    items = "".join(_item(bar, float(100 * bar.cost / most) if most else 0.0) for bar in shown)
    return f'<ul class="bars" aria-label="Cost of each way of marking">{items}</ul>' if items else ""


def _item(bar: Bar, width: float) -> str:
    amount = usd(bar.cost) + (f", {bar.saved} saved" if bar.saved else "")
    # The length is no style, which the page forbids to its elements.
    return (
        f"<li>{escape(bar.name)}: <b>{amount}</b>"
        f'<svg aria-hidden="true" width="100%" height="22"><rect class="{bar.kind}" width="{width:.2f}%" '
        f'height="100%"/></svg></li>'
    )
