"""The endpoints of `owed listen`: each is there for as long as somebody listens."""

from owed.database.pool import Pool
from owed.store.failures import translated

SEEN = """
    -- Say that a listener is there, and tell whether it still gets anything.
    UPDATE webhook_endpoint
       SET seen_at = now()
     WHERE tenant_id = $1 AND id = $2 AND is_listener AND deleted_at IS NULL
 RETURNING enabled
"""

DELETE_UNSEEN = """
    -- Those that `owed listen` did not delete itself: it is gone, however it went.
    UPDATE webhook_endpoint
       SET deleted_at = now(), updated_at = now(), version = version + 1
     WHERE is_listener AND deleted_at IS NULL AND coalesce(seen_at, created_at) < now() - interval '5 minutes'
"""


async def keep_seen(pool: Pool, tenant_id: int, listener_id: str) -> bool:
    """Say that a listener is there, and tell whether it still gets anything."""
    with translated():
        async with pool.connection() as connection:
            rows = await connection.fetch(SEEN, tenant_id, listener_id)
    return bool(rows) and bool(rows[0]["enabled"])


async def delete_unseen(pool: Pool) -> None:
    """Delete the endpoints of those that are gone."""
    with translated():
        async with pool.connection() as connection:
            await connection.fetch(DELETE_UNSEEN)
