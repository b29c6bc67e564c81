"""Answers that may be long: made while they are sent, out of one look at the database (docs/architecture.md)."""

from collections.abc import Callable, Mapping
from contextlib import aclosing

from owed.api.accept import BY_ACCEPT
from owed.api.messages import Pieces, Request, Stream
from owed.api.room import Room
from owed.api.service import Service
from owed.store.streams import Reading, Streams

Make = Callable[[Reading], Pieces]
"""Makes a body out of what is read."""


def streamed(service: Service, request: Request, make: Make, headers: Mapping[str, str]) -> Stream:
    """Answer with a statement or a report, which ends where its client hangs up."""
    return stream(service.streams, service.reports, request, make, {**headers, **BY_ACCEPT})


def stream(streams: Streams, room: Room, request: Request, make: Make, headers: dict[str, str]) -> Stream:
    """Answer with what is read, once there is room for it; it ends where its client hangs up."""
    request.is_for_its_client_alone = True
    return Stream(pieces(streams, room, request.key.tenant_id, make), headers)


async def pieces(streams: Streams, room: Room, tenant_id: int, make: Make) -> Pieces:
    """Yield a body out of one look at the database, for as long as somebody takes it.

    Raises:
        Refusal: There is no room.
    """
    with room.place(tenant_id):
        async with streams.reading() as reading, aclosing(make(reading)) as made:
            async for piece in made:
                yield piece
