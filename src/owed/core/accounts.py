"""Accounts: how one is made and changed (contract, section 3)."""

from collections.abc import Iterator
from typing import ClassVar

from msgspec import UNSET, UnsetType

from owed.core.balances import BalanceMembers
from owed.core.customers import CustomerMembers
from owed.core.members import Making
from owed.core.outcomes import Fault
from owed.model.account import Account
from owed.model.identifiers import ACCOUNT


class AccountMembers(BalanceMembers[Account], frozen=True, kw_only=True):
    """The members that a request gives of an account.

    Attributes:
        customer: Whose account it is to be: a name, or a new customer inline.
    """

    kind: ClassVar[str] = Account.kind
    settable: ClassVar[tuple[str, ...]] = ("name", "payment_rules")
    lineage: ClassVar[tuple[str, ...]] = ("customer",)
    fixed: ClassVar[tuple[str, ...]] = ("id", "external_reference", "customer_id")

    customer: str | CustomerMembers | UnsetType = UNSET

    def lineage_faults(self) -> Iterator[Fault]:
        """Yield the fault of an account that is nobody's."""
        if self.customer is UNSET:
            yield Fault("/customer", "This is required: an id, an external reference, or a new customer.")

    def made(self, making: Making) -> Account:
        """Make the account, after its customer if that is new, and record it."""
        customer = making.parent(self.customer, making.state.customers)
        basics = making.basics(self, ACCOUNT, making.settings.payment_rules.account)
        bare = Account(**basics, customer_id=customer.id)
        return making.journal.record(self.changed(bare, making.journal), "account.created")
