"""Attribution: who at the merchant acted through a key, and why, in their own words (contract, 1.8)."""

from datetime import datetime

import msgspec


class Actor(msgspec.Struct, frozen=True):
    """Who sends a command: the key, and what `Owed-Actor` and `Owed-Reason` said."""

    key_id: str
    name: str | None = None
    reason: str | None = None


class Attribution(msgspec.Struct, frozen=True):
    """The words kept beside what a command did. The ledger holds only their salted digest."""

    tenant_id: int
    id: str
    object_id: str
    command: str
    actor: Actor
    salt: bytes
    recorded_at: datetime
