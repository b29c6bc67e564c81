"""What a decision needs of the ledger beside the objects: read after them, so that their versions vouch for it."""

from collections.abc import Collection

from owed.core.state import MOVEMENT, Name, State, moved_object
from owed.database.pool import Connection
from owed.model.movement import Movement
from owed.store.tables import arrays

MOVEMENTS = """
    -- What has moved the balance of some objects, each since a time: the difference of two totals, less what replaced
    -- the balance.
    SELECT asked.tenant_id, asked.id, asked.since, last.version,
           last.total_after - coalesce(stood.total_after, 0) - further.amount AS amount,
           last.version - coalesce(stood.version, 0) - further.number AS number
      FROM unnest($1::int[], $2::text[], $3::timestamptz[]) AS asked (tenant_id, id, since)
     CROSS JOIN LATERAL (
           SELECT version, total_after
             FROM transfer
            WHERE tenant_id = asked.tenant_id AND obligation_id = asked.id
            ORDER BY version DESC
            LIMIT 1) AS last
      LEFT JOIN transfer AS stood ON stood.tenant_id = asked.tenant_id AND stood.obligation_id = asked.id
                                 AND stood.version = transfers_by(asked.tenant_id, asked.id, asked.since)
     CROSS JOIN LATERAL (
           SELECT coalesce(sum(amount) FILTER (WHERE cause <> 'passed_on'), 0)::bigint AS amount,
                  count(*) + count(*) FILTER (WHERE cause = 'passed_on') AS number  -- with what was passed on
             FROM transfer
            WHERE tenant_id = asked.tenant_id AND obligation_id = asked.id
              AND cause IN ('opening', 'balance_set', 'passed_on') AND cause <> 'payment'
              AND version > coalesce(stood.version, 0)) AS further
"""


async def add(connection: Connection, names: Collection[Name], state: State) -> None:
    """Add to the state what some of the names stand for, of objects that are in it."""
    movements = [moved_object(name) for name in names if name.kind == MOVEMENT]
    found = [(state.shelves[name.kind].find(name.tenant_id, name.text), since) for name, since in movements]
    asked = [(item.tenant_id, item.id, since) for item, since in found if item is not None]
    if asked:
        for tenant_id, object_id, since, *moved in await connection.fetch(MOVEMENTS, *arrays(asked, 3)):
            state.movements[tenant_id, object_id, since] = Movement(*moved)
