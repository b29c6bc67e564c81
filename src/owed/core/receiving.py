"""Receiving: what a payment does to the object that it is applied to, and what taking it back undoes."""

from datetime import datetime
from typing import Any

import msgspec

from owed.core.journal import Journal, News
from owed.core.ledger import Source
from owed.core.update import renewed
from owed.model.bill import Bill
from owed.model.billing_object import BillingObject
from owed.model.payment import Application, Payment
from owed.model.transfer import Cause


def received(
    item: BillingObject, amount: int, cause: Cause, source: Source, occurred_at: datetime, journal: Journal
) -> BillingObject:
    """Give the object once it has received `amount` minor units of its currency; below zero they are taken back."""
    obligation = item.obligation
    if obligation.currency is None:
        raise ValueError("an obligation without a currency takes no money")
    after = journal.post(obligation, item.id, -amount, obligation.currency, cause, occurred_at, source)
    changes: dict[str, Any] = {"obligation": after}
    if isinstance(item, Bill):
        changes["amount_paid"] = item.amount_paid + amount
        changes["amount_received"] = item.amount_received + amount
    return renewed(msgspec.structs.replace(item, **changes), journal)


def amount_news(event: str, payment: Payment, application: Application, amount: int, **further: Any) -> News:
    """Make the event of an amount that was applied to an obligation, or taken back (contract, section 7).

    Args:
        amount: What was, in minor units.
        further: Members in place of the usual ones, or beside them.
    """
    data = {
        "id": application.id,
        "amount": amount,
        "currency": payment.currency,
        "payment_id": payment.id,
        **application.target,
        "metadata": payment.metadata,
        "created_at": payment.created_at,
        "updated_at": payment.created_at,
        **further,
    }
    return News(f"obligation.{event}", data)
