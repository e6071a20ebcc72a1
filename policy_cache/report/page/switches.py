"""Sessions that changed their model: a line each, coloured by model, with the price of each switch."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from policy_cache.report.switches import MODELLED, between, called, ordered
from policy_cache.text.amounts import counted, usd
from policy_cache.text.words import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policy_cache.forecast.switches import Run, Switches

_MOST_SESSIONS = 40
_COLOURS = 6
_WIDTH, _LINE, _LEFT, _TOP = 960, 26, 170, 6


def rows(switches: Switches) -> list[tuple[str, str, str]]:
    """The pairs of models as rows: the switch, how often, and what it cost against staying."""
    return [(between(*models), f"{pair.count:,}", usd(pair.cost)) for models, pair in ordered(switches)]


def picture(switches: Switches) -> str:
    """The picture as SVG, with its legend; empty where no session changed its model."""
    sessions = sorted(switches.runs.items(), key=lambda item: -len(item[1]))[:_MOST_SESSIONS]
    if not sessions:
        return ""
    models = list(dict.fromkeys(run.model for _, runs in sessions for run in runs))
    longest = max(sum(run.requests for run in runs) for _, runs in sessions)
    unit = (_WIDTH - _LEFT) / longest
    lines = "".join(
        _line(number, session or "a session", runs, models, unit)
        for number, ((_, session), runs) in enumerate(sessions)
    )
    height = _TOP + _LINE * len(sessions)
    about = f"{counted(len(sessions), 'session')} that changed the model; the table has the prices"
    drawn = (
        f'<svg viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" role="img" '
        f'aria-label="{about}">{lines}</svg>'
    )
    legend = "".join(
        f'<li><span class="block model{number % _COLOURS}"></span> {escape(called(model))}</li>'
        for number, model in enumerate(models)
    )
    return (
        f'<ul class="legend" aria-label="Models">{legend}</ul>'
        f'<div class="scrolls" role="region" aria-label="Sessions by model" tabindex="0">{drawn}</div>'
        f"<p>{escape(MODELLED)} A dot is a switch, with what it cost against staying.</p>"
    )


def _line(number: int, session: str, runs: Sequence[Run], models: Sequence[str], unit: float) -> str:
    top = _TOP + _LINE * number
    name = visible(session)
    short = name if len(name) <= 22 else name[:21] + "…"
    parts = [f'<text class="session" x="0" y="{top + 17}">{escape(short)}</text>']
    at = float(_LEFT)
    for run in runs:
        wide = run.requests * unit
        colour = models.index(run.model) % _COLOURS
        parts.append(
            f'<rect class="model{colour}" x="{at:.1f}" y="{top + 9}" width="{wide:.1f}" height="8">'
            f"<title>{escape(called(run.model))}: {counted(run.requests, 'request')}</title></rect>"
        )
        if run.switch is not None:
            price = usd(run.switch.cost, cents=True)
            parts.append(f'<circle class="switch" cx="{at:.1f}" cy="{top + 13}" r="4"/>')
            parts.append(f'<text class="price" x="{at + 6:.1f}" y="{top + 7}">{escape(price)}</text>')
        at += wide
    return "".join(parts)
