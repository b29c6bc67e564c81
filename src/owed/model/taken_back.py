"""What takes a payment back: a refund, which gives money back, or a reversal of money that never was good."""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

import msgspec

from owed.model import search


class ReversalReason(StrEnum):
    """Why money never was good (contract, section 6)."""

    DISHONOURED = "dishonoured"
    CHARGEBACK = "chargeback"
    ERROR = "error"
    OTHER = "other"


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """What is taken back of one application.

    Attributes:
        id: Of the application.
        kind: Of the object whose obligation it was applied to.
    """

    id: str
    kind: str
    object_id: str
    amount: int


class TakenBack(msgspec.Struct, frozen=True, kw_only=True):
    """What took back a payment, or a part of it.

    Attributes:
        occurred_at: When it happened, which may be long before it was recorded here.
    """

    kind: ClassVar[str]

    tenant_id: int
    id: str
    payment_id: str
    external_reference: str | None = None
    amount: int
    currency: str
    reason: str | None = None
    applications: tuple[Share, ...]
    metadata: dict[str, str] = {}
    occurred_at: datetime
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
            "applications": [
                {"id": share.id, "amount": share.amount, f"{share.kind}_id": share.object_id}
                for share in self.applications
            ],
            "reason": self.reason,
            "external_reference": self.external_reference,
            "metadata": self.metadata or None,
            "created_at": self.created_at,
        }

    def searched(self) -> tuple[Any, ...]:
        """Give nothing: it never changes."""
        return ()

    def terms(self) -> Iterator[str]:
        """Yield every term that it is found by."""
        yield from (search.metadata_term(key, value) for key, value in self.metadata.items())
        yield search.owner_term(self.payment_id)


class Refund(TakenBack, frozen=True, kw_only=True):
    """Money that was given back."""

    kind: ClassVar[str] = "refund"


class Reversal(TakenBack, frozen=True, kw_only=True):
    """Money that never was good: a bounced debit order, a chargeback, a keying error."""

    kind: ClassVar[str] = "reversal"

    def members(self) -> dict[str, Any]:
        """Give the members in the order of the contract; None for what is not set."""
        members = super().members()
        created_at = members.pop("created_at")
        return {**members, "occurred_at": self.occurred_at, "created_at": created_at}
