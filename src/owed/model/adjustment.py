"""What changes a debt by an amount: a charge, which raises what is owed, or a credit, which lowers it."""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

import msgspec

from owed.model import search
from owed.model.bill import Bill
from owed.model.transfer import Cause


class CreditType(StrEnum):
    """What a credit on a bill is, which says where the ledger has it."""

    CREDIT_NOTE = "credit_note"
    DISCOUNT = "discount"
    WRITE_OFF = "write_off"


class Adjustment(msgspec.Struct, frozen=True, kw_only=True):
    """What changed the debt on one object by an amount. Amounts are in minor units of its currency.

    Attributes:
        object_kind: Of the object whose debt it is.
        total_after: What was owed on the object once this stood.
        occurred_at: When it happened, which may be long before it was recorded here.
        reversed_at: When it was undone; None while it stands.
    """

    kind: ClassVar[str]
    raises: ClassVar[bool]

    tenant_id: int
    id: str
    object_kind: str
    object_id: str
    external_reference: str | None = None
    amount: int
    currency: str
    reason: str | None = None
    total_after: int
    metadata: dict[str, str] = {}
    occurred_at: datetime
    created_at: datetime
    reversed_at: datetime | None = None
    version: int = 1

    @property
    def cause(self) -> Cause:
        """Give the cause of its transfers."""
        return Cause(self.kind)

    @property
    def effect(self) -> int:
        """Give what it raised what is owed by; below zero it lowered it."""
        return self.amount if self.raises else -self.amount

    @property
    def updated_at(self) -> datetime:
        """Give when it last changed."""
        return self.reversed_at or self.created_at

    @property
    def names(self) -> tuple[str, ...]:
        """Give what it goes by beside its id."""
        return () if self.external_reference is None else (self.external_reference,)

    @property
    def path(self) -> str:
        """Give where the API has it."""
        return f"/billing/{self.object_kind}s/{self.object_id}/{self.kind}s/{self.id}"

    def shown(self) -> dict[str, Any]:
        """Give the members that the API shows; what is not set is absent."""
        return {name: value for name, value in self._members().items() if value is not None}

    def special(self) -> dict[str, Any]:
        """Give the members that only those of its kind have."""
        return {}

    def _members(self) -> dict[str, Any]:
        """Give the members in their order; None for what is not set."""
        return {
            "id": self.id,
            f"{self.object_kind}_id": self.object_id,
            **self.special(),
            "amount": self.amount,
            "currency": self.currency,
            "total_after" if self.object_kind == Bill.kind else "balance_after": self.total_after,
            "reason": self.reason,
            "external_reference": self.external_reference,
            "metadata": self.metadata or None,
            "occurred_at": self.occurred_at,
            "reversed_at": self.reversed_at,
            "created_at": self.created_at,
        }

    def searched(self) -> tuple[Any, ...]:
        """Give nothing: what it is found by never changes."""
        return ()

    def terms(self) -> Iterator[str]:
        """Yield every term that it is found by."""
        yield from (search.metadata_term(key, value) for key, value in self.metadata.items())
        yield search.owner_term(self.object_id)


class Charge(Adjustment, frozen=True, kw_only=True):
    """What raises a balance.

    Attributes:
        floor: The credit that it had to leave; None where it might use up any.
    """

    kind: ClassVar[str] = "charge"
    raises: ClassVar[bool] = True

    floor: int | None = None

    def special(self) -> dict[str, Any]:
        """Give the members that only charges have."""
        return {"floor": self.floor}


class Credit(Adjustment, frozen=True, kw_only=True):
    """What lowers a balance, or what remains of a bill.

    Attributes:
        type: Of one on a bill; None on a balance.
    """

    kind: ClassVar[str] = "credit"
    raises: ClassVar[bool] = False

    type: CreditType | None = None

    @property
    def cause(self) -> Cause:
        """Give the cause of its transfers: on a bill each type has its own."""
        return Cause.CREDIT if self.type is None else Cause(self.type)

    def special(self) -> dict[str, Any]:
        """Give the members that only credits have."""
        return {"type": self.type}
