"""Ageing: what is owed on bills, by how long it has been due, for each customer."""

from collections.abc import AsyncIterator
from datetime import date, datetime
from typing import Any, Self

import asyncpg
import msgspec

from owed.store.streams import Reading

OWED = """
    -- What was owed on each bill at a time: as it stands, or where that is newer, by its last transfer before. What is
    -- due is told by the bill's own date where it has no other; a bill of which nothing is owed is in no column.
      WITH owing AS (
    SELECT customer_id, coalesce(past.currency, bill.currency) AS currency,
           CASE WHEN transferred_at < $2 THEN bill.total ELSE past.total END AS total,
           $3 - coalesce(due_date, bill_date) AS late
      FROM bill
      LEFT JOIN LATERAL (SELECT total_after AS total, currency
                           FROM transfer
                          WHERE bill.transferred_at >= $2 AND tenant_id = $1 AND obligation_id = bill.id
                            AND version = transfers_before($1, bill.id, $2)) AS past ON true
     WHERE bill.tenant_id = $1 AND (bill.total > 0 OR transferred_at >= $2)
         ), aged AS (
    SELECT customer_id, currency,
           sum(total) FILTER (WHERE late <= 0) AS current,
           sum(total) FILTER (WHERE late BETWEEN 1 AND 30) AS days_30,
           sum(total) FILTER (WHERE late BETWEEN 31 AND 60) AS days_60,
           sum(total) FILTER (WHERE late BETWEEN 61 AND 90) AS days_90,
           sum(total) FILTER (WHERE late > 90) AS over
      FROM owing
     WHERE total > 0
     GROUP BY customer_id, currency
         )
    SELECT aged.currency, current, days_30, days_60, days_90, over, customer_id, external_reference
      FROM aged
      JOIN customer ON customer.tenant_id = $1 AND customer.id = customer_id
     ORDER BY customer_id, aged.currency
"""

COLUMNS = ("current", "days_30", "days_60", "days_90", "over")


class Aged(msgspec.Struct, frozen=True):
    """What is owed in one currency, in minor units: not due yet, for up to 30, 60 or 90 days, and for longer.

    Attributes:
        customer_id: None: by all customers.
    """

    currency: str
    current: int = 0
    days_30: int = 0
    days_60: int = 0
    days_90: int = 0
    over: int = 0
    customer_id: str | None = None
    external_reference: str | None = None

    @property
    def total(self) -> int:
        """Give all that is owed."""
        return self.current + self.days_30 + self.days_60 + self.days_90 + self.over

    def plus(self, other: Self) -> Self:
        """Add what another has, which is of the same currency."""
        return msgspec.structs.replace(self, **{name: getattr(self, name) + getattr(other, name) for name in COLUMNS})

    def shown(self) -> dict[str, Any]:
        """Give the members that the API shows."""
        whose = {"customer_id": self.customer_id, "external_reference": self.external_reference}
        amounts = {name: getattr(self, name) for name in COLUMNS}
        return {**(whose if self.customer_id else {}), "currency": self.currency, **amounts, "total": self.total}


async def aged(reading: Reading, tenant_id: int, until: datetime, day: date) -> AsyncIterator[list[Aged]]:
    """Yield what each customer owed on bills in each currency, as many at a time as come in together.

    Args:
        until: What was recorded before this counts.
        day: What was due before it is late.
    """
    await reading.scanning()
    async for rows in reading.rows(OWED, tenant_id, until, day):
        yield list(map(of_row, rows))


def of_row(row: asyncpg.Record) -> Aged:
    """Give what a row says; where nothing is in a column, that is null."""
    amounts = {name: int(row[name] or 0) for name in COLUMNS}
    return Aged(
        row["currency"], customer_id=row["customer_id"], external_reference=row["external_reference"], **amounts
    )
