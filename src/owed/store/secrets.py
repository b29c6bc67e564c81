"""Secrets that all workers of a database share."""

from owed.database.pool import Pool
from owed.store.failures import translated

READ = "SELECT value FROM secret WHERE name = $1"


async def read_secret(pool: Pool, name: str) -> bytes:
    """Give a secret by its name; the migrations have made it."""
    with translated():
        async with pool.connection() as connection:
            secret: bytes = (await connection.fetch(READ, name))[0]["value"]
            return secret
