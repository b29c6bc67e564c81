"""Customers: how one is made and changed (contract, section 2)."""

from typing import ClassVar

from msgspec import UNSET, UnsetType

from owed.core.balances import BalanceMembers
from owed.core.members import Making
from owed.model.customer import Customer
from owed.model.identifiers import CUSTOMER


class CustomerMembers(BalanceMembers[Customer], frozen=True, kw_only=True):
    """The members that a request gives of a customer."""

    kind: ClassVar[str] = Customer.kind
    settable: ClassVar[tuple[str, ...]] = ("name", "email", "phone", "payment_rules")

    email: str | UnsetType | None = UNSET
    phone: str | UnsetType | None = UNSET

    def made(self, making: Making) -> Customer:
        """Make the customer, and record it."""
        bare = Customer(**making.basics(self, CUSTOMER, making.settings.payment_rules.customer))
        return making.journal.record(self.changed(bare, making.journal), "customer.created")
