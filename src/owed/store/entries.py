"""Entries: the transfers of one obligation, newest first. A page is a walk along the primary key."""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from owed.database.pool import Connection
from owed.model.transfer import Cause
from owed.store.failures import translated
from owed.store.lists import END, Cursor, Page, read_page
from owed.store.slow_lane import Connections

PAGE = """
    -- A page of the transfers of an obligation between two versions, each with the words of who made it.
    SELECT transfer.version, transfer.id, transfer.amount, transfer.total_after, transfer.currency, transfer.cause,
           transfer.payment_id, transfer.taken_back_id, attribution.actor, attribution.reason,
           transfer.occurred_at, transfer.recorded_at
      FROM transfer
      LEFT JOIN attribution ON attribution.tenant_id = $1 AND attribution.id = transfer.attribution_id
     WHERE transfer.tenant_id = $1 AND transfer.obligation_id = $2
       AND transfer.version > $3 AND transfer.version < $4
       AND transfer.occurred_at > $5 AND transfer.occurred_at < $6
       {further}
     ORDER BY transfer.version {direction}
     LIMIT $7
"""

PAYMENTS = "AND transfer.cause = {place}"
OTHERS = "AND transfer.cause = {place} AND transfer.cause <> 'payment'"  # few, and in an index of their own
ACTORS = "AND transfer.attribution_id IS NOT NULL AND attribution.actor = {place}"

VERSIONS = """
    -- What was recorded between two times has the versions between these two.
    SELECT transfers_before($1, $2, $3) AS above, transfers_before($1, $2, $4) + 1 AS below
"""

EVERY_VERSION = (0, 2**63 - 1)

START = datetime(1, 1, 1, tzinfo=UTC)

TICK = timedelta(microseconds=1)


class Entry(msgspec.Struct, frozen=True):
    """One transfer as the API shows it.

    Attributes:
        version: Its place on its obligation.
        taken_back_id: Of the refund or reversal that it is of.
        actor: Who made it and why, where that was said and has not been erased.
    """

    version: int
    id: str
    amount: int
    total_after: int
    currency: str
    cause: str
    payment_id: str | None
    taken_back_id: str | None
    actor: str | None
    reason: str | None
    occurred_at: datetime
    recorded_at: datetime

    @property
    def place(self) -> str:
        """Give its place in a list, as a cursor names it."""
        return str(self.version)

    def shown(self) -> dict[str, Any]:
        """Give the members that the API shows; what is not set is absent."""
        return {name: value for name, value in self._members().items() if value is not None}

    def _members(self) -> dict[str, Any]:
        """Give the members of the entry, in the order of the contract."""
        return {
            "id": self.id,
            "amount": self.amount,
            "total_after": self.total_after,
            "currency": self.currency,
            "cause": self.cause,
            "payment_id": self.payment_id,
            f"{self.cause}_id": self.taken_back_id,
            "actor": self.actor,
            "reason": self.reason,
            "occurred_at": self.occurred_at,
            "recorded_at": self.recorded_at,
        }


class EntryQuery(msgspec.Struct, frozen=True):
    """What entries are asked for. All filters hold at once; times are exclusive bounds.

    Attributes:
        actor: The words of who made them.
    """

    tenant_id: int
    obligation_id: str
    limit: int
    cursor: Cursor | None = None
    cause: Cause | None = None
    actor: str | None = None
    recorded_after: datetime = START
    recorded_before: datetime = END
    occurred_after: datetime = START
    occurred_before: datetime = END
