"""What has happened to an object lately, and who did it."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

import msgspec
import typer

from owed.cli.output import print_table
from owed.cli.tenants import Tenant, fetch
from owed.model.identifiers import ATTRIBUTION, id_at, milliseconds

LATEST = 10
"""Events that are shown of an object."""

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
      JOIN attribution ON tenant_id = $1 AND id >= first_id AND id < end_id
     WHERE object_id = $2
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


async def history_of(tenant: Tenant, object_id: str) -> History:
    """Read what has happened to an object lately."""
    events = [Event(**row) for row in await fetch(tenant.pool, EVENTS, tenant.id, object_id, LATEST)]
    return History(events, await attributions(tenant, object_id, {event.recorded_at for event in events}))


async def attributions(tenant: Tenant, object_id: str, at: Iterable[datetime]) -> list[Attribution]:
    """Read who did something to an object at some moments, where it was recorded, newest first."""
    moments = sorted({milliseconds(moment) for moment in at})
    firsts, ends = ([id_at(ATTRIBUTION, moment + step) for moment in moments] for step in (0, 1))
    rows = await fetch(tenant.pool, ATTRIBUTIONS, tenant.id, object_id, firsts, ends)
    return [Attribution(**row) for row in rows]


def print_history(history: History) -> None:
    """Print what has happened, and who did it."""
    typer.echo("\nLatest events:")
    print_table(history.events, empty=" none")
    print_attributions(history.attributions)


def print_attributions(found: list[Attribution]) -> None:
    """Print who did it, where anybody said so."""
    if found:
        typer.echo("\nWho did it:")
        print_table(found, empty="")
