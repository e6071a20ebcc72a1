"""Amounts as people read them."""

from decimal import Decimal

import pytest

from policy_cache.text.amounts import counted, counted_tokens, digits_of, share, share_saved, usd


@pytest.mark.parametrize(
    ("amount", "exact", "cents"),
    [
        (None, "unknown", "unknown"),
        ("0", "$0.0000", "$0.00"),
        ("0.0994", "$0.0994", "$0.0994"),
        ("0.1", "$0.1000", "$0.10"),
        ("-0.0012", "-$0.0012", "-$0.0012"),
        ("-2.5", "-$2.5000", "-$2.50"),
        ("1234.567", "$1,234.57", "$1,234.57"),
    ],
)
def test_money(amount, exact, cents):
    amount = None if amount is None else Decimal(amount)
    assert (usd(amount), usd(amount, cents=True)) == (exact, cents)


@pytest.mark.parametrize(
    ("amounts", "shown"),
    [
        (["0.0312", "4"], ["$0.03", "$4.00"]),
        (["0.0312", "-0.4", "0"], ["$0.0312", "-$0.4000", "$0.0000"]),
        (["-0.0015", "-1"], ["$0.00", "-$1.00"]),
    ],
)
def test_money_side_by_side(amounts, shown):
    amounts = [Decimal(amount) for amount in amounts]
    assert [usd(amount, digits=digits_of(amounts)) for amount in amounts] == shown


def test_numbers_of_things():
    assert [counted(number, "rule") for number in (0, 1, 2)] == ["0 rules", "1 rule", "2 rules"]
    assert [counted_tokens(number) for number in (1, 12_000)] == ["1 token", "12,000 tokens"]


def test_shares():
    assert (share(1, 3), share(0, 0), share(0, 0, otherwise="0%")) == ("33%", "none", "0%")
    assert share_saved(Decimal(4), Decimal(1)) == "75%"
    assert share_saved(None, Decimal(1)) == share_saved(Decimal(0), Decimal(1)) == "unknown"
