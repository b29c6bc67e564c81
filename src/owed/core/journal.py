"""The journal of one command: what it changes, gathered while it is decided."""

import hashlib
from datetime import datetime, timedelta
from typing import Any

import msgspec

from owed.core import ledger
from owed.core.stamp import Stamp
from owed.model.attribution import Actor, Attribution
from owed.model.customer import Customer
from owed.model.event import Event
from owed.model.identifiers import ATTRIBUTION, EVENT, TRANSFER
from owed.model.obligation import Obligation
from owed.model.transfer import Cause, Transfer

TICK = timedelta(microseconds=1)


class Journal:
    """Everything that one command would change. It counts for nothing until the state applies it."""

    _subject: tuple[str, str]
    """What the command is about; set by `concern`, without which nobody's words can be kept."""

    def __init__(self, tenant_id: int, actor: Actor, stamp: Stamp) -> None:
        self.tenant_id = tenant_id
        self.actor = actor
        self.stamp = stamp
        self.customers: list[Customer] = []
        self.transfers: list[Transfer] = []
        self.events: list[Event] = []
        self.attributions: list[Attribution] = []

    def concern(self, object_id: str, command: str) -> None:
        """Say which object the command is about, before anything is changed: the words of the actor are of it."""
        self._subject = (object_id, command)

    def _attribution(self) -> Attribution | None:
        """Keep the words of the actor, once, as soon as anything is changed in their name."""
        if not self.attributions and (self.actor.name is not None or self.actor.reason is not None):
            stamp, (object_id, command) = self.stamp, self._subject
            attribution_id, salt = stamp.new_id(ATTRIBUTION), stamp.new_salt()
            self.attributions.append(
                Attribution(self.tenant_id, attribution_id, object_id, command, self.actor, salt, stamp.now)
            )
        return self.attributions[0] if self.attributions else None

    def post(
        self,
        obligation: Obligation,
        obligation_id: str,
        amount: int,
        currency: str,
        cause: Cause,
        occurred_at: datetime | None = None,
    ) -> Obligation:
        """Append a transfer of `amount` minor units, and give the obligation as it is after it."""
        bare = self._transfer(obligation, obligation_id, amount, currency, cause, occurred_at)
        transfer = ledger.sealed(bare, previous=obligation.hash)
        self.transfers.append(transfer)
        return msgspec.structs.replace(
            obligation,
            currency=currency,
            total=transfer.total_after,
            version=transfer.version,
            hash=transfer.hash,
            recorded_at=transfer.recorded_at,
        )

    def _transfer(
        self,
        obligation: Obligation,
        obligation_id: str,
        amount: int,
        currency: str,
        cause: Cause,
        occurred_at: datetime | None,
    ) -> Transfer:
        """Make the transfer that follows the obligation's last one, not sealed yet."""
        last = obligation.recorded_at
        recorded_at = self.stamp.now if last is None else max(self.stamp.now, last + TICK)
        debit, credit = ledger.sides(cause, amount)
        attribution = self._attribution()
        return Transfer(
            tenant_id=self.tenant_id,
            obligation_id=obligation_id,
            version=obligation.version + 1,
            id=self.stamp.new_id(TRANSFER),
            amount=amount,
            currency=currency,
            total_after=obligation.total + amount,
            debit=debit,
            credit=credit,
            cause=cause,
            key_id=self.actor.key_id,
            attribution_id=attribution.id if attribution else None,
            attribution_digest=digest(attribution) if attribution else None,
            occurred_at=occurred_at or recorded_at,
            recorded_at=recorded_at,
        )

    def tell(self, object_id: str, sequence: int, event_type: str, data: dict[str, Any]) -> None:
        """Append the event that tells the merchant of it."""
        self._attribution()
        event_id = self.stamp.new_id(EVENT)
        body = msgspec.json.encode({"id": event_id, "type": event_type, "data": data})
        self.events.append(Event(self.tenant_id, object_id, sequence, event_id, event_type, body, self.stamp.now))


def digest(attribution: Attribution) -> bytes:
    """Digest the words of an attribution with its salt: it proves them, and without them says nothing."""
    words = msgspec.json.encode([attribution.actor.name, attribution.actor.reason])
    return hashlib.sha256(attribution.salt + words).digest()
