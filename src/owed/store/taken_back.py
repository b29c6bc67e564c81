"""Refunds and reversals in PostgreSQL: two tables of one shape, in which nothing ever changes."""

from typing import Any, TypeVar

import asyncpg
import msgspec

from owed.model.identifiers import REFUND, REVERSAL
from owed.model.taken_back import Refund, Reversal, Share, TakenBack
from owed.store.tables import METADATA, Table

Kind = TypeVar("Kind", bound=TakenBack)

COLUMNS = {
    "tenant_id": "int",
    "id": "text",
    "payment_id": "text",
    "external_reference": "text",
    "amount": "bigint",
    "currency": "text",
    "reason": "text",
    "applications": "json",
    "metadata": "json",
    "occurred_at": "timestamptz",
    "created_at": "timestamptz",
    "version": "bigint",
}

SHARES = msgspec.json.Decoder(tuple[Share, ...])


def table(kind: type[Kind], prefix: str) -> Table[Kind]:
    """Make the table of one kind."""

    def read(row: asyncpg.Record) -> Kind:
        members = {name: row[name] for name in COLUMNS}
        metadata = members["metadata"]
        members["metadata"] = METADATA.decode(metadata) if metadata else {}
        members["applications"] = SHARES.decode(members["applications"])
        return kind(**members)

    return Table(kind.kind, prefix, fixed=COLUMNS, changing={}, read=read, values=values)


def values(taken_back: TakenBack) -> tuple[Any, ...]:
    """Give the values of a refund or a reversal, in the order of the columns."""
    members = msgspec.structs.asdict(taken_back)
    members["metadata"] = msgspec.json.encode(taken_back.metadata).decode() if taken_back.metadata else None
    members["applications"] = msgspec.json.encode(taken_back.applications).decode()
    return tuple(members[name] for name in COLUMNS)


REFUNDS = table(Refund, REFUND)
REVERSALS = table(Reversal, REVERSAL)
