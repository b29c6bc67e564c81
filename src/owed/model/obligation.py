"""An obligation: something that is owed, with a running total and a chain of transfers behind it."""

from datetime import datetime

import msgspec

MOST_RECENT = 10
"""Payments that an obligation remembers at most: with more within minutes many pay it, and likeness says little."""


class RecentPayment(msgspec.Struct, frozen=True, omit_defaults=True):
    """A payment of late, as far as another can look like it."""

    amount: int
    payment_id: str
    recorded_at: datetime
    channel: str | None = None

    def looks_like(self, amount: int, channel: str | None) -> bool:
        """Tell whether a payment of an amount, by a channel, looks the same."""
        return self.amount == amount and self.channel == channel


class Obligation(msgspec.Struct, frozen=True):
    """Where one obligation stands.

    Attributes:
        currency: Of `total`; None until one is set.
        total: Minor units, the sum of all transfers. Positive: owed. Negative: a credit.
        tracked: Whether the merchant has ever set a balance. The total runs either way.
        version: How many transfers there are; it has no gaps.
        hash: Of the last transfer, empty before the first.
        recorded_at: When the last transfer was recorded.
        recent: What was paid of late, the newest first; of payments that look the same only the newest.
    """

    currency: str | None = None
    total: int = 0
    tracked: bool = False
    version: int = 0
    hash: bytes = b""
    recorded_at: datetime | None = None
    recent: tuple[RecentPayment, ...] = ()

    @property
    def balance(self) -> int | None:
        """Give the total as a balance; None while the merchant tracks none."""
        return self.total if self.tracked else None

    def lookalike(self, amount: int, channel: str | None, since: datetime) -> str | None:
        """Give the id of the payment since a time that looks like one of an amount, by a channel."""
        for each in self.recent:
            if each.looks_like(amount, channel):
                return each.payment_id if each.recorded_at >= since else None
        return None

    def paid_by(self, payment: RecentPayment, since: datetime) -> "Obligation":
        """Remember a payment, and no longer those before a time."""
        others = [
            each
            for each in self.recent
            if each.recorded_at >= since and not each.looks_like(payment.amount, payment.channel)
        ]
        return msgspec.structs.replace(self, recent=(payment, *others[: MOST_RECENT - 1]))
