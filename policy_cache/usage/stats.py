"""Totals of a recorded trace."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from policy_cache.engine.plan import ARMS
from policy_cache.errors import RequestError
from policy_cache.live.engine import Engine
from policy_cache.request.prompt import Prompt, detect_shape
from policy_cache.request.session import session_of
from policy_cache.usage.account import Account, priced, rates_of
from policy_cache.usage.attribution import PARTIES, UNRECORDED, Owner, Share
from policy_cache.usage.ledger import Ledger
from policy_cache.usage.sessions import Sessions, hashed
from policy_cache.usage.trial import Trial
from policy_cache.usage.usage import CacheUsage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from policy_cache.providers.cache_rules import CacheRules
    from policy_cache.providers.catalog import Catalog

_UNRECORDED = str(UNRECORDED)
_MOST_NAMES = 10_000


@dataclass(slots=True)
class Stats:
    """What a trace holds.

    Attributes:
        ledger: The totals.
        without_usage: How many requests came without usage.
        switches: How many requests went on with another model than their session's last.
        switch_cost: What those cost against staying, in USD, as far as it was recorded.
        trial: What the two policies of an experiment did; empty where none was recorded.
        broken: The numbers of the lines that are no record, from 1.
    """

    ledger: Ledger
    without_usage: int = 0
    switches: int = 0
    switch_cost: Decimal = Decimal(0)
    trial: Trial = field(default_factory=Trial)
    broken: list[int] = field(default_factory=list)


def stats(lines: Iterable[bytes], ledger: Ledger | None = None, *, catalog: Catalog | None = None) -> Stats:
    """Sum up the lines of a trace, one at a time; a line that is no record is counted and passed over.

    What a line does not say, such as one that no plug-in recorded, is summed up as `(unrecorded)`.

    Args:
        lines: The lines, as bytes of UTF-8.
        ledger: Where to add; a new one if left out.
        catalog: How long providers keep what they cache; the packaged catalog if left out.
    """
    router = Engine.passing(catalog)
    totals = Stats(Ledger(most=_MOST_NAMES) if ledger is None else ledger)
    sessions = Sessions()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            request, model = record["request"], record["request"]["model"]
        except (ValueError, TypeError, KeyError, RecursionError):
            totals.broken.append(number)
            continue
        usage = CacheUsage.from_response(record.get("usage"))
        if usage is None or not isinstance(model, str):
            totals.without_usage += 1
            continue
        ts = record.get("ts")
        at = float(ts) if isinstance(ts, int | float) else 0.0
        session = _session(record.get("session"), request, model)
        start = sessions.start(session, at, usage, _rules(router, request))
        policy = record.get("policy")
        policy = policy if isinstance(policy, dict) else {}
        rates = rates_of(model, usage)
        account = Account(
            model=model,
            route=_text(policy.get("route", _UNRECORDED)),
            revision=_text(policy.get("revision")) or _UNRECORDED,
            rules=(),
            usage=usage,
            rates=rates,
            shares=priced(_shares(policy.get("shares"), usage), rates),
            start=start,
            arm=next((arm for arm in ARMS if arm == policy.get("arm")), None),
            session=session,
        )
        totals.ledger.add(account)
        totals.trial.add(account)
        switch = policy.get("switch")
        if isinstance(switch, dict):
            totals.switches += 1
            cost = switch.get("cost_usd")
            if isinstance(cost, int | float) and math.isfinite(cost):
                totals.switch_cost += Decimal(repr(cost))
    return totals


def _rules(router: Engine, request: dict[str, object]) -> CacheRules | None:
    try:
        return router.facts(request).route.cache
    except RequestError:
        return None


def _session(named: object, request: dict[str, object], model: str) -> bytes:
    if isinstance(named, str):
        return hashed(["named", named])
    try:
        return session_of(Prompt(request, detect_shape(request)), model)
    except (RequestError, RecursionError):
        return hashed(["none", model])


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _shares(written: object, usage: CacheUsage) -> list[Share]:
    """The shares of a line; one that does not add up to its usage is nobody's."""
    shares = [_share(share) for share in written] if isinstance(written, list) else []
    read = sum(share.read for share in shares)
    short, long = sum(share.write_5m for share in shares), sum(share.write_1h for share in shares)
    if (read, short, long) == (usage.read, usage.write_5m, usage.write_1h):
        return shares
    return [Share(UNRECORDED, usage.read, usage.write_5m, usage.write_1h)]


def _share(written: object) -> Share:
    if not isinstance(written, Mapping):
        return Share(UNRECORDED)
    source = next((party for party in PARTIES if party == written.get("source")), UNRECORDED.source)
    rule = _text(written.get("rule")) if source == "policy" else None
    read, short, long = (_count(written.get(name)) for name in ("read", "write_5m", "write_1h"))
    return Share(Owner(source, rule or ""), read, short, long)


def _count(written: object) -> int:
    return written if type(written) is int and written > 0 else 0
