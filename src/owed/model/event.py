"""An event: what is told to the merchant's systems."""

from datetime import datetime

import msgspec


class Event(msgspec.Struct, frozen=True):
    """Something that happened to one object.

    Attributes:
        sequence: The event's place on its object, from 1, without gaps.
        body: The exact bytes that are signed and sent: `{"id", "type", "data"}` (contract, section 7).
    """

    tenant_id: int
    object_id: str
    sequence: int
    id: str
    type: str
    body: bytes
    recorded_at: datetime
