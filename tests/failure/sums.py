"""The audit of what no single write tells: whether the rules held at every payment, and whether all sums agree."""

from collections import Counter
from collections.abc import Iterator
from itertools import chain

from owed.model.bill import Bill
from owed.model.transfer import Cause
from tests.failure.books import Books
from tests.failure.refusals import fitting, refused_by
from tests.properties.promises import Change, cause_of, taken_back_by

Stands = Counter[tuple[str, str | None]]
"""What accounts of the ledger stand at, by account and currency."""

ACCOUNTS_OF_CREDITS = {"credit_note": "credit_notes", "discount": "discounts", "write_off": "bad_debt"}


def faults(books: Books) -> Iterator[str]:
    """Yield all that does not agree."""
    for change in chain.from_iterable(books.changes.values()):
        yield from faults_of_rules(books, change)
        is_to_stay = (
            change.moved is not None and change.kind != Bill.kind and not books.settings.payments_reduce_balance
        )
        if change.is_passed_on != is_to_stay:
            yield f"{change} is passed on: {change.is_passed_on}"
    versions = Counter(document.payment_id for document in books.documents.values())
    for payment in books.payments.values():
        if payment.version != 1 + versions[payment.id]:
            yield f"{payment} was changed {versions[payment.id]} times"
        if any(each.total_after > 0 for each in books.chains.get(payment.id, [])):
            yield f"less than nothing of {payment} was unallocated"
    known = books.documents.keys() | books.adjustments.keys() | {None}
    named = {name for each in books.transfers for name in (each.taken_back_id, each.document_id)}
    if strangers := named - known:
        yield f"transfers of what is not there: {strangers}"
    yield from faults_of_bills(books)
    yield from faults_of_accounts(books)


def faults_of_rules(books: Books, change: Change) -> Iterator[str]:
    """Money that came in was taken by the rules of that moment; what was here already goes where it fits."""
    if change.before is None or change.moved is None or taken_back_by(change.moved):
        return
    amount, currency = change.moved["amount"], change.moved["currency"]
    is_here = books.payments[change.moved["payment_id"]].is_received or cause_of(change.moved) is not Cause.PAYMENT
    if is_here and amount > fitting(change.before, currency):
        yield f"{change} was made of more than fits"
    if not is_here and (rules := refused_by(change.before, amount, currency)):
        yield f"{change} was made against the rules {rules}"


def faults_of_bills(books: Books) -> Iterator[str]:
    """A bill has received what payments hold on it."""
    held: Counter[str] = Counter()
    for application in (application for payment in books.payments.values() for application in payment.applications):
        held[application.object_id] += application.held
    for bill in (item for item in books.objects if isinstance(item, Bill)):
        if bill.amount_received != held[bill.id]:
            yield f"{bill} has received {bill.amount_received}, its payments hold {held[bill.id]}"


def faults_of_accounts(books: Books) -> Iterator[str]:
    """The accounts of the ledger stand at what objects, payments and credits come to, and nothing is on its way."""
    stands: Stands = Counter()
    for transfer in books.transfers:
        stands[transfer.debit, transfer.currency] += abs(transfer.amount)
        stands[transfer.credit, transfer.currency] -= abs(transfer.amount)
    wanted = wanted_of(books)
    for account, currency in sorted(wanted):
        if stands[account, currency] != wanted[account, currency]:
            yield f"{account} stands at {stands[account, currency]} {currency}, not at {wanted[account, currency]}"


def wanted_of(books: Books) -> Stands:
    """Work out where accounts must stand."""
    wanted: Stands = Counter()
    for item in books.objects:
        currency = item.obligation.currency
        wanted["receivable", currency] += item.obligation.total
        wanted["reallocation", currency] += 0
        if isinstance(item, Bill):
            wanted["external_receipts", currency] += item.amount_paid - item.amount_received - item.amount_credited
    for payment in books.payments.values():
        clearing = f"clearing:{payment.channel}" if payment.channel else "clearing"
        wanted[clearing, payment.currency] += payment.amount - payment.amount_reversed
        wanted["refunds_payable", payment.currency] -= payment.amount_refunded
        wanted["unallocated", payment.currency] -= payment.amount_unallocated
    for credit in books.adjustments.values():
        account = ACCOUNTS_OF_CREDITS.get(getattr(credit, "type", None) or "")
        if account and credit.reversed_at is None:
            wanted[account, credit.currency] += credit.amount
    return wanted
