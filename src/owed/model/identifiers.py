"""Ids: a prefix and a UUIDv7 in base 62, always 22 characters, so that ids sort by the time of their creation.

The digits are in the order of ASCII: what sorts as bytes (the collation "C") sorts as a number.
"""

import re
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final

MERCHANT: Final = "mer_"
KEY: Final = "key_"
CUSTOMER: Final = "bcus_"
ACCOUNT: Final = "bacc_"
BILL: Final = "bill_"
PAYMENT: Final = "pay_"
APPLICATION: Final = "ob_"
REFUND: Final = "ref_"
REVERSAL: Final = "rev_"
ALLOCATION: Final = "all_"
MOVE: Final = "mov_"
CHARGE: Final = "chg_"
CREDIT: Final = "crd_"
EVENT: Final = "evt_"
TRANSFER: Final = "tra_"
ATTRIBUTION: Final = "att_"
ENDPOINT: Final = "we_"
SECRET: Final = "sec_"  # noqa: S105  (of an id)
ATTEMPT: Final = "dat_"
REPLAY: Final = "rep_"

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

LENGTH: Final = 22
DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

_PAIRS = [high + low for high in DIGITS for low in DIGITS]
_HALF = 62**11
_VERSION = 7 << 76
_VARIANT = 2 << 62
_LOW_BITS = (1 << 62) - 1
_STEP_BITS = 32
_START_BITS = 73  # one less than there is room for, so that steps within a millisecond never run over


def pattern(prefix: str) -> re.Pattern[str]:
    """Return what the contract lets an id with this prefix look like; ours are of that kind."""
    return re.compile(rf"{prefix}[a-zA-Z0-9]+", re.ASCII)


def milliseconds(moment: datetime) -> int:
    """Count the milliseconds since 1970, as ids do."""
    return (moment - EPOCH) // timedelta(milliseconds=1)


def id_at(prefix: str, milliseconds: int) -> str:
    """Return the smallest id of a millisecond since 1970: all earlier ones are smaller, and no later one is."""
    return prefix + base62(uuid7(milliseconds, 0))


def uuid7(milliseconds: int, random: int) -> int:
    """Return the UUIDv7 of a time and 74 random bits (RFC 9562, section 5.7)."""
    return milliseconds << 80 | _VERSION | (random >> 62) << 64 | _VARIANT | random & _LOW_BITS


def base62(number: int) -> str:
    """Write a number of 128 bits in 22 digits."""
    high, low = divmod(number, _HALF)
    return _eleven_digits(high) + _eleven_digits(low)


def _eleven_digits(number: int) -> str:
    number, last = divmod(number, 238_328)  # 62³, and then 62⁴: what a machine word divides at once
    first, middle = divmod(number, 14_776_336)
    return (
        f"{_PAIRS[first // 3844]}{_PAIRS[first % 3844]}{_PAIRS[middle // 3844]}{_PAIRS[middle % 3844]}"
        f"{_PAIRS[last // 62]}{DIGITS[last % 62]}"
    )


class IdSource:
    """Gives ids that strictly increase, whatever the clock does. What it gives follows from `random` and the times."""

    def __init__(self, random: Random) -> None:
        self._bits = random.getrandbits
        self._milliseconds = -1
        self._random = 0
        self._high = -1
        self._high_digits = ""

    def new(self, prefix: str, milliseconds: int) -> str:
        """Return the next id, of this millisecond or of the last one seen if that is later."""
        if milliseconds > self._milliseconds:
            self._milliseconds = milliseconds
            self._random = self._bits(_START_BITS)
        else:
            self._random += 1 + self._bits(_STEP_BITS)
        high, low = divmod(uuid7(self._milliseconds, self._random), _HALF)
        if high != self._high:  # it stands for most of a millisecond
            self._high, self._high_digits = high, _eleven_digits(high)
        return prefix + self._high_digits + _eleven_digits(low)
