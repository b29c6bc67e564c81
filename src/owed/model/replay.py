"""A replay: events that a merchant asked to be sent to an endpoint again."""

from datetime import datetime
from typing import Any, ClassVar

import msgspec


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be sent again: one event, or those that were recorded in a time.

    Attributes:
        event_id: Of the one event; the four members below are of those of a time.
        since: They were recorded then or later,
        until: and then or before.
        types: They are of these; `*` is all.
        only_failed: They were attempted at this endpoint, and never with success.
    """

    kind: ClassVar[str] = "replay"

    tenant_id: int
    id: str
    endpoint_id: str
    event_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    types: tuple[str, ...] = ()
    only_failed: bool = False
    created_at: datetime

    @property
    def version(self) -> int:
        """Give the version, of which there is only one: how far it has come is not ours to change."""
        return 1

    @property
    def updated_at(self) -> datetime:
        """Give when it last changed, which it never does."""
        return self.created_at

    @property
    def names(self) -> tuple[str, ...]:
        """Give what it goes by beside its id, which is nothing."""
        return ()

    @property
    def path(self) -> str:
        """Give where the API has what it was asked of."""
        return f"/billing/webhook_endpoints/{self.endpoint_id}"

    def shown(self) -> dict[str, Any]:
        """Give the members that the API shows."""
        if self.event_id is not None:
            return {"id": self.id, "endpoint_id": self.endpoint_id, "event_id": self.event_id}
        return {
            "id": self.id,
            "endpoint_id": self.endpoint_id,
            "since": self.since,
            "until": self.until,
            "types": self.types,
            "only_failed": self.only_failed,
        }
