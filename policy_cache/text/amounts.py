"""Amounts for people: numbers of things, money, and shares."""

from __future__ import annotations

from decimal import Decimal

_TEN_CENTS = Decimal("0.1")


def counted(number: int, noun: str) -> str:
    """`1 breakpoint`, `2 breakpoints`, `1,000 switches`."""
    return f"{number:,} {noun}{'' if number == 1 else 'es' if noun.endswith('ch') else 's'}"


def counted_tokens(number: int) -> str:
    """`1 token`, `12,000 tokens`."""
    return f"{number:,} token{'' if number == 1 else 's'}"


def usd(amount: Decimal | None, *, cents: bool = False) -> str:
    """An amount of money; `unknown` for None.

    Args:
        amount: USD.
        cents: Whether whole cents are enough, from ten cents on. Otherwise an amount below $100 has two
            digits more, to tell it from another one.
    """
    if amount is None:
        return "unknown"
    size = abs(amount)
    whole = size >= _TEN_CENTS or not size if cents else size >= 100
    return f"{'-' if amount < 0 else ''}${size:,.{2 if whole else 4}f}"


def known_usd(amount: Decimal, unknown: int, requests: int, *, cents: bool = False) -> str:
    """What requests cost as far as their prices are known, and how many have none: `$1.20 and 3 unknown`."""
    if not unknown:
        return usd(amount, cents=cents)
    return f"{usd(amount, cents=cents)} and {unknown:,} unknown" if unknown < requests else "unknown"


def share(part: float, whole: float, *, otherwise: str = "none") -> str:
    """A part in per cent of the whole; where there is no whole, what is said otherwise."""
    return f"{part / whole:.0%}" if whole else otherwise


def share_saved(baseline: Decimal | None, cost: Decimal | None) -> str:
    """What is saved against a baseline, in per cent."""
    return f"{1 - cost / baseline:.0%}" if cost is not None and baseline else "unknown"
