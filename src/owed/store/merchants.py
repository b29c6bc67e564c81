"""Merchants in PostgreSQL, each with two tenants: test and live."""

from datetime import datetime

import msgspec

from owed.database.pool import Connection
from owed.model.access import PREFIXES, KeyType, Mode
from owed.model.attribution import Actor
from owed.model.identifiers import MERCHANT
from owed.store.audit import attest
from owed.store.keys import create_key, new_id

INSERT = "INSERT INTO merchant (id, name) VALUES ($1, $2)"
INSERT_TENANTS = "INSERT INTO tenant (merchant_id, mode) VALUES ($1, 'test'), ($1, 'live') RETURNING mode, id"
LIST = "SELECT id, name, created_at FROM merchant ORDER BY id"

FIND_TENANTS = """
    SELECT id
      FROM tenant
     WHERE mode = $1 AND ($2::text IS NULL OR merchant_id = $2)
     ORDER BY merchant_id
     LIMIT $3
"""

# Two programs on a new database wait here for each other; the lock goes with the transaction.
LOCK_FIRST = "SELECT pg_advisory_xact_lock(hashtextextended('owed: first merchant', 0))"


class Merchant(msgspec.Struct, frozen=True):
    """A business that Owed keeps the books of."""

    id: str
    name: str
    created_at: datetime


class NewMerchant(msgspec.Struct, frozen=True):
    """A merchant at the one moment that its keys can be seen, each named by its prefix."""

    id: str
    name: str
    keys: dict[str, str]
    tenants: dict[Mode, int]


async def create_merchant(connection: Connection, name: str, actor: Actor) -> NewMerchant:
    """Create a merchant with its tenants and four keys: all of it or nothing."""
    merchant_id = new_id(MERCHANT)
    async with connection.raw.transaction():
        await connection.fetch(INSERT, merchant_id, name)
        tenants = {row["mode"]: row["id"] for row in await connection.fetch(INSERT_TENANTS, merchant_id)}
        await attest(connection, tenants.values(), actor, merchant_id, "merchant.create")
        keys = {prefix.rstrip("_"): await _key(connection, merchant_id, *of, actor) for of, prefix in PREFIXES.items()}
    return NewMerchant(merchant_id, name, keys, tenants)


async def create_first_merchant(connection: Connection, name: str, actor: Actor) -> NewMerchant | None:
    """Create a merchant where there is none yet, and None where there is."""
    async with connection.raw.transaction():
        await connection.fetch(LOCK_FIRST)
        if await list_merchants(connection):
            return None
        return await create_merchant(connection, name, actor)


async def list_merchants(connection: Connection) -> list[Merchant]:
    """Return all merchants, oldest first."""
    return [Merchant(**row) for row in await connection.fetch(LIST)]


async def find_tenants(connection: Connection, mode: Mode, merchant_id: str | None, most: int) -> list[int]:
    """Return the tenants of a mode, at most so many: the one of a merchant, or those of all."""
    return [row["id"] for row in await connection.fetch(FIND_TENANTS, mode, merchant_id, most)]


async def _key(connection: Connection, merchant_id: str, mode: Mode, kind: KeyType, actor: Actor) -> str:
    created = await create_key(connection, merchant_id, mode, kind, actor)
    if created is None:
        raise LookupError(merchant_id)
    return created[1]
