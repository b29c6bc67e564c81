"""The state that a batch is decided on: what was loaded, and what the commands before have made of it."""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Generic, NamedTuple, TypeVar

from owed.core.journal import TICK, Journal
from owed.model.account import Account
from owed.model.adjustment import Charge, Credit
from owed.model.attribution import Attribution
from owed.model.bill import Bill
from owed.model.customer import Customer
from owed.model.erasure import Erasure
from owed.model.event import Event
from owed.model.identifiers import EPOCH
from owed.model.movement import Movement
from owed.model.named import Named
from owed.model.payment import Payment
from owed.model.reallocation import Allocation, Move
from owed.model.replay import Replay
from owed.model.taken_back import Refund, Reversal
from owed.model.tenant_settings import SettingsRecord
from owed.model.transfer import Transfer
from owed.model.webhook_endpoint import WebhookEndpoint

NAME = "[a-zA-Z0-9_-]{1,255}"
is_name = re.compile(NAME, re.ASCII).fullmatch
"""Tell whether a text can be an id or an external reference at all."""


class Name(NamedTuple):
    """What a client calls an object: its id, or its external reference; a payment's may be that in one channel."""

    kind: str
    tenant_id: int
    text: str


Noun = TypeVar("Noun", bound=Named)


MOVEMENT = "movement"
"""Stands in a name for what was recorded on the balance of an object since a time."""


def movement_since(name: Name, moment: datetime) -> Name:
    """Name the movement of the balance of a named object since a time."""
    return Name(MOVEMENT, name.tenant_id, f"{name.kind}:{(moment - EPOCH) // TICK}:{name.text}")


def moved_object(movement: Name) -> tuple[Name, datetime]:
    """Give the name of the object whose movement is named, and since when."""
    kind, microseconds, text = movement.text.split(":", 2)
    return Name(kind, movement.tenant_id, text), EPOCH + int(microseconds) * TICK


def brought_by(items: Iterable[Named]) -> set[Name]:
    """Name the objects that change with some others: a payment is taken back from what it was applied to."""
    payments = [item for item in items if isinstance(item, Payment)]
    return {Name(kind, payment.tenant_id, each) for payment in payments for kind, each in payment.brings()}


class Shelf(Generic[Noun]):
    """The objects of one kind, by id and by what they go by beside it."""

    def __init__(self) -> None:
        self._loaded: dict[tuple[int, str], Noun] = {}
        self._touched: dict[tuple[int, str], None] = {}
        self._by_id: dict[tuple[int, str], Noun] = {}
        self._by_name: dict[tuple[int, str], Noun] = {}

    def load(self, item: Noun) -> None:
        """Let `item` stand as it was read."""
        self._loaded[item.tenant_id, item.id] = item
        self._stand(item)

    def find(self, tenant_id: int, name: str) -> Noun | None:
        """Find an object as it stands now; the id is tried first."""
        return self._by_id.get((tenant_id, name)) or self._by_name.get((tenant_id, name))

    def holder(self, tenant_id: int, name: str) -> Noun | None:
        """Give the object that has this name beside its id."""
        return self._by_name.get((tenant_id, name))

    def put(self, item: Noun) -> None:
        """Let `item` stand from now on, in place of what stood under its id."""
        self._touched[item.tenant_id, item.id] = None
        self._stand(item)

    def created(self) -> list[Noun]:
        """List the objects that were not there before, in the order of their names, which others may want too."""
        new = [self._by_id[key] for key in self._touched if key not in self._loaded]
        return sorted(new, key=lambda item: (item.tenant_id, item.names))

    def changed(self) -> Iterator[tuple[Noun, Noun]]:
        """Yield each changed object as it was loaded and as it stands, in the order of their ids."""
        for key in sorted(self._touched):
            if key in self._loaded:
                yield self._loaded[key], self._by_id[key]

    def _stand(self, item: Noun) -> None:
        """Find the object under its id and its names; where several share a name, it stands for the newest."""
        tenant_id = item.tenant_id
        before = self._by_id.get((tenant_id, item.id))
        if before is not None and before.names != item.names:
            self._forget(before)
        self._by_id[tenant_id, item.id] = item
        for name in item.names:
            other = self._by_name.get((tenant_id, name))
            if other is None or other.id <= item.id:
                self._by_name[tenant_id, name] = item

    def _forget(self, before: Noun) -> None:
        """Find an object under its names no longer: it goes by others now."""
        for name in before.names:
            if self._by_name.get((before.tenant_id, name)) is before:
                del self._by_name[before.tenant_id, name]


class EndpointShelf(Shelf[WebhookEndpoint]):
    """The webhook endpoints. One that is deleted is there for nobody, though its row is."""

    def find(self, tenant_id: int, name: str) -> WebhookEndpoint | None:
        """Find an endpoint as it stands now, by its id."""
        found = super().find(tenant_id, name)
        return found if found and found.deleted_at is None else None


class Unread(Exception):
    """A decision needs to know more of what stands than was read."""


class State:
    """What stands while a batch is decided, and all that will have to be saved.

    Args:
        loaded: What was read.
        knows_claims: Whether whoever has a reference that a command claims is among it. If not, that is found out when
            the batch is saved, and a reference that is taken all the same is no reason to refuse: others may be too.
    """

    def __init__(self, loaded: Iterable[Named] = (), *, knows_claims: bool = True) -> None:
        self.knows_claims = knows_claims
        self.customers = Shelf[Customer]()
        self.accounts = Shelf[Account]()
        self.bills = Shelf[Bill]()
        self.settings = Shelf[SettingsRecord]()
        self.payments = Shelf[Payment]()
        self.refunds = Shelf[Refund]()
        self.reversals = Shelf[Reversal]()
        self.charges = Shelf[Charge]()
        self.credits = Shelf[Credit]()
        self.allocations = Shelf[Allocation]()
        self.moves = Shelf[Move]()
        self.webhook_endpoints = EndpointShelf()
        self.replays = Shelf[Replay]()
        self.erasures = Shelf[Erasure]()
        self.shelves: dict[str, Shelf[Any]] = {
            Customer.kind: self.customers,
            Account.kind: self.accounts,
            Bill.kind: self.bills,
            SettingsRecord.kind: self.settings,
            Payment.kind: self.payments,
            Refund.kind: self.refunds,
            Reversal.kind: self.reversals,
            Charge.kind: self.charges,
            Credit.kind: self.credits,
            Allocation.kind: self.allocations,
            Move.kind: self.moves,
            WebhookEndpoint.kind: self.webhook_endpoints,
            Replay.kind: self.replays,
            Erasure.kind: self.erasures,
        }
        self.transfers: list[Transfer] = []
        self.events: list[Event] = []
        self.attributions: list[Attribution] = []
        self.movements: dict[tuple[int, str, datetime], Movement] = {}
        """By tenant, object and time: what of the ledger was read beside the objects, after them."""
        self.size = 0
        """Bytes of the events: of all that is saved, only they have no bound but that of what they tell."""
        for item in loaded:
            self.shelves[item.kind].load(item)

    def require(self, claims: tuple[Name, ...]) -> None:
        """Go on only where it is known who has what a command claims: that it is taken is told before all else.

        Raises:
            Unread: Nobody has looked.
        """
        if claims and not self.knows_claims:
            raise Unread

    def apply(self, journal: Journal) -> None:
        """Let what one command has done stand for the commands after it."""
        for item in journal.objects:
            self.shelves[item.kind].put(item)
        self.transfers += journal.transfers
        self.events += journal.events
        self.size += sum(len(event.body) for event in journal.events)
        self.attributions += journal.attributions()
