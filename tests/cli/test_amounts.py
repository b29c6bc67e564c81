"""Amounts, as people read them."""

import pytest

from owed.cli.amounts import Amount


@pytest.mark.parametrize(
    ("minor", "currency", "written"),
    [
        (0, "ZAR", "0.00 ZAR"),
        (5, "ZAR", "0.05 ZAR"),
        (-5, "ZAR", "-0.05 ZAR"),
        (-150_050, "ZAR", "-1,500.50 ZAR"),
        (2**53 - 1, "ZAR", "90,071,992,547,409.91 ZAR"),
        (1_234_567, "JPY", "1,234,567 JPY"),
        (1_234_567, "KWD", "1,234.567 KWD"),
        (12, "XAU", "12 minor units of XAU"),  # gold has no decimals of its own
        (12, "ZWL", "12 minor units of ZWL"),  # no longer on the list
        (99_999_999, None, "99999999 minor units"),
        (1, None, "1 minor unit"),
    ],
)
def test_an_amount_is_written_in_the_decimals_of_its_currency(minor: int, currency: str | None, written: str) -> None:
    assert str(Amount(minor, currency)) == written
