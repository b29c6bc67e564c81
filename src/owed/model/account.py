"""An account: a sub-customer with a balance of its own, such as one service, policy or meter (contract, section 3)."""

from collections.abc import Iterator
from typing import Any, ClassVar

from owed.model import search
from owed.model.billing_object import BillingObject


class Account(BillingObject, frozen=True, kw_only=True):
    """One account of one customer; its obligation is the balance."""

    kind: ClassVar[str] = "account"

    customer_id: str
    name: str | None = None

    @property
    def owners(self) -> tuple[str, ...]:
        """Give the id of its customer."""
        return (self.customer_id,)

    def members(self) -> dict[str, Any]:
        """Give the members of the account, in the order of the contract."""
        return {
            "id": self.id,
            "external_reference": self.external_reference,
            "customer_id": self.customer_id,
            "name": self.name,
            "currency": self.obligation.currency,
            "balance": self.obligation.balance,
            "payment_rules": self.payment_rules,
            "metadata": self.metadata or None,
        }

    def searched(self) -> tuple[Any, ...]:
        """Give all that the account's search terms are made of, as far as it can change."""
        return *super().searched(), self.name

    def terms(self) -> Iterator[str]:
        """Yield every term that the account is found by."""
        yield from super().terms()
        yield from search.word_terms(self.name, self.external_reference)
        yield from map(search.owner_term, self.owners)
