"""A change: what a request to update an object gives, and what becomes of the object."""

from collections.abc import Iterator
from typing import ClassVar, Generic, TypeVar

import msgspec

from owed.core.journal import Journal
from owed.core.outcomes import Fault, Refused, not_found
from owed.model.billing_object import BillingObject
from owed.model.tenant_settings import SettingsRecord
from owed.model.webhook_endpoint import WebhookEndpoint

Item = TypeVar("Item", bound=BillingObject | SettingsRecord | WebhookEndpoint)


class Change(msgspec.Struct, Generic[Item], frozen=True, kw_only=True):
    """A change of one kind of object.

    Attributes:
        sent_back: What is given of the members that cannot be changed, as it came.
    """

    kind: ClassVar[str]
    verb: ClassVar[str] = "update"
    """What the change is called."""
    fixed: ClassVar[tuple[str, ...]] = ()
    """Members that never change. A client may send them back as it got them."""
    derived: ClassVar[tuple[str, ...]] = ()
    """Members that follow from others. A client may send them back as they stand."""

    sent_back: dict[str, object] = {}

    def absent(self, name: str) -> Refused:
        """Refuse for want of the object."""
        return not_found(self.kind, name)

    def faults(self, standing: Item) -> Iterator[Fault]:
        """Yield what is wrong beyond the form."""
        return iter(())

    def conflict(self, standing: Item) -> Refused | None:
        """Refuse a change that the state of the object forbids."""
        return None

    def changed(self, standing: Item, journal: Journal) -> Item:
        """Give the object with the change made; what changes a debt goes through the ledger."""
        raise NotImplementedError

    def recorded(self, before: Item, after: Item, journal: Journal) -> Item:
        """Record the change, and tell of it."""
        raise NotImplementedError
