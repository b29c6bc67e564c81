"""API keys in PostgreSQL: only their hashes are there."""

import secrets
import time
from collections.abc import Sequence
from datetime import datetime
from random import SystemRandom

import msgspec

from owed.database.pool import Connection
from owed.model.access import PREFIXES, ApiKey, KeyRecord, KeyType, Mode, digest
from owed.model.attribution import Actor
from owed.model.identifiers import DIGITS, KEY, IdSource
from owed.model.tenant_settings import TenantSettings
from owed.store.audit import attest

SECRET_LENGTH = 32  # of 62 digits: 190 bits

INSERT = """
    INSERT INTO api_key (id, tenant_id, type, name, hash, last4, expires_at)
    SELECT $1, tenant.id, $4, $5, $6, $7, $8
      FROM tenant
     WHERE merchant_id = $2
       AND mode = $3
    RETURNING tenant_id
"""

LIST = """
    SELECT api_key.id, merchant_id, mode, type, name, last4, created_at, expires_at, revoked_at, last_used_at
      FROM api_key
      JOIN tenant ON tenant.id = tenant_id
     WHERE $1::text IS NULL OR merchant_id = $1
     ORDER BY api_key.id
"""

REVOKE = """
    -- A trigger tells every worker. The first revocation's time stands.
    UPDATE api_key
       SET revoked_at = coalesce(revoked_at, now())
     WHERE id = $1
    RETURNING tenant_id
"""

FIND = """
    SELECT hash, api_key.id, tenant_id, merchant_id, mode, type, expires_at, revoked_at, settings
      FROM api_key
      JOIN tenant ON tenant.id = tenant_id
     WHERE hash = ANY($1::bytea[])
"""

REVISION = "SELECT number FROM access_revision"

TOUCH = """
    UPDATE api_key
       SET last_used_at = $2
     WHERE id = ANY($1::text[])
       AND (last_used_at IS NULL OR last_used_at < $2)
"""


def new_id(prefix: str) -> str:
    """Return an id for one of the few things that are made outside of a batch."""
    return IdSource(SystemRandom()).new(prefix, time.time_ns() // 1_000_000)


async def create_key(
    connection: Connection,
    merchant_id: str,
    mode: Mode,
    kind: KeyType,
    actor: Actor,
    *,
    name: str | None = None,
    expires_at: datetime | None = None,
) -> tuple[str, str] | None:
    """Create a key and return its id and the key itself, which cannot be had again; None without such a merchant."""
    key = PREFIXES[mode, kind] + "".join(secrets.choice(DIGITS) for _ in range(SECRET_LENGTH))
    key_id = new_id(KEY)
    values = (key_id, merchant_id, mode, kind, name, digest(key), key[-4:], expires_at)
    return (key_id, key) if await _attested(connection, INSERT, values, actor, "key.create") else None


async def list_keys(connection: Connection, merchant_id: str | None = None) -> list[KeyRecord]:
    """Return all keys, or one merchant's, oldest first."""
    return [KeyRecord(**row) for row in await connection.fetch(LIST, merchant_id)]


async def revoke_key(connection: Connection, key_id: str, actor: Actor) -> bool:
    """Revoke a key for good, and tell whether it exists. Every worker refuses it within a second."""
    return await _attested(connection, REVOKE, (key_id,), actor, "key.revoke")


async def find_keys(connection: Connection, hashes: Sequence[bytes]) -> dict[bytes, ApiKey]:
    """Return those keys of these hashes that exist, revoked and expired ones too."""
    return {
        row["hash"]: ApiKey(
            id=row["id"],
            tenant_id=row["tenant_id"],
            merchant_id=row["merchant_id"],
            mode=row["mode"],
            type=row["type"],
            expires_at=row["expires_at"],
            revoked_at=row["revoked_at"],
            settings=msgspec.json.decode(row["settings"], type=TenantSettings),
        )
        for row in await connection.fetch(FIND, hashes)
    }


async def touch_keys(connection: Connection, key_ids: Sequence[str], moment: datetime) -> None:
    """Record that these keys were in use until `moment`."""
    await connection.fetch(TOUCH, key_ids, moment)


async def read_revision(connection: Connection) -> int:
    """Return the number that stands for all that is known of keys: once it has changed, that must be read again."""
    number: int = (await connection.fetch(REVISION))[0]["number"]
    return number


async def _attested(
    connection: Connection, statement: str, values: Sequence[object], actor: Actor, command: str
) -> bool:
    """Do something to a key, whose id comes first, and record who did it; tell whether it was done."""
    async with connection.raw.transaction():
        tenants = [row["tenant_id"] for row in await connection.fetch(statement, *values)]
        if tenants:
            await attest(connection, tenants, actor, str(values[0]), command)
    return bool(tenants)
