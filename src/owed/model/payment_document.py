"""A document of a payment: what changed it after it was made, with an id and a reference of its own."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, ClassVar

import msgspec

from owed.model import search


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """What a document takes of one application, or puts into it.

    Attributes:
        id: Of the application.
        kind: Of the object whose obligation it was applied to.
    """

    id: str
    kind: str
    object_id: str
    amount: int

    def shown(self) -> dict[str, Any]:
        """Give the members that the API shows."""
        return {"id": self.id, "amount": self.amount, f"{self.kind}_id": self.object_id}


class PaymentDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What changed a payment. It never changes itself.

    Attributes:
        applications: What it takes of those that it takes back; or what it put into those that it made.
    """

    kind: ClassVar[str]

    tenant_id: int
    id: str
    payment_id: str
    external_reference: str | None = None
    amount: int
    currency: str
    reason: str | None = None
    applications: tuple[Share, ...] = ()
    metadata: dict[str, str] = {}
    created_at: datetime

    @property
    def version(self) -> int:
        """Give the version, of which there is only one."""
        return 1

    @property
    def updated_at(self) -> datetime:
        """Give when it last changed, which it never does."""
        return self.created_at

    @property
    def names(self) -> tuple[str, ...]:
        """Give what it goes by beside its id."""
        return () if self.external_reference is None else (self.external_reference,)

    @property
    def path(self) -> str:
        """Give where the API has it."""
        return f"/billing/payments/{self.payment_id}/{self.kind}s/{self.id}"

    def shown(self) -> dict[str, Any]:
        """Give the members that the API shows; what is not set is absent."""
        return {name: value for name, value in self.members().items() if value is not None}

    def members(self) -> dict[str, Any]:
        """Give the members in the order of the contract; None for what is not set."""
        return {
            "id": self.id,
            "payment_id": self.payment_id,
            "amount": self.amount,
            "currency": self.currency,
            **self.parts(),
            "reason": self.reason,
            "external_reference": self.external_reference,
            "metadata": self.metadata or None,
            "created_at": self.created_at,
        }

    def parts(self) -> dict[str, Any]:
        """Give the members that say where the money was, and where it went."""
        return {"applications": [share.shown() for share in self.applications]}

    def searched(self) -> tuple[Any, ...]:
        """Give nothing: it never changes."""
        return ()

    def terms(self) -> Iterator[str]:
        """Yield every term that it is found by."""
        yield from (search.metadata_term(key, value) for key, value in self.metadata.items())
        yield search.owner_term(self.payment_id)
