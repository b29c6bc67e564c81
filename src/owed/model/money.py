"""Money: integers in a currency's smallest unit."""

from iso4217 import Currency

MAX_TOTAL = 2**53 - 1
"""The largest total, either side of zero, that every JSON reader keeps exact."""

ACTIVE_CURRENCIES = frozenset(currency.code for currency in Currency)
"""The active list of ISO 4217."""
