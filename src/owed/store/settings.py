"""The settings of a tenant in PostgreSQL: they stand in the row of the tenant, and are there from the start."""

from collections.abc import Iterable, Iterator

import asyncpg
import msgspec

from owed.core.state import Name, Shelf
from owed.database.pool import Connection
from owed.model.tenant_settings import SettingsRecord, TenantSettings
from owed.store.statements import Part, Rows

LOAD = """
    SELECT id, settings, settings_version, settings_updated_at
      FROM tenant
     WHERE id = ANY($1::int[])
"""

HOLD = f"{LOAD} ORDER BY id FOR NO KEY UPDATE"

UPDATE = Part(
    "update_settings",
    """
    -- A trigger tells every worker.
    UPDATE tenant
       SET settings = row.settings, settings_version = row.version, settings_updated_at = row.updated_at
      FROM {rows}
     WHERE tenant.id = row.tenant_id AND tenant.settings_version = row.loaded_version
 RETURNING 1
    """,
    (
        ("tenant_id", "int"),
        ("settings", "json"),
        ("version", "bigint"),
        ("updated_at", "timestamptz"),
        ("loaded_version", "bigint"),
    ),
    guarded=True,
)

SETTINGS = msgspec.json.Decoder(TenantSettings)


class SettingsTable:
    """The settings as a table of objects, one for each tenant."""

    async def load(self, connection: Connection, names: Iterable[Name]) -> list[SettingsRecord]:
        """Load settings, held by nobody."""
        return await read(connection, LOAD, names)

    async def hold(self, connection: Connection, names: Iterable[Name]) -> list[SettingsRecord]:
        """Load settings, and hold them to the end of the transaction."""
        return await read(connection, HOLD, names)

    def work(self, shelf: Shelf[SettingsRecord]) -> Iterator[tuple[Part, Rows]]:
        """Yield what is to be written of the settings on a shelf."""
        yield UPDATE, [(*to_row(now), was.version) for was, now in shelf.changed()]


async def read(connection: Connection, sql: str, names: Iterable[Name]) -> list[SettingsRecord]:
    """Read the settings of the tenants that are named."""
    rows = await connection.fetch(sql, sorted({name.tenant_id for name in names}))
    return [from_row(row) for row in rows]


def from_row(row: asyncpg.Record) -> SettingsRecord:
    """Make the settings that a row holds."""
    return SettingsRecord(
        tenant_id=row["id"],
        settings=SETTINGS.decode(row["settings"]),
        updated_at=row["settings_updated_at"],
        version=row["settings_version"],
    )


def to_row(record: SettingsRecord) -> tuple[object, ...]:
    """Give the values of settings, in the order of UPDATE."""
    return record.tenant_id, msgspec.json.encode(record.settings).decode(), record.version, record.updated_at
