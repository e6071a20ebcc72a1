"""The prompts of one session, block by block, as each way of marking has them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from policy_cache.cache.prompt import digest
from policy_cache.cache.reader import Readers
from policy_cache.cache.reading import marked
from policy_cache.engine.transit import Outgoing
from policy_cache.misses.difference import common_blocks
from policy_cache.report.page.values import DrawnBlock, DrawnSession, DrawnTurn, Treated
from policy_cache.request.location import place, value_at
from policy_cache.text.words import visible, word

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from policy_cache.cache.explicit import CacheOutcome
    from policy_cache.cache.prompt import CachedBlock, CachedPrompt
    from policy_cache.forecast.calibration import Calibration
    from policy_cache.live.engine import Engine
    from policy_cache.report.page.dearest import Sum
    from policy_cache.trace.record import TraceRecord
    from policy_cache.usage.totals import Totals

MOST_TURNS = 200
"""Requests of a session that are shown."""

MOST_BLOCKS = 40_000
"""Blocks of all these requests together; the request that exceeds it is the last one shown."""

_LONGEST_TEXT = 2_000


class Drawn:
    """One session, request by request."""

    def __init__(self, engines: Sequence[Engine], calibration: Calibration, *, text: bool) -> None:
        """Begin with nothing.

        Args:
            engines: The policies.
            calibration: What sizes are fitted to.
            text: Whether to keep what blocks say.
        """
        self._engines = engines
        self._readers = Readers(calibration.scales)
        self._text = text
        self._first: TraceRecord | None = None
        self._blocks: list[DrawnBlock] = []
        self._known: dict[tuple[object, ...], int] = {}
        self._before: dict[int, CachedPrompt] = {}
        self._turns: list[DrawnTurn] = []
        self._drawn = 0

    def add(self, record: TraceRecord, outcomes: Sequence[Totals | None], ways: Sequence[int]) -> None:
        """Add a request.

        Args:
            record: The request.
            outcomes: What became of it: for each policy, as it was sent, as it was recorded.
            ways: Which of these to show.
        """
        if self._first is None:
            self._first = record
        if len(self._turns) >= MOST_TURNS or self._drawn >= MOST_BLOCKS:
            return
        facts = self._engines[0].facts(record.request)
        route = facts.route
        prompt = self._readers.of(facts.prompt, route, record.scope)
        came = Outgoing(facts.prompt, route.markers_of(facts.prompt))
        treated: list[Treated | None] = []
        for way in ways:
            seen, sent = prompt, came
            if way < len(self._engines):
                engine = self._engines[way]
                incoming = engine.incoming(record.request, prompt=facts.prompt)
                seen, sent = self._readers.sent(engine, incoming, prompt)
            read = record.request if seen is prompt else sent.prompt.request
            totals = outcomes[way]
            if totals is None:
                treated.append(None)
                continue
            placed = marked(seen, sent.markers, route)
            treated.append(
                Treated(
                    totals.tokens,
                    tuple(self._index(block, read) for block in seen.blocks),
                    "".join(_states(placed, totals.tokens)),
                    tuple(placed.breakpoints.items()),
                    _changed(self._before.get(way), seen),
                )
            )
            self._before[way] = seen
        self._drawn += len(prompt.blocks)
        self._turns.append(DrawnTurn(visible(record.where), record.at - self._first.at, tuple(treated)))

    def session(self, total: Sum) -> DrawnSession:
        """What was drawn, of requests that sum up to this."""
        assert self._first is not None
        return DrawnSession(
            word(self._first.session) or "(none)",
            word(str(self._first.request["model"])),
            total.requests,
            total.cost if total.priced else None,
            tuple(self._blocks),
            tuple(self._turns),
        )

    def _index(self, block: CachedBlock, request: Mapping[str, object]) -> int:
        key = (block.location, block.kind, block.tokens, digest(block.content))
        index = self._known.get(key)
        if index is None:
            index = self._known[key] = len(self._blocks)
            text = _shown(value_at(request, block.location)) if self._text else None
            self._blocks.append(DrawnBlock(place(block.location), word(block.kind), block.tokens, text))
        return index


def _states(prompt: CachedPrompt, outcome: CacheOutcome) -> Iterator[str]:
    """What happened to each block: a prompt is filled by what was read, then by what was written."""
    # What was recorded is of another size than the estimate.
    factor = outcome.total / prompt.tokens if prompt.tokens else 1.0
    read = outcome.read
    hour = read + outcome.write_1h
    written = hour + outcome.write_5m
    for block, end in zip(prompt.blocks, prompt.ends, strict=True):
        middle = (end - block.tokens / 2) * factor
        yield "r" if middle < read else "1" if middle < hour else "5" if middle < written else "u"


def _changed(before: CachedPrompt | None, after: CachedPrompt) -> int | None:
    if before is None:
        return None
    common = common_blocks(before, after)
    return common if common < min(len(before.blocks), len(after.blocks)) else None


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}… ({len(text):,} characters)"
