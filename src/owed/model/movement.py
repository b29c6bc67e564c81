"""A movement: what was recorded on a balance since a time, besides what replaced it."""

from typing import NamedTuple


class Movement(NamedTuple):
    """What has changed a balance since a time, besides the merchant, who replaces it.

    Attributes:
        version: Of the last transfer that was looked at; 0 where there is none.
        amount: Minor units, by which it was raised in all, or below zero lowered.
        number: How many transfers. One that was passed on at once does not count: it came to nothing.
    """

    version: int = 0
    amount: int = 0
    number: int = 0
