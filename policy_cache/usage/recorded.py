"""What a recorded line says of one answered request."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from policy_cache.engine.plan import ARMS
from policy_cache.errors import RequestError
from policy_cache.live.engine import Engine
from policy_cache.request.prompt import Prompt, detect_shape
from policy_cache.request.session import session_of
from policy_cache.usage.account import Account, Switch, priced, rates_of
from policy_cache.usage.attribution import PARTIES, UNRECORDED, Owner, Share
from policy_cache.usage.copies import Copies
from policy_cache.usage.sessions import Sessions, hashed
from policy_cache.usage.usage import CacheUsage

if TYPE_CHECKING:
    from policy_cache.providers.cache_rules import CacheRules
    from policy_cache.providers.catalog import Catalog

_UNRECORDED = str(UNRECORDED)
# More than any request costs, in USD; sums of it stay numbers that JSON has.
_DEAREST = 1e6


class Answered(NamedTuple):
    """One recorded request.

    Attributes:
        account: What it did; None where it came without usage.
        at: When it started, in seconds since the epoch; 0 where that is not said.
        copy: Whether its line repeats an earlier one, its time included: it has been counted.
    """

    account: Account | None
    at: float
    copy: bool = False


class RecordedLines:
    """Reads the lines of a `TraceRecorder`, in their order.

    What a line does not say, such as one that no plug-in recorded, is `(unrecorded)`.
    """

    def __init__(self, catalog: Catalog | None = None) -> None:
        """Begin with no session; the catalog says how long providers keep what they cache."""
        self._router = Engine.passing(catalog)
        self._sessions = Sessions()
        self._copies = Copies()

    def read(self, line: bytes) -> Answered | None:
        """What a line says; None where it is no record."""
        try:
            record = json.loads(line)
            request, model = record["request"], record["request"]["model"]
        except (ValueError, TypeError, KeyError, RecursionError):
            return None
        ts = record.get("ts")
        at = float(_number(ts) or 0)
        if (_number(ts) is not None or _text(ts)) and self._copies.has(line):
            return Answered(None, at, copy=True)
        usage = CacheUsage.from_response(record.get("usage"))
        if usage is None or not isinstance(model, str):
            return Answered(None, at)
        session = _session(record.get("session"), request, model)
        start = self._sessions.start(session, at, usage, self._rules(request))
        policy = record.get("policy")
        policy = policy if isinstance(policy, dict) else {}
        rates = rates_of(model, usage)
        account = Account(
            model=model,
            route=_text(policy.get("route", _UNRECORDED)),
            revision=_text(policy.get("revision")) or _UNRECORDED,
            policy=_text(policy.get("name")) or "",
            rules=(),
            usage=usage,
            rates=rates,
            shares=priced(_shares(policy.get("shares"), usage), rates),
            start=start,
            switch=_switch(policy.get("switch")),
            arm=next((arm for arm in ARMS if arm == policy.get("arm")), None),
            session=session,
        )
        return Answered(account, at)

    def _rules(self, request: dict[str, object]) -> CacheRules | None:
        try:
            return self._router.facts(request).route.cache
        except RequestError:
            return None


def _number(written: object) -> int | float | None:
    """A number that others can be added to; JSON has larger ones than a float, and `true` is none."""
    if not isinstance(written, int | float) or isinstance(written, bool):
        return None
    try:
        return written if math.isfinite(written) else None
    except OverflowError:
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


def _switch(written: object) -> Switch | None:
    if not isinstance(written, dict):
        return None
    cost = _number(written.get("cost_usd"))
    known = cost is not None and abs(cost) <= _DEAREST
    return Switch(_text(written.get("from")) or _UNRECORDED, Decimal(repr(cost)) if known else None)


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
