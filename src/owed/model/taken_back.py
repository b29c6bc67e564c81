"""What takes a payment back: a refund, which gives money back, or a reversal of money that never was good."""

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from owed.model.payment_document import PaymentDocument


class ReversalReason(StrEnum):
    """Why money never was good (contract, section 6)."""

    DISHONOURED = "dishonoured"
    CHARGEBACK = "chargeback"
    ERROR = "error"
    OTHER = "other"


class TakenBack(PaymentDocument, frozen=True, kw_only=True):
    """What took back a payment, or a part of it.

    Attributes:
        amount_unallocated: What it took of the money that was applied to nothing.
        occurred_at: When it happened, which may be long before it was recorded here.
    """

    amount_unallocated: int = 0
    occurred_at: datetime

    def parts(self) -> dict[str, Any]:
        """Give the members that say where the money was."""
        return {"amount_unallocated": self.amount_unallocated or None, **super().parts()}


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
