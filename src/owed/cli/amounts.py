"""Amounts of money, as people read them."""

from functools import cache
from typing import NamedTuple

from iso4217 import Currency


class Amount(NamedTuple):
    """An amount in minor units, the smallest of a currency, or of none that is known."""

    minor: int
    currency: str | None

    def __str__(self) -> str:
        """Write it with its decimals and its currency, such as `1,250.00 ZAR`."""
        decimals = _decimals(self.currency)
        if decimals is None:
            units = "minor unit" if self.minor == 1 else "minor units"
            return f"{self.minor} {units} of {self.currency}" if self.currency else f"{self.minor} {units}"
        whole, fraction = divmod(abs(self.minor), 10**decimals)
        sign = "-" if self.minor < 0 else ""
        return f"{sign}{whole:,}{f'.{fraction:0{decimals}}' if decimals else ''} {self.currency}"


@cache
def _decimals(currency: str | None) -> int | None:
    """Give how many decimals a currency has; None where it has none of its own, or is not on the list."""
    try:
        exponent: int | None = Currency(currency).exponent
    except ValueError:
        return None
    return exponent
