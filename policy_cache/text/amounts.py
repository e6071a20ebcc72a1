"""Amounts for people: numbers of things, money, and shares."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_TEN_CENTS = Decimal("0.1")


def counted(number: int, noun: str) -> str:
    """`1 breakpoint`, `2 breakpoints`, `1,000 switches`."""
    return f"{number:,} {noun}{'' if number == 1 else 'es' if noun.endswith('ch') else 's'}"


def counted_tokens(number: int) -> str:
    """`1 token`, `12,000 tokens`."""
    return f"{number:,} token{'' if number == 1 else 's'}"


def digits_of(amounts: Iterable[Decimal]) -> int:
    """Digits behind the point for amounts side by side: cents where one reaches a dollar, else two more."""
    return 2 if any(abs(amount) >= 1 for amount in amounts) else 4


def usd(amount: Decimal | None, *, cents: bool = False, digits: int | None = None) -> str:
    """An amount of money; `unknown` for None.

    Args:
        amount: USD.
        cents: Whether whole cents are enough, from ten cents on. Otherwise an amount below $100 has two
            digits more, to tell it from another one.
        digits: How many behind the point, whatever the amount.
    """
    if amount is None:
        return "unknown"
    size = abs(amount)
    if digits is None:
        whole = size >= _TEN_CENTS or not size if cents else size >= 100
        digits = 2 if whole else 4
    written = f"{size:,.{digits}f}"
    return f"{'-' if amount < 0 and written.strip('0.') else ''}${written}"


def known_usd(amount: Decimal, unknown: int, requests: int, *, digits: int | None = None) -> str:
    """What requests cost as far as their prices are known, and how many have none: `$1.20 and 3 unknown`."""
    if 0 < unknown == requests:
        return "unknown"
    known = usd(amount, digits=digits)
    return f"{known} and {unknown:,} unknown" if unknown else known


def share(part: float, whole: float, *, otherwise: str = "none") -> str:
    """A part in per cent of the whole; where there is no whole, what is said otherwise."""
    return f"{part / whole:.0%}" if whole else otherwise


def share_saved(baseline: Decimal | None, cost: Decimal | None) -> str:
    """What is saved against a baseline, in per cent."""
    return f"{1 - cost / baseline:.0%}" if cost is not None and baseline else "unknown"
