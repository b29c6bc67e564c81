"""Applying: what money does to the object that it is applied to, and what taking it back undoes (section 6)."""

from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec

from owed.core.journal import Journal, News
from owed.core.ledger import Source
from owed.core.update import renewed
from owed.model.bill import Bill, is_settled
from owed.model.billing_object import BillingObject
from owed.model.obligation import Obligation, RecentPayment
from owed.model.payment import Application, Payment
from owed.model.payment_document import PaymentDocument
from owed.model.transfer import Cause

Owing = TypeVar("Owing", bound=BillingObject)


def apply(payment: Payment, application: Application, item: BillingObject, source: Source, journal: Journal) -> None:
    """Apply money of a payment to an object, and tell of it."""
    after = applied(item, application.amount, source, journal)
    settled = ["bill.paid"] if is_settled(item, after) else []
    journal.record(after, amount_applied(payment, application), *settled)


def applied(item: Owing, amount: int, source: Source, journal: Journal) -> Owing:
    """Give the object with `amount` minor units of its currency applied to it; below zero they are taken back."""
    if isinstance(item, Bill):
        changes: dict[str, Any] = {
            "obligation": posted(item, amount, source, journal),
            "amount_paid": item.amount_paid + amount,
            "amount_received": item.amount_received + amount,
        }
    else:
        changes = {"obligation": passed_on(item, posted(item, amount, source, journal), amount, source, journal)}
    return renewed(msgspec.structs.replace(item, **changes), journal)


def posted(item: BillingObject, amount: int, source: Source, journal: Journal) -> Obligation:
    """Give the obligation of an object with an amount applied to it; it remembers what a payment was."""
    obligation = item.obligation
    if obligation.currency is None:
        raise ValueError("an obligation without a currency takes no money")
    after = journal.post(obligation, item.id, -amount, obligation.currency, source)
    since = duplicates_since(journal)
    if source.cause is not Cause.PAYMENT or source.payment_id is None or since is None:
        return after
    return after.paid_by(RecentPayment(amount, source.payment_id, journal.stamp.now, source.channel), since)


def passed_on(item: BillingObject, after: Obligation, amount: int, source: Source, journal: Journal) -> Obligation:
    """Give the obligation of a balance after an amount, which is taken back at once where the merchant subtracts it."""
    if journal.settings.payments_reduce_balance or after.currency is None:
        return after
    return journal.post(after, item.id, amount, after.currency, source._replace(cause=Cause.PASSED_ON))


def duplicates_since(journal: Journal) -> datetime | None:
    """Give the time since which a payment that looks the same may be the same one; None where nobody looks."""
    minutes = journal.settings.duplicate_minutes
    return journal.stamp.now - timedelta(minutes=minutes) if minutes else None


def with_unallocated(payment: Payment, amount: int, source: Source, journal: Journal) -> Payment:
    """Give the payment with `amount` more of it applied to nothing; below zero, less."""
    posted = journal.post(payment.unallocated, payment.id, -amount, payment.currency, source)
    return msgspec.structs.replace(payment, unallocated=posted)


def amount_applied(payment: Payment, application: Application) -> News:
    """Make the event of an amount that was applied to an obligation (contract, section 7)."""
    return News("obligation.amount_applied", told_of(payment, application, application.amount) | application.origin)


def amount_reversed(payment: Payment, application: Application, document: PaymentDocument, amount: int) -> News:
    """Make the event of an amount that was taken back from an obligation (contract, section 7)."""
    data = told_of(payment, application, amount)
    later = {"updated_at": document.created_at, f"{document.kind}_id": document.id}
    return News("obligation.amount_reversed", {**data, **later})


def told_of(payment: Payment, application: Application, amount: int) -> dict[str, Any]:
    """Give what the events of an amount have in common."""
    return {
        "id": application.id,
        "amount": amount,
        "currency": payment.currency,
        "payment_id": payment.id,
        **application.target,
        "metadata": payment.metadata,
        "created_at": (applied_at := application.applied_at or payment.created_at),
        "updated_at": applied_at,
    }
