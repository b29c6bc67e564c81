"""The past: what was owed on an object at a time (contract, section 6, `as_of`).

It is looked up, not worked out: each transfer keeps the total after it.
"""

from datetime import datetime
from typing import Any, NamedTuple, TypeVar

import msgspec

from owed.model.bill import Bill
from owed.model.billing_object import BillingObject
from owed.model.transfer import Cause
from owed.store.failures import translated
from owed.store.slow_lane import Connections

Owing = TypeVar("Owing", bound=BillingObject)

OF_UNPAID = (Cause.VOID, Cause.CURRENCY_CHANGED)
"""What is done only to bills of which nothing is paid; the total is zero after it, or between its two halves."""

LAST = """
    -- The last transfer of an obligation that was recorded before a time, and whether a balance had been set by then.
    SELECT total_after AS total, currency, cause,
           EXISTS (SELECT FROM transfer AS opening
                    WHERE opening.tenant_id = $1 AND opening.obligation_id = $2
                      AND opening.cause = 'opening' AND opening.version <= transfer.version) AS is_opened
      FROM transfer
     WHERE tenant_id = $1 AND obligation_id = $2 AND version = transfers_by($1, $2, $3)
"""


class Standing(NamedTuple):
    """How an obligation stood after a transfer.

    Attributes:
        is_opened: Whether a balance had been set by then.
    """

    total: int
    currency: str
    cause: str
    is_opened: bool


class Past:
    """Looks up how objects stood."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def at(self, moment: datetime, item: Owing) -> Owing:
        """Give an object with what was owed on it at a time, and the rest as it is now; it must have existed."""
        with translated():
            async with self._connections.connection() as connection:
                rows = await connection.fetch(LAST, item.tenant_id, item.id, moment)
        return as_it_stood(item, Standing(**rows[0]) if rows else None)


def as_it_stood(item: Owing, then: Standing | None) -> Owing:
    """Give an object as it stood after a transfer; None: before the first, when nothing was tracked."""
    if then is None:
        untracked = msgspec.structs.replace(item.obligation, total=0, tracked=False)
        return msgspec.structs.replace(item, obligation=untracked)
    changes: dict[str, Any] = {
        "obligation": msgspec.structs.replace(
            item.obligation, currency=then.currency, total=then.total, tracked=then.is_opened
        )
    }
    if isinstance(item, Bill):
        changes["is_voided"] = then.cause == Cause.VOID
        changes["amount_paid"] = 0 if then.cause in OF_UNPAID else item.amount_due - then.total
        changes["amount_received"] = 0  # nobody asks what of it payments held then
    return msgspec.structs.replace(item, **changes)
