"""The trial balance: every account of the ledger with its debits and credits, summed from a tenant's transfers."""

from collections import Counter
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from owed.database.pool import Connection
from owed.store.failures import translated
from owed.store.list_queries import END
from owed.store.slow_lane import Connections, SlowLane

AT_ONCE = 1
"""Trial balances at the same time: one reads every transfer of its tenant, and lists must not wait for many."""

SUMS = """
    -- What moved between each two accounts, over all transfers of a tenant: one pass, and one snapshot.
    SELECT debit, credit, currency, sum(abs(amount)) AS amount
      FROM transfer
     WHERE tenant_id = $1 AND recorded_at <= $2 AND ($3::text IS NULL OR currency = $3)
     GROUP BY debit, credit, currency
"""


SCANNING = """
    -- Unlike any other statement this one reads most of a table: in its order, and by one process.
    SET LOCAL enable_seqscan = on;
    SET LOCAL enable_bitmapscan = on;
    SET LOCAL max_parallel_workers_per_gather = 0
"""


class Line(msgspec.Struct, frozen=True, order=True):
    """What one account of the ledger comes to in one currency, in minor units."""

    account: str
    currency: str
    debits: int
    credits: int

    @property
    def total(self) -> int:
        """Give what the account comes to; below zero it is a credit."""
        return self.debits - self.credits

    def shown(self) -> dict[str, Any]:
        """Give the members that the API shows."""
        return {**msgspec.structs.asdict(self), "total": self.total}


class TrialBalances:
    """Draws up trial balances."""

    def __init__(self, connections: Connections) -> None:
        self._connections = SlowLane(connections, AT_ONCE)

    async def draw_up(self, tenant_id: int, currency: str | None = None, as_of: datetime = END) -> list[Line]:
        """Sum all that was recorded at or before a time, by account and currency, in that order.

        Args:
            currency: None for all.
        """
        with translated():
            async with self._connections.connection() as connection:
                rows = await summed(connection, tenant_id, as_of, currency)
        debits, credits_ = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
        for row in rows:
            amount = int(row["amount"])  # exact: a sum of 64-bit numbers may be longer than one
            debits[row["debit"], row["currency"]] += amount
            credits_[row["credit"], row["currency"]] += amount
        return [Line(*key, debits[key], credits_[key]) for key in sorted(debits.keys() | credits_.keys())]


async def summed(connection: Connection, *arguments: Any) -> list[asyncpg.Record]:
    """Sum what moved between each two accounts."""
    async with connection.raw.transaction(readonly=True):
        await connection.execute(SCANNING)
        return await connection.raw.fetch(SUMS, *arguments)
