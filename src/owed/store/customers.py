"""Customers in PostgreSQL: their rows, and how to read and write them."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import asyncpg
import msgspec

from owed.core.state import Name, is_name
from owed.database.pool import Connection
from owed.model.customer import Customer
from owed.model.identifiers import CUSTOMER
from owed.model.obligation import Obligation
from owed.model.payment_rules import PaymentRules
from owed.store.statements import Part, insert

COLUMNS = {
    "tenant_id": "int",
    "id": "text",
    "external_reference": "text",
    "name": "text",
    "email": "text",
    "phone": "text",
    "payment_rules": "json",
    "metadata": "json",
    "currency": "text",
    "tracked": "bool",
    "total": "bigint",
    "transfer_version": "bigint",
    "transfer_hash": "bytea",
    "transferred_at": "timestamptz",
    "version": "bigint",
    "event_sequence": "bigint",
    "created_at": "timestamptz",
    "updated_at": "timestamptz",
}


def naming_columns(sql: str) -> str:
    """Name the columns of a statement that selects `customer.*`, or it would fail once a newer program adds one."""
    return sql.replace("customer.*", ", ".join(f"customer.{column}" for column in COLUMNS))


LOAD_BY_ID = naming_columns("""
    SELECT customer.*
      FROM unnest($1::int[], $2::text[]) AS wanted (tenant_id, id)
      JOIN customer USING (tenant_id, id)
""")

LOAD_BY_REFERENCE = naming_columns("""
    SELECT customer.*
      FROM unnest($1::int[], $2::text[]) AS wanted (tenant_id, external_reference)
      JOIN customer USING (tenant_id, external_reference)
""")

HOLD = naming_columns("""
    -- Customers by id, and by external reference, held in the order of their keys, so that two workers never wait for
    -- each other.
      WITH wanted AS (
    SELECT customer.tenant_id, customer.id
      FROM unnest($1::int[], $2::text[]) AS wanted (tenant_id, id)
      JOIN customer USING (tenant_id, id)
     UNION
    SELECT customer.tenant_id, customer.id
      FROM unnest($3::int[], $4::text[]) AS wanted (tenant_id, external_reference)
      JOIN customer USING (tenant_id, external_reference)
         )
    SELECT customer.*
      FROM customer
      JOIN wanted USING (tenant_id, id)
     ORDER BY customer.tenant_id, customer.id
       FOR NO KEY UPDATE OF customer
""")

INSERT = insert("customer", **COLUMNS)

UPDATE = Part(
    "update_customer",
    """
    UPDATE customer
       SET name = row.name, email = row.email, phone = row.phone,
           payment_rules = row.payment_rules, metadata = row.metadata,
           currency = row.currency, tracked = row.tracked, total = row.total,
           transfer_version = row.transfer_version, transfer_hash = row.transfer_hash,
           transferred_at = row.transferred_at,
           version = row.version, event_sequence = row.event_sequence, updated_at = row.updated_at
      FROM {rows}
     WHERE customer.tenant_id = row.tenant_id AND customer.id = row.id AND customer.version = row.loaded_version
 RETURNING 1
    """,
    (*COLUMNS.items(), ("loaded_version", "bigint")),
    guarded=True,
)

RULES = msgspec.json.Decoder(PaymentRules)
METADATA = msgspec.json.Decoder(dict[str, str])


def from_row(row: asyncpg.Record) -> Customer:
    """Make the customer that a row holds."""
    return Customer(
        tenant_id=row["tenant_id"],
        id=row["id"],
        external_reference=row["external_reference"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        name=row["name"],
        email=row["email"],
        phone=row["phone"],
        payment_rules=RULES.decode(rules) if (rules := row["payment_rules"]) else None,
        metadata=METADATA.decode(metadata) if (metadata := row["metadata"]) else {},
        obligation=Obligation(
            currency=row["currency"],
            total=row["total"],
            tracked=row["tracked"],
            version=row["transfer_version"],
            hash=row["transfer_hash"],
            recorded_at=row["transferred_at"],
        ),
        version=row["version"],
        event_sequence=row["event_sequence"],
    )


def to_row(customer: Customer) -> tuple[Any, ...]:
    """Give the values of a customer, in the order of `COLUMNS`."""
    obligation = customer.obligation
    return (
        customer.tenant_id,
        customer.id,
        customer.external_reference,
        customer.name,
        customer.email,
        customer.phone,
        msgspec.json.encode(customer.payment_rules).decode() if customer.payment_rules else None,
        msgspec.json.encode(customer.metadata).decode() if customer.metadata else None,
        obligation.currency,
        obligation.tracked,
        obligation.total,
        obligation.version,
        obligation.hash,
        obligation.recorded_at,
        customer.version,
        customer.event_sequence,
        customer.created_at,
        customer.updated_at,
    )


def update_row(before: Customer, after: Customer) -> tuple[Any, ...]:
    """Give the values of UPDATE: the row as it shall be, and the version that it was decided on."""
    return (*to_row(after), before.version)


async def load(connection: Connection, names: Iterable[Name]) -> list[Customer]:
    """Load customers by id or by external reference, held by nobody; one that is named twice may come twice."""
    ids, references = by_kind_of_name(names)
    rows = await connection.fetch(LOAD_BY_ID, *ids) if ids.names else []
    if references.names:
        rows += await connection.fetch(LOAD_BY_REFERENCE, *references)
    return [from_row(row) for row in rows]


async def hold(connection: Connection, names: Iterable[Name]) -> list[Customer]:
    """Load customers by id or by external reference, and hold them to the end of the transaction."""
    ids, references = by_kind_of_name(names)
    return [from_row(row) for row in await connection.fetch(HOLD, *ids, *references)]


class Wanted(NamedTuple):
    """Names of one kind, as the arrays that the statements take."""

    tenants: list[int]
    names: list[str]


def by_kind_of_name(names: Iterable[Name]) -> tuple[Wanted, Wanted]:
    """Part ids from references, which never begin like an id.

    What can be neither is left out: nothing is called so, and not every text can be sent to the database.
    """
    ids, references = Wanted([], []), Wanted([], [])
    for _, tenant_id, text in names:
        if is_name(text):
            wanted = ids if text.startswith(CUSTOMER) else references
            wanted.tenants.append(tenant_id)
            wanted.names.append(text)
    return ids, references
