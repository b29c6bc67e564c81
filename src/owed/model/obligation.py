"""An obligation: something that is owed, with a running total and a chain of transfers behind it."""

from datetime import datetime

import msgspec


class Obligation(msgspec.Struct, frozen=True):
    """Where one obligation stands.

    Attributes:
        currency: Of `total`; None until one is set.
        total: Minor units, the sum of all transfers. Positive: owed. Negative: a credit.
        tracked: Whether the merchant has ever set a balance. The total runs either way.
        version: How many transfers there are; it has no gaps.
        hash: Of the last transfer, empty before the first.
        recorded_at: When the last transfer was recorded.
    """

    currency: str | None = None
    total: int = 0
    tracked: bool = False
    version: int = 0
    hash: bytes = b""
    recorded_at: datetime | None = None

    @property
    def balance(self) -> int | None:
        """Give the total as a balance; None while the merchant tracks none."""
        return self.total if self.tracked else None
