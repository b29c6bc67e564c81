"""The tables of what can owe money: what customers, accounts and bills have in common in PostgreSQL."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import asyncpg
import msgspec

from owed.model.billing_object import BillingObject
from owed.model.obligation import Obligation, RecentPayment
from owed.model.payment_rules import PaymentRules
from owed.store.tables import RenamingTable, Table, metadata_of, to_json

Owing = TypeVar("Owing", bound=BillingObject)

FIXED = {
    "tenant_id": "int",
    "id": "text",
    "external_reference": "text",
    "created_at": "timestamptz",
}
"""The columns of every object that never change."""

CHANGING = {
    "payment_rules": "json",
    "metadata": "json",
    "currency": "text",
    "total": "bigint",
    "transfer_version": "bigint",
    "transfer_hash": "bytea",
    "transferred_at": "timestamptz",
    "recent_payments": "json",
    "version": "bigint",
    "event_sequence": "bigint",
    "updated_at": "timestamptz",
}
"""The columns of every object that may change."""

RULES = msgspec.json.Decoder(PaymentRules)
RECENT = msgspec.json.Decoder(tuple[RecentPayment, ...])


def billing_table(
    kind: str,
    prefix: str,
    reserved: str,
    fixed: Mapping[str, str],
    changing: Mapping[str, str],
    read: Callable[[dict[str, Any], asyncpg.Record], Owing],
    values: Callable[[Owing], tuple[Any, ...]],
) -> Table[Owing]:
    """Make the table of one kind of object that can owe money.

    Args:
        fixed: Names and types of the columns that only this kind has and that never change.
        changing: The same of those that may change.
        read: Makes an object of the members that all have, and a row.
        values: Gives the values of an object's own columns, the fixed ones first.
    """
    own = len(fixed)

    def to_row(item: Owing) -> tuple[Any, ...]:
        mine = values(item)
        return (*fixed_values(item), *mine[:own], *changing_values(item), *mine[own:])

    return RenamingTable(
        kind,
        prefix,
        fixed={**FIXED, **fixed},
        changing={**CHANGING, **changing},
        read=lambda row: read(common_members(row), row),
        values=to_row,
        reserved=reserved,
    )


def common_members(row: asyncpg.Record) -> dict[str, Any]:
    """Give the members of an object that all have."""
    return {
        "tenant_id": row["tenant_id"],
        "id": row["id"],
        "external_reference": row["external_reference"],
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
        "payment_rules": RULES.decode(rules) if (rules := row["payment_rules"]) else None,
        "metadata": metadata_of(row["metadata"]),
        "version": row["version"],
        "event_sequence": row["event_sequence"],
    }


def obligation_of(row: asyncpg.Record, *, is_tracked: bool) -> Obligation:
    """Make the obligation that a row holds."""
    return Obligation(
        currency=row["currency"],
        total=row["total"],
        tracked=is_tracked,
        version=row["transfer_version"],
        hash=row["transfer_hash"],
        recorded_at=row["transferred_at"],
        recent=RECENT.decode(recent) if (recent := row["recent_payments"]) else (),
    )


def fixed_values(item: BillingObject) -> tuple[Any, ...]:
    """Give the values of the columns that all objects have and that never change."""
    return item.tenant_id, item.id, item.external_reference, item.created_at


def changing_values(item: BillingObject) -> tuple[Any, ...]:
    """Give the values of the columns that all objects have and that may change."""
    obligation = item.obligation
    return (
        to_json(item.payment_rules),
        to_json(item.metadata),
        obligation.currency,
        obligation.total,
        obligation.version,
        obligation.hash,
        obligation.recorded_at,
        to_json(obligation.recent),
        item.version,
        item.event_sequence,
        item.updated_at,
    )
