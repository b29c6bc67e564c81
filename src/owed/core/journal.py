"""The journal of one command: what it changes, gathered while it is decided."""

import hashlib
from datetime import timedelta
from typing import Any, NamedTuple, TypeVar

import msgspec

from owed.core import ledger
from owed.core.ledger import Source
from owed.core.stamp import Stamp
from owed.model.attribution import Actor, Attribution
from owed.model.billing_object import BillingObject
from owed.model.event import Event
from owed.model.identifiers import ATTRIBUTION, EVENT, TRANSFER
from owed.model.named import Named
from owed.model.obligation import Obligation
from owed.model.tenant_settings import TenantSettings
from owed.model.transfer import Transfer

STARTING = TenantSettings()
"""The settings that a new merchant starts with."""

TICK = timedelta(microseconds=1)

Noun = TypeVar("Noun", bound=BillingObject)
Item = TypeVar("Item", bound=Named)


class News(NamedTuple):
    """What an event tells, where it is not the object that it happened to."""

    type: str
    data: dict[str, Any]


class Journal:
    """Everything that one command would change. It counts for nothing until the state applies it.

    Args:
        settings: What the merchant has decided.
    """

    def __init__(self, tenant_id: int, actor: Actor, stamp: Stamp, settings: TenantSettings = STARTING) -> None:
        self.tenant_id = tenant_id
        self.actor = actor
        self.stamp = stamp
        self.settings = settings
        self.objects: list[Named] = []
        self.transfers: list[Transfer] = []
        self.events: list[Event] = []
        self._subject = ("", "")
        self._attribution: tuple[str, bytes, bytes] | None = None

    def concern(self, object_id: str, command: str) -> None:
        """Say which object the command is about: the words of the actor are of it."""
        self._subject = (object_id, command)

    def attributions(self) -> list[Attribution]:
        """List the words of the actor, if anything was done that they are kept for."""
        if self._attribution is None:
            return []
        (attribution_id, salt, _), (object_id, command) = self._attribution, self._subject
        now = self.stamp.now
        return [Attribution(self.tenant_id, attribution_id, object_id, command, self.actor, salt, now)]

    def attest(self) -> tuple[str, bytes]:
        """Keep who acts, once, and give the id of that record and the digest of their words."""
        if self._attribution is None:
            attribution_id, salt = self.stamp.new_id(ATTRIBUTION), self.stamp.new_salt()
            self._attribution = attribution_id, salt, digest(self.actor, salt)
        return self._attribution[0], self._attribution[2]

    def _words(self) -> tuple[str, bytes] | tuple[None, None]:
        """Keep the words of the actor, if there are any, and give the id of that record and their digest."""
        if self.actor.name is None and self.actor.reason is None:
            return None, None
        return self.attest()

    def keep(self, item: Item) -> Item:
        """Let an object stand so from now on."""
        self.objects.append(item)
        return item

    def record(self, item: Noun, *events: str | News) -> Noun:
        """Let the object stand so from now on, and tell of it with events, in that order.

        Args:
            events: The type of each; its data is the object, where no other is given.
        """
        told = self.keep(msgspec.structs.replace(item, event_sequence=item.event_sequence + len(events)))
        for sequence, event in enumerate(events, item.event_sequence + 1):
            event_type, data = event if isinstance(event, News) else (event, told.shown())
            self._tell(told.id, sequence, event_type, data)
        return told

    def post(
        self,
        obligation: Obligation,
        obligation_id: str,
        amount: int,
        currency: str,
        source: Source,
    ) -> Obligation:
        """Append a transfer of `amount` minor units, and give the obligation as it is after it."""
        bare = self._transfer(obligation, obligation_id, amount, currency, source)
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
        source: Source,
    ) -> Transfer:
        """Make the transfer that follows the obligation's last one, not sealed yet."""
        last = obligation.recorded_at
        recorded_at = self.stamp.now if last is None else max(self.stamp.now, last + TICK)
        debit, credit = ledger.sides(source.cause, amount, source.channel, ledger.own_account(obligation_id))
        attribution_id, words_digest = self._words()
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
            cause=source.cause,
            key_id=self.actor.key_id,
            attribution_id=attribution_id,
            attribution_digest=words_digest,
            occurred_at=source.occurred_at or recorded_at,
            recorded_at=recorded_at,
            payment_id=source.payment_id,
            taken_back_id=source.taken_back_id,
            document_id=source.document_id,
        )

    def _tell(self, object_id: str, sequence: int, event_type: str, data: dict[str, Any]) -> None:
        self._words()
        event_id = self.stamp.new_id(EVENT)
        body = msgspec.json.encode({"id": event_id, "type": event_type, "data": data})
        self.events.append(Event(self.tenant_id, object_id, sequence, event_id, event_type, body, self.stamp.now))


class Rehearsal(Journal):
    """A journal of what would be: nobody is told of it."""

    def _tell(self, object_id: str, sequence: int, event_type: str, data: dict[str, Any]) -> None:
        """Tell nobody, which is the dearer half of a journal."""


def digest(actor: Actor, salt: bytes) -> bytes:
    """Digest the words of an actor with a salt: it proves them, and without them says nothing."""
    return hashlib.sha256(salt + msgspec.json.encode([actor.name, actor.reason])).digest()
