"""Bills: how one is made, changed and voided (contract, section 4)."""

from collections.abc import Iterator
from datetime import date
from typing import Any, ClassVar

import msgspec
from msgspec import UNSET, UnsetType

from owed.core.accounts import AccountMembers
from owed.core.currencies import currency_conflict, currency_faults
from owed.core.customers import CustomerMembers
from owed.core.journal import Journal
from owed.core.ledger import Source
from owed.core.members import Making, Members, certain
from owed.core.outcomes import Code, Fault, Refused
from owed.model.bill import Bill, is_settled
from owed.model.identifiers import BILL
from owed.model.obligation import Obligation
from owed.model.transfer import Cause


class BillMembers(Members[Bill], frozen=True, kw_only=True):
    """The members that a request gives of a bill.

    Attributes:
        customer: Whose bill it is to be: a name, or a new customer inline.
        account: On which account: a name, or a new account inline.
    """

    kind: ClassVar[str] = Bill.kind
    required: ClassVar[tuple[str, ...]] = ("external_reference", "currency", "amount_due")
    settable: ClassVar[tuple[str, ...]] = ("due_date", "payment_rules")
    lineage: ClassVar[tuple[str, ...]] = ("customer", "account")
    fixed: ClassVar[tuple[str, ...]] = (
        "id", "external_reference", "customer_id", "account_id", "amount_due", "bill_date",
    )  # fmt: skip
    derived: ClassVar[tuple[str, ...]] = ("status", "amount_remaining")

    customer: str | CustomerMembers | UnsetType = UNSET
    account: str | AccountMembers | UnsetType = UNSET
    currency: str | UnsetType = UNSET
    amount_due: int | UnsetType = UNSET
    amount_paid: int | UnsetType = UNSET
    bill_date: date | UnsetType = UNSET
    due_date: date | UnsetType | None = UNSET

    def lineage_faults(self) -> Iterator[Fault]:
        """Yield what is wrong with whose bill it is to be: a bill has one customer, named once."""
        if self.account is UNSET:
            if self.customer is UNSET:
                yield Fault("/customer", "A bill needs one: give `customer`, or `account`.")
        elif not isinstance(self.account, AccountMembers):
            if self.customer is not UNSET:
                yield Fault("/customer", "Leave this out: the account that is named has its customer already.")
        elif self.customer is UNSET:
            yield from (Fault(f"/account{fault.pointer}", fault.detail) for fault in self.account.lineage_faults())
        elif self.account.customer is not UNSET:
            yield Fault("/account/customer", "Leave this out: `customer` beside `account` says whose account it is.")

    def faults(self, standing: Bill | None) -> Iterator[Fault]:
        """Yield what is wrong beyond the form, of the amounts too."""
        yield from super().faults(standing)
        yield from currency_faults(standing.obligation.currency if standing else None, self.currency)
        if standing and self._overpays(standing):
            detail = f"This is more than amount_due, {standing.amount_due}, and the bill takes no overpayment."
            yield Fault("/amount_paid", detail)

    def conflict(self, standing: Bill) -> Refused | None:
        """Refuse to change a voided bill, or a currency in which there is money."""
        if standing.is_voided:
            return Refused(Code.CONFLICT, "The bill is voided, so it cannot be changed any more.")
        if self.amount_paid is not UNSET and self.amount_paid < standing.amount_received + standing.amount_credited:
            return below_received(standing)
        return currency_conflict(standing.obligation, self.currency) if standing.amount_paid else None

    def made(self, making: Making) -> Bill:
        """Make the bill, after what of its customer and account is new, and record it."""
        owner = self._owner(making)
        amount_due = certain(self.amount_due)
        bare = Bill(
            **making.basics(self, BILL, making.settings.payment_rules.bill.of_bill(amount_due)),
            **owner,
            amount_due=amount_due,
            bill_date=self._bill_date(making),
        )
        raised = making.journal.post(
            Obligation(tracked=True), bare.id, amount_due, certain(self.currency), Source(Cause.BILL_RAISED)
        )
        bill = msgspec.structs.replace(bare, **self.plain(bare), obligation=raised)
        return making.journal.record(bill, "bill.created")

    def changed(self, standing: Bill, journal: Journal) -> Bill:
        """Give the bill with the members in place; amounts and currency go through the ledger."""
        bill = msgspec.structs.replace(standing, **self.plain(standing))
        if self.currency is not UNSET and self.currency != bill.currency:
            bill = in_currency(bill, self.currency, journal)
        if self.amount_paid is not UNSET and self.amount_paid != bill.amount_paid:
            bill = with_amount_paid(bill, self.amount_paid, journal)
        return bill

    def news(self, before: Bill, after: Bill) -> tuple[str, ...]:
        """List the types of the events that tell of a change: one that settles the bill has an event of its own."""
        return ("bill.updated", "bill.paid") if is_settled(before, after) else ("bill.updated",)

    def _owner(self, making: Making) -> dict[str, Any]:
        """Give whose bill it is, making what of that is new."""
        if self.account is UNSET:
            return {"customer_id": making.parent(self.customer, making.state.customers).id}
        given = self.account
        if isinstance(given, AccountMembers) and given.customer is UNSET:
            given = msgspec.structs.replace(given, customer=self.customer)
        account = making.parent(given, making.state.accounts)
        return {"customer_id": account.customer_id, "account_id": account.id}

    def _bill_date(self, making: Making) -> date:
        """Give the date that the request gives, or else today's where the merchant is."""
        return making.settings.date_at(making.journal.stamp.now) if self.bill_date is UNSET else self.bill_date

    def _overpays(self, standing: Bill) -> bool:
        """Tell whether the request would pay more than is due, under the rules that it leaves, where they forbid it."""
        rules = standing.payment_rules if self.payment_rules is UNSET else self.payment_rules
        if self.amount_paid is UNSET or self.amount_paid == standing.amount_paid or "payment_rules" in self.faulty:
            return False
        return self.amount_paid > standing.amount_due and not (rules and rules.overpayment_allowed)


