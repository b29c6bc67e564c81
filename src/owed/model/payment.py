"""A payment: money that came in, and the obligations that it was applied to (contract, section 6)."""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

import msgspec

from owed.model import search
from owed.model.identifiers import ALLOCATION
from owed.model.obligation import Obligation

MAX_PAYMENT = 999_999_999_999
"""The largest amount of a payment, in minor units."""


def name_in_channel(reference: str, channel: str | None) -> str:
    """Give the name of the one payment that has a reference in a channel; that there is none counts as one."""
    return f"{channel or ''}:{reference}"


def in_channel(channel: str | None) -> str:
    """Say in which channel a reference is looked for."""
    return f"in the channel {channel!r}" if channel else "without a channel"


class PaymentStatus(StrEnum):
    """How a payment stands: by what took of it back last, and whether it still holds anything."""

    SUCCEEDED = "succeeded"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"
    PARTIALLY_REVERSED = "partially_reversed"
    REVERSED = "reversed"


class Application(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What of a payment was applied to one obligation.

    Attributes:
        kind: Of the object whose obligation it is.
        owners: The customer and the account that the object belongs to.
        taken_back: What refunds, reversals and moves have taken of `amount` since.
        document_id: Of the allocation or move that applied it; None where the payment itself did.
        applied_at: When that was; None: when the payment was made.
    """

    id: str
    kind: str
    object_id: str
    amount: int
    owners: tuple[str, ...] = ()
    taken_back: int = 0
    document_id: str | None = None
    applied_at: datetime | None = None

    @property
    def held(self) -> int:
        """Give what the payment still holds on the obligation."""
        return self.amount - self.taken_back

    @property
    def target(self) -> dict[str, str]:
        """Give the member that names the object."""
        return {f"{self.kind}_id": self.object_id}

    @property
    def origin(self) -> dict[str, str]:
        """Give the member that names the allocation or move that applied it, if one did."""
        if self.document_id is None:
            return {}
        return {"allocation_id" if self.document_id.startswith(ALLOCATION) else "move_id": self.document_id}

    def shown(self) -> dict[str, Any]:
        """Give the members that the API shows."""
        taken = {"amount_taken_back": self.taken_back} if self.taken_back else {}
        return {"id": self.id, "amount": self.amount, **taken, **self.target, **self.origin}


class RuleBreach(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a payment would have been refused for, had its money not been received already.

    Attributes:
        rule: The payment rule; or `not_found`.
        kind: Of what was to be paid.
        object_id: None where it does not exist.
        name: What the request called it, where it does not exist.
        amount: What was to go there.
    """

    rule: str
    detail: str
    kind: str
    object_id: str | None = None
    name: str | None = None
    amount: int

    def shown(self) -> dict[str, Any]:
        """Give the members that the API shows."""
        which = {self.kind: self.name} if self.object_id is None else {f"{self.kind}_id": self.object_id}
        return {"rule": self.rule, "detail": self.detail, **which, "amount": self.amount}


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """One payment. Amounts are in minor units of its currency.

    Attributes:
        last_taken_back: The kind of what took of it back last, `refund` or `reversal`.
        paid_at: When the payer paid, which may be long before it was recorded here.
        is_received: Whether the money was in the bank already, so that no rule could refuse it.
        unallocated: What of it is applied to nothing: the merchant owes it, so its total is never above zero.
        unallocated_customer_id: Whose that is, as far as anybody knows.
        rule_breaches: All that a payment which is not received yet would have been refused for.
        possible_duplicate_of: The id of the payment just before it that looks the same.
    """

    kind: ClassVar[str] = "payment"

    tenant_id: int
    id: str
    external_reference: str | None = None
    channel: str | None = None
    method: str | None = None
    provider_reference: str | None = None
    amount: int
    currency: str
    applications: tuple[Application, ...]
    amount_refunded: int = 0
    amount_reversed: int = 0
    last_taken_back: str | None = None
    metadata: dict[str, str] = {}
    paid_at: datetime
    created_at: datetime
    updated_at: datetime
    possible_duplicate_of: str | None = None
    version: int = 1
    is_received: bool = False
    unallocated: Obligation = Obligation()
    unallocated_customer_id: str | None = None
    rule_breaches: tuple[RuleBreach, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Give what the payment goes by beside its id: its reference in its channel, and its reference alone."""
        if self.external_reference is None:
            return ()
        return name_in_channel(self.external_reference, self.channel), self.external_reference

    @property
    def path(self) -> str:
        """Give where the API has the payment."""
        return f"/billing/payments/{self.id}"

    @property
    def amount_unallocated(self) -> int:
        """Give what is applied to nothing."""
        return -self.unallocated.total

    @property
    def held(self) -> int:
        """Give what the payment still holds."""
        return self.amount - self.amount_refunded - self.amount_reversed

    @property
    def status(self) -> PaymentStatus:
        """Tell how the payment stands."""
        if self.last_taken_back is None:
            return PaymentStatus.SUCCEEDED
        verb = "refunded" if self.last_taken_back == "refund" else "reversed"
        return PaymentStatus(f"partially_{verb}" if self.held else verb)

    def shown(self) -> dict[str, Any]:
        """Give the members that the API shows; what is not set is absent."""
        return {name: value for name, value in self._members().items() if value is not None}

    def _members(self) -> dict[str, Any]:
        """Give the members of the payment, in the order of the contract."""
        return {
            "id": self.id,
            "status": self.status,
            "amount": self.amount,
            "amount_refunded": self.amount_refunded,
            "amount_reversed": self.amount_reversed,
            "amount_unallocated": self.amount_unallocated,
            "currency": self.currency,
            **(self.applications[0].target if len(self.applications) == 1 else {}),
            "applications": [each.shown() for each in self.applications],
            "possible_duplicate_of": self.possible_duplicate_of,
            "unallocated_customer_id": self.unallocated_customer_id,
            "received": self.is_received or None,
            "rule_breaches": [each.shown() for each in self.rule_breaches] if self.is_received else None,
            "external_reference": self.external_reference,
            "channel": self.channel,
            "method": self.method,
            "provider_reference": self.provider_reference,
            "metadata": self.metadata or None,
            "paid_at": self.paid_at,
            "created_at": self.created_at,
        }

    def searched(self) -> tuple[Any, ...]:
        """Give all that the payment's search terms are made of, as far as it can change."""
        return self.status, len(self.applications), self.unallocated_customer_id

    def brings(self) -> Iterator[tuple[str, str]]:
        """Yield the kind and the id of each object that a change of the payment changes too."""
        return ((application.kind, application.object_id) for application in self.applications)

    def terms(self) -> Iterator[str]:
        """Yield every term that the payment is found by. Nearly every payment has succeeded, so that is no term."""
        yield from (search.metadata_term(key, value) for key, value in self.metadata.items())
        for application in self.applications:
            yield from (search.owner_term(owner) for owner in (application.object_id, *application.owners))
        if self.unallocated_customer_id is not None:
            yield search.owner_term(self.unallocated_customer_id)
        if self.channel is not None:
            yield search.channel_term(self.channel)
        if self.possible_duplicate_of is not None:
            yield search.POSSIBLE_DUPLICATE
        if self.method is not None:
            yield search.method_term(self.method)
        if self.status is not PaymentStatus.SUCCEEDED:
            yield search.status_term(self.status)
        if self.paid_at.date() < self.created_at.date():  # others are found by their ids
            yield from search.paid_terms_of(self.paid_at.date())
