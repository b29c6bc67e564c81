"""The schema: numbered SQL files, applied in order, forward only."""

import re
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import asyncpg

from owed.database import DatabaseError

RESOURCE = "owed.store"
TIMEOUT = 3600.0  # seconds: a migration may build an index

# Whoever migrates waits here for its turn. Held by the transaction, so that it works through any pooler.
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('owed: migrate', 0))"

PREPARE = """
    CREATE TABLE IF NOT EXISTS schema_migration (
        version     integer PRIMARY KEY,
        name        text NOT NULL,
        applied_at  timestamptz NOT NULL DEFAULT now()
    )
"""

# Rather give up than queue for a table's lock with everybody's writes behind us.
LIMITS = "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0"
LOCK_LIMIT = "SET LOCAL lock_timeout = '5s'"


class SchemaError(DatabaseError):
    """The schema is not the one that this program knows."""


class Migration(NamedTuple):
    """One step, by the number and the name of its file."""

    version: int
    name: str
    sql: str


@cache
def known() -> tuple[Migration, ...]:
    """Return every migration, first to last."""
    folder = files(RESOURCE) / "migrations"
    named = [(re.fullmatch(r"(\d{4})_(\w+)\.sql", file.name), file) for file in folder.iterdir()]
    return tuple(sorted(Migration(int(name[1]), name[2], file.read_text()) for name, file in named if name))


async def migrate(connection: "asyncpg.Connection[Any]") -> list[str]:
    """Bring the schema up to date and return the names of the migrations that it took.

    Raises:
        SchemaError: A newer program has migrated the database.
        DatabaseError: A table stays locked by somebody else.
    """
    applied = []
    try:
        while name := await _apply_next(connection):
            applied.append(name)
    except asyncpg.LockNotAvailableError as error:
        raise DatabaseError("a table to migrate is locked by another transaction; try again when it is over") from error
    return applied


async def require_current(connection: "asyncpg.Connection[Any]") -> None:
    """Refuse a schema that is not exactly what this program knows.

    Raises:
        SchemaError: It is older, or newer.
    """
    version, newest = await _version(connection), known()[-1].version
    _refuse_newer(version)
    if version < newest:
        raise SchemaError(f"the database has schema {version} and this program needs {newest}: run `owed migrate`")


async def is_current(connection: "asyncpg.Connection[Any]") -> bool:
    """Tell whether the schema has all that this program needs.

    A newer one has: a migration is compatible with the program before it, which goes on until it is replaced.
    """
    return await _version(connection) >= known()[-1].version


async def _apply_next(connection: "asyncpg.Connection[Any]") -> str | None:
    """Apply the first migration that is missing, in a transaction of its own, and return its name."""
    async with connection.transaction():
        await connection.execute(LIMITS)
        await connection.execute(LOCK, timeout=TIMEOUT)
        await connection.execute(LOCK_LIMIT)
        version = await _version(connection)
        _refuse_newer(version)
        following = next((migration for migration in known() if migration.version > version), None)
        if following is None:
            return None
        await connection.execute(PREPARE)
        await connection.execute(following.sql, timeout=TIMEOUT)
        await connection.execute("INSERT INTO schema_migration (version, name) VALUES ($1, $2)", *following[:2])
        return f"{following.version:04}_{following.name}"


async def _version(connection: "asyncpg.Connection[Any]") -> int:
    """Return the number of the last migration, 0 on an empty database."""
    if await connection.fetchval("SELECT to_regclass('schema_migration')") is None:
        return 0
    version: int = await connection.fetchval("SELECT coalesce(max(version), 0) FROM schema_migration")
    return version


def _refuse_newer(version: int) -> None:
    newest = known()[-1].version
    if version > newest:
        raise SchemaError(
            f"the database has schema {version}, made by a newer Owed than this one, which knows {newest}: "
            "run the newer version"
        )
