"""`python -m benchmarks.shift [FILE.svg]`: what it costs to learn anew when pauses change, as a picture.

Chats of one scope begin every three minutes for a day. People answer after 15 s, from the sixth hour on after
15 minutes, and from the eighteenth on after 15 s again, exponential both; a chat ends after 25 requests in
the mean. The picture has what a request costs in each quarter of an hour: with `ttl: auto` for everything,
with five minutes, and with an hour.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.lifetimes import policies
from policy_cache.forecast.observed import Observed
from policy_cache.live.engine import Engine
from policy_cache.trace.record import TraceRecord

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MODEL = "anthropic/claude-opus-5"
HOUR = 3_600.0
DAY, CHANGES = 24 * HOUR, (6 * HOUR, 18 * HOUR)
SHORT, LONG = 15.0, 900.0
APART, LEAVE, BIN = 180.0, 0.04, 900.0
TRIED = ("`auto` everywhere", "five minutes everywhere", "an hour everywhere")
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 860, 320, 60, 16, 40
CLASSES = ("auto", "five", "hour")
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #57606a }
path { fill: none; stroke-width: 2 }
.auto { stroke: #0072b2; stroke-width: 3 } .five { stroke: #b35900; stroke-dasharray: 6 3 }
.hour { stroke: #7b3294; stroke-dasharray: 2 3 } .axis { stroke: #d0d5db; stroke-width: 1 }
@media (prefers-color-scheme: dark) {
  text { fill: #a8b0b9 } .auto { stroke: #56b4e9 } .five { stroke: #f0a04b } .hour { stroke: #cfa2ea }
  .axis { stroke: #39414a }
}
"""


class Spent(NamedTuple):
    """USD and requests in each quarter of an hour, for each policy."""

    usd: list[Counter[int]]
    requests: Counter[int]

    def series(self, policy: int) -> list[tuple[float, float]]:
        """Hours, and cents a request."""
        return [
            (bin_ * BIN / HOUR, 100 * self.usd[policy][bin_] / number)
            for bin_, number in sorted(self.requests.items())
        ]


def records() -> list[TraceRecord]:
    """The requests of a day, in the order of their start."""
    chance = random.Random(1)  # noqa: S311, traffic
    system = {"role": "system", "content": "system " + "word " * 5_000}
    found: list[TraceRecord] = []
    for number in range(int(DAY / APART)):
        found += _chat(chance, f"chat {number}", number * APART, system)
    return sorted((record for record in found if record.at < DAY), key=lambda record: record.at)


def _chat(chance: random.Random, session: str, at: float, system: dict[str, str]) -> Iterator[TraceRecord]:
    messages = [system, {"role": "user", "content": f"{session} " + "word " * 500}]
    for turn in count():
        request: dict[str, object] = {"model": MODEL, "messages": list(messages), "max_tokens": 1_000}
        yield TraceRecord(f"{session}#{turn}", at, request, None, 1.0, "one", session)
        if chance.random() < LEAVE:
            return
        at += chance.expovariate(1 / (LONG if CHANGES[0] <= at < CHANGES[1] else SHORT))
        messages += [
            {"role": "assistant", "content": f"{turn} " + "word " * chance.randint(50, 400)},
            {"role": "user", "content": f"{turn} " + "word " * chance.randint(20, 200)},
        ]


def spent() -> Spent:
    """What each policy pays."""
    known = policies()
    observed = Observed([Engine.from_text(known[name]) for name in TRIED], {})
    found = Spent([Counter() for _ in TRIED], Counter())
    for record in records():
        _, *columns = observed.add(record)
        bin_ = int(record.at // BIN)
        found.requests[bin_] += 1
        for usd, totals in zip(found.usd, columns, strict=False):
            usd[bin_] += float(totals.paid) if totals else 0.0
    return found


def picture(found: Spent) -> str:
    """The lines, as SVG."""
    series = [found.series(policy) for policy in range(len(TRIED))]
    top = max(cents for line in series for _, cents in line)
    across, down = (WIDTH - LEFT - 10) / 24, (HEIGHT - TOP - BOTTOM) / top
    floor = HEIGHT - BOTTOM

    def path(points: Sequence[tuple[float, float]]) -> str:
        return "M" + "L".join(f"{LEFT + h * across:.1f} {floor - cents * down:.1f}" for h, cents in points)

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">']
    parts += ["<title>Cents a request when pauses change</title>", f"<style>{STYLE}</style>"]
    for hour in (0, 6, 12, 18, 24):
        x, anchor = LEFT + hour * across, "end" if hour == 24 else "middle"
        parts.append(f'<path class="axis" d="M{x:.1f} {TOP}V{floor}"/>')
        parts.append(f'<text x="{x:.1f}" y="{floor + 18}" text-anchor="{anchor}">{hour} h</text>')
    for cents in (0.0, top / 2, top):
        y = floor - cents * down
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{cents:.1f} ct</text>')
    parts += [f'<path class="{name}" d="{path(line)}"/>' for name, line in zip(CLASSES, series, strict=True)]
    for number, (name, label) in enumerate(zip(CLASSES, TRIED, strict=True)):
        x, y = LEFT + 20 + 230 * number, HEIGHT - 6
        parts.append(f'<path class="{name}" d="M{x} {y - 4}h26"/>')
        parts.append(f'<text x="{x + 32}" y="{y}">{label.replace("`", "")}</text>')
    return "\n".join([*parts, "</svg>", ""])


def main() -> None:
    found = spent()
    for name, lower, upper in (("15 s", 0, 6), ("15 min", 6, 18), ("15 s again", 18, 24)):
        inside = [bin_ for bin_ in found.requests if lower <= bin_ * BIN / HOUR < upper]
        first = [bin_ for bin_ in inside if bin_ * BIN / HOUR < lower + 1]
        for title, bins in ((name, inside), (f"{name}, its first hour", first)):
            paid = [sum(usd[bin_] for bin_ in bins) for usd in found.usd]
            figures = ", ".join(f"{policy} ${usd:.2f}" for policy, usd in zip(TRIED, paid, strict=True))
            print(f"{title}: {figures}; auto / the better fixed one {paid[0] / min(paid[1:]):.2f}")
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(picture(found), encoding="utf-8")


if __name__ == "__main__":
    main()
