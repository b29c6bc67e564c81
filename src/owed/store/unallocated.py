"""Unallocated money: what of a customer's payments is applied to nothing, by currency."""

from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec

from owed.store.failures import translated
from owed.store.slow_lane import Connections

MOST = 100
"""Payments that are listed of a currency; all count in its sum."""

OF_CUSTOMER = """
    -- What of a customer's payments is unallocated, in all and by payment: of each currency the newest.
      WITH sums AS (
    SELECT currency, sum(-unallocated_total)::bigint AS total, count(*) AS number
      FROM payment
     WHERE tenant_id = $1 AND unallocated_customer_id = $2 AND unallocated_total < 0
     GROUP BY currency
         )
    SELECT sums.currency, total, number, id, amount, external_reference, channel, paid_at
      FROM sums
     CROSS JOIN LATERAL (
           SELECT id, -unallocated_total AS amount, external_reference, channel, paid_at
             FROM payment
            WHERE tenant_id = $1 AND unallocated_customer_id = $2 AND unallocated_total < 0
              AND currency = sums.currency
            ORDER BY id DESC
            LIMIT $3) AS newest
     ORDER BY sums.currency, id DESC
"""


class Row(NamedTuple):
    """One payment, beside the sum of all in its currency."""

    currency: str
    total: int
    number: int
    id: str
    amount: int
    external_reference: str | None
    channel: str | None
    paid_at: datetime


class Unallocated(msgspec.Struct, frozen=True):
    """What is unallocated in one currency.

    Attributes:
        number: Of the payments that it is of, which may be more than are listed.
    """

    currency: str
    amount: int
    number: int
    payments: list[Row]

    def shown(self) -> dict[str, Any]:
        """Give the members that the API shows."""
        return {
            "currency": self.currency,
            "amount": self.amount,
            "payment_count": self.number,
            "payments": [shown(row) for row in self.payments],
        }


class UnallocatedMoney:
    """Finds what is unallocated."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def of(self, tenant_id: int, customer_id: str) -> list[Unallocated]:
        """Sum what is unallocated of a customer's payments, by currency."""
        with translated():
            async with self._connections.connection() as connection:
                rows = await connection.fetch(OF_CUSTOMER, tenant_id, customer_id, MOST)
        by_currency = groupby((Row(*row) for row in rows), attrgetter("currency", "total", "number"))
        return [Unallocated(*sums, payments=list(payments)) for sums, payments in by_currency]


def shown(row: Row) -> dict[str, Any]:
    """Give the members that the API shows of a payment; what is not set is absent."""
    members = {
        "payment_id": row.id,
        "amount": row.amount,
        "external_reference": row.external_reference,
        "channel": row.channel,
        "paid_at": row.paid_at,
    }
    return {name: value for name, value in members.items() if value is not None}
