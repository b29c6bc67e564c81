"""A customer: a person or business that can have accounts and bills (contract, section 2)."""

from datetime import datetime
from typing import Any

import msgspec

from owed.model.obligation import Obligation
from owed.model.payment_rules import PaymentRules


class Customer(msgspec.Struct, frozen=True):
    """One customer of one tenant.

    Attributes:
        obligation: What is owed on the customer's own balance.
        version: Counts the changes of the object; its ETag.
        event_sequence: Counts the object's events, without gaps.
    """

    tenant_id: int
    id: str
    external_reference: str
    created_at: datetime
    updated_at: datetime
    name: str | None = None
    email: str | None = None
    phone: str | None = None
    payment_rules: PaymentRules | None = None
    metadata: dict[str, str] = {}
    obligation: Obligation = Obligation()
    version: int = 1
    event_sequence: int = 0

    def shown(self) -> dict[str, Any]:
        """Give the members that the API shows, in the order of the contract; what is not set is absent."""
        obligation = self.obligation
        members = {
            "id": self.id,
            "external_reference": self.external_reference,
            "name": self.name,
            "email": self.email,
            "phone": self.phone,
            "currency": obligation.currency,
            "balance": obligation.total if obligation.tracked else None,
            "payment_rules": self.payment_rules,
            "metadata": self.metadata or None,
        }
        return {name: value for name, value in members.items() if value is not None}