class Void(Members[Bill], frozen=True, kw_only=True):
    """What a request to void a bill gives: metadata, or nothing."""

    kind: ClassVar[str] = Bill.kind
    verb: ClassVar[str] = "void"

    def conflict(self, standing: Bill) -> Refused | None:
        """Refuse to void twice, and to void a bill on which there is money."""
        if standing.is_voided:
            return Refused(Code.CONFLICT, "The bill is voided already.")
        if standing.amount_paid:
            return Refused(Code.CONFLICT, money_on(standing))
        return None

    def changed(self, standing: Bill, journal: Journal) -> Bill:
        """Give the bill voided: nothing is owed on it any more."""
        voided = journal.post(
            standing.obligation, standing.id, -standing.obligation.total, standing.currency, Source(Cause.VOID)
        )
        return msgspec.structs.replace(standing, **self.plain(standing), is_voided=True, obligation=voided)

    def news(self, before: Bill, after: Bill) -> tuple[str, ...]:
        """List the types of the events that tell of it."""
        return ("bill.voided",)


def below_received(bill: Bill) -> Refused:
    """Refuse to correct what has been paid to less than payments through Owed hold, and credits come to."""
    received, credited = bill.amount_received, bill.amount_credited
    if not credited:
        fault = Fault("/amount_paid", f"Payments hold {received}: send that or more, or refund or reverse them first.")
        detail = f"Payments through Owed hold {received} of what has been paid on the bill."
        return Refused(Code.CONFLICT, detail, (fault,))
    least = f"Send {received + credited} or more, or refund or reverse the payments, or reverse the credits, first."
    detail = (
        f"Payments through Owed hold {received} of what has been paid on the bill, and credits are {credited} of it."
    )
    return Refused(Code.CONFLICT, detail, (Fault("/amount_paid", least),))


def money_on(bill: Bill) -> str:
    """Say which money is on a bill, and how to take it off."""
    received, credited = bill.amount_received, bill.amount_credited
    elsewhere = bill.amount_paid - received - credited
    ways = [f"refund or reverse its payments, which hold {received}"] if received else []
    ways += [f"reverse its credits, which come to {credited}"] if credited else []
    ways += [f"correct amount_paid, {elsewhere} of which was paid elsewhere"] if elsewhere else []
    return f"There is money on the bill, {bill.amount_paid} in all: first {', and '.join(ways)}."


def in_currency(bill: Bill, currency: str, journal: Journal) -> Bill:
    """Give the bill in another currency: what is owed is taken out of the old one, and raised in the new."""
    owed = bill.obligation
    out = journal.post(owed, bill.id, -owed.total, bill.currency, Source(Cause.CURRENCY_CHANGED))
    raised = journal.post(out, bill.id, owed.total, currency, Source(Cause.CURRENCY_CHANGED))
    return msgspec.structs.replace(bill, obligation=raised)


def with_amount_paid(bill: Bill, amount_paid: int, journal: Journal) -> Bill:
    """Give the bill with what has been paid put right."""
    correction = bill.amount_paid - amount_paid
    corrected = journal.post(bill.obligation, bill.id, correction, bill.currency, Source(Cause.CORRECTION))
    return msgspec.structs.replace(bill, amount_paid=amount_paid, obligation=corrected)
