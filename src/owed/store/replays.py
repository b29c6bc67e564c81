"""Replays in PostgreSQL: the engine writes them once, and the delivery workers take them up from there."""

from collections.abc import Iterable, Iterator
from typing import Any

from owed.core.state import Name, Shelf
from owed.database.pool import Connection
from owed.model.replay import Replay
from owed.store.statements import Part, Rows, insert

INSERT = insert(
    Replay.kind,
    tenant_id="int",
    id="text",
    endpoint_id="text",
    event_id="text",
    since="timestamptz",
    until="timestamptz",
    types="text",
    only_failed="bool",
    created_at="timestamptz",
)


class ReplayTable:
    """The table of replays. No command names one."""

    async def load(self, connection: Connection, names: Iterable[Name]) -> list[Replay]:
        """Load nothing."""
        return []

    async def hold(self, connection: Connection, names: Iterable[Name]) -> list[Replay]:
        """Hold nothing."""
        return []

    def work(self, shelf: Shelf[Replay]) -> Iterator[tuple[Part, Rows]]:
        """Yield what is to be written of the replays on a shelf."""
        yield INSERT, [to_row(replay) for replay in shelf.created()]


def to_row(replay: Replay) -> tuple[Any, ...]:
    """Give the values of a replay, in the order of INSERT; types have a space between two."""
    return (
        replay.tenant_id,
        replay.id,
        replay.endpoint_id,
        replay.event_id,
        replay.since,
        replay.until,
        " ".join(replay.types) or None,
        replay.only_failed,
        replay.created_at,
    )
