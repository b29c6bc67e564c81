"""A customer: a person or business that can have accounts and bills (contract, section 2)."""

from collections.abc import Iterator
from typing import Any, ClassVar

from owed.model import search
from owed.model.billing_object import BillingObject


class Customer(BillingObject, frozen=True, kw_only=True):
    """One customer of one tenant; its obligation is the balance."""

    kind: ClassVar[str] = "customer"

    name: str | None = None
    email: str | None = None
    phone: str | None = None

    def members(self) -> dict[str, Any]:
        """Give the members of the customer, in the order of the contract."""
        return {
            "id": self.id,
            "external_reference": self.external_reference,
            "name": self.name,
            "email": self.email,
            "phone": self.phone,
            "currency": self.obligation.currency,
            "balance": self.obligation.balance,
            "payment_rules": self.payment_rules,
            "metadata": self.metadata or None,
        }

    def searched(self) -> tuple[Any, ...]:
        """Give all that the customer's search terms are made of, as far as it can change."""
        return *super().searched(), self.name, self.email, self.phone

    def terms(self) -> Iterator[str]:
        """Yield every term that the customer is found by."""
        yield from super().terms()
        yield from search.word_terms(self.name, self.email, self.phone, self.external_reference)
        if self.email is not None:
            yield search.email_term(self.email)
        if self.phone is not None:
            yield search.phone_term(self.phone)
