"""What has happened to an object lately, and who did it."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

import msgspec

from owed.database.pool import Connection
from owed.model.identifiers import ATTRIBUTION, id_at, milliseconds

LATEST = 10
"""Events that are shown of an object, and records of who did something in one millisecond."""

EVENTS = """
    SELECT recorded_at, type
      FROM event
     WHERE tenant_id = $1 AND object_id = $2
     ORDER BY sequence DESC
     LIMIT $3
"""

ATTRIBUTIONS = """
    -- An id begins with the millisecond in which it was given, so a moment is a few rows of the primary key.
    SELECT recorded_at, command, key_id, actor, reason
      FROM unnest($3::text[], $4::text[]) AS moment (first_id, end_id)
     CROSS JOIN LATERAL (
           SELECT *
             FROM attribution
            WHERE tenant_id = $1 AND id >= first_id AND id < end_id AND object_id = $2
            ORDER BY id DESC
            LIMIT $5) AS found
     ORDER BY id DESC
"""


class Event(msgspec.Struct, frozen=True):
    """That something happened."""

    recorded_at: datetime
    type: str


class Attribution(msgspec.Struct, frozen=True):
    """Who did something to an object, and why, in their own words."""

    recorded_at: datetime
    command: str
    key_id: str
    actor: str | None
    reason: str | None


class History(NamedTuple):
    """The latest events of an object, and who was behind them, newest first."""

    events: list[Event]
    attributions: list[Attribution]


async def history_of(connection: Connection, tenant_id: int, object_id: str) -> History:
    """Read what has happened to an object lately."""
    events = [Event(**row) for row in await connection.fetch(EVENTS, tenant_id, object_id, LATEST)]
    return History(
        events, await attributions(connection, tenant_id, object_id, {event.recorded_at for event in events})
    )


async def attributions(
    connection: Connection, tenant_id: int, object_id: str, at: Iterable[datetime]
) -> list[Attribution]:
    """Read who did something to an object at some moments, where it was recorded, newest first."""
    moments = sorted({milliseconds(moment) for moment in at})
    firsts, ends = ([id_at(ATTRIBUTION, moment + step) for moment in moments] for step in (0, 1))
    rows = await connection.fetch(ATTRIBUTIONS, tenant_id, object_id, firsts, ends, LATEST)
    return [Attribution(**row) for row in rows]
