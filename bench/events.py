"""Events to deliver: as Owed writes them when a bill is paid, with some metadata, in about 500 bytes each."""

import json
from datetime import UTC, datetime
from random import Random
from typing import NamedTuple

from owed.model.identifiers import APPLICATION, BILL, EVENT, PAYMENT, IdSource, milliseconds

TYPE = "obligation.amount_applied"
METADATA = {
    "branch": "Cape Town",
    "cashier": "17",
    "period": "2026-01",
    "plan": "prepaid electricity",
    "meter": "A-17",
    "tariff": "homelight 20A, block 2, winter",
    "source": "counter",
}


class Event(NamedTuple):
    """One event of a bill."""

    id: str
    object_id: str
    sequence: int
    body: bytes


class Events:
    """Gives events with ids that no other has."""

    def __init__(self) -> None:
        self._ids = IdSource(Random())

    def of(self, objects: int, count: int) -> list[Event]:
        """Make events of so many new bills, which are paid in turn."""
        now = datetime.now(UTC)
        at = milliseconds(now)
        bills = [self._ids.new(BILL, at) for _ in range(objects)]
        return [self._event(bills[index % objects], index // objects + 1, now) for index in range(count)]

    def _event(self, bill: str, sequence: int, now: datetime) -> Event:
        at, time = milliseconds(now), now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        event_id = self._ids.new(EVENT, at)
        applied = {
            "id": self._ids.new(APPLICATION, at),
            "amount": 12_500,
            "currency": "ZAR",
            "payment_id": self._ids.new(PAYMENT, at),
            "bill_id": bill,
            "metadata": METADATA,
            "created_at": time,
            "updated_at": time,
        }
        body = {"id": event_id, "type": TYPE, "data": applied}
        return Event(event_id, bill, sequence, json.dumps(body, separators=(",", ":")).encode())
