"""The operations that report, as the documentation tells of them."""

from collections.abc import Iterator
from datetime import timedelta

import msgspec

from owed.api.books import Json
from owed.api.docs import story
from owed.api.docs.operation import ALWAYS, READER, Operation, Operations, Success
from owed.api.messages import CSV
from owed.api.reports import Day, totals_as_json
from owed.api.statements import JsonWriter
from owed.core.outcomes import Code
from owed.model.billing_object import BillingObject
from owed.model.payment import Payment
from owed.store.ageing import Aged
from owed.store.control_totals import Totals
from owed.store.customer_statements import Part, Section

DATE = story.MORNING.date()

STATEMENT = Operation(
    "retrieveStatement",
    "Draw up a statement",
    "What happened to all that a customer owes in a period: the balance of the customer, those of its accounts, its "
    "bills, and the money of its payments that fitted nothing; each by itself, with what was owed when the period "
    "began, every line, and what was owed when it had ended. Nothing is added up over them: a balance may be that of "
    "the very bills. What owed nothing and saw nothing is left out. With `basis=effective` a line is in the period in "
    "which it happened, and with `recorded` in that in which it was recorded here: such a statement never changes once "
    "its period is over. What closes a period opens the next.",
    "Reports",
    {200: Success("The statement.", "Statement", ("Vary",), ("Content-Disposition",), is_csv_too=True)},
    (*ALWAYS, Code.NOT_FOUND),
    ("Customer", "From", "To", "Basis", *READER),
)

TOTALS = Operation(
    "retrievePaymentTotals",
    "Add up the payments of a day",
    "Control totals by channel, method and currency, and of each currency: how many payments came in on the day, what "
    "they brought, and what of that fitted nothing when it came in; and what was refunded and reversed on the day, of "
    "whatever payments. `amount` less `reversed` of a channel is what its clearing account moved by. A day that is "
    "over never changes. Lines with nothing in them are left out.",
    "Reports",
    {200: Success("The control totals.", "PaymentTotals", ("Vary",), ("Content-Disposition",), is_csv_too=True)},
    ALWAYS,
    ("TotalsOf", *READER),
)

AGEING = Operation(
    "retrieveAgeing",
    "Draw up an ageing report",
    "What each customer owes on bills in each currency, by how long it has been due: by its `due_date`, or by its "
    "`bill_date` where it has none. What was owed is as it was recorded then, and the dates as they are now.",
    "Reports",
    {200: Success("The report.", "Ageing", ("Vary",), ("Content-Disposition",), is_csv_too=True)},
    ALWAYS,
    ("AgeingAsOf", *READER),
)


def export(name: str, told: str) -> Operation:
    """Tell of an export."""
    return Operation(
        f"export{name.title()}",
        f"Export {name}",
        f"{told} As CSV, in no order that is promised, of any number, and all of one time.",
        "Reports",
        {200: Success("The lines.", "Csv", ("Content-Disposition",), media_type=CSV)},
        ALWAYS,
        ("From", "To", *READER),
    )


ENTRIES = "All transfers of the ledger that were recorded in a period, of all objects, with the accounts they move."
PAYMENTS = "All payments that were recorded in a period, with what was taken back of each by now."

REPORTS: Operations = {
    ("/billing/customers/{customer}/statement", "GET"): STATEMENT,
    ("/billing/reports/payments", "GET"): TOTALS,
    ("/billing/reports/ageing", "GET"): AGEING,
    ("/billing/exports/entries", "GET"): export("entries", ENTRIES),
    ("/billing/exports/payments", "GET"): export("payments", PAYMENTS),
}


def statement() -> Json:
    """Give the statement of a customer as it may look."""
    her = story.standing("account", story.HER_WATER).customer_id
    writer = JsonWriter()
    sections = [writer.part(part) for item in owing(her) for part in told(item)]
    whole = {"customer_id": her, "basis": "effective", "from": story.MORNING, "to": story.MORNING}
    return {**story.as_answered(whole), "data": msgspec.json.decode(b"[" + b"".join(sections) + b"]")}


def totals() -> Json:
    """Give control totals as they may look."""
    payments: list[Payment] = story.books().state.shelves[Payment.kind].created()
    found: dict[tuple[str, str, str], Totals] = {}
    for each in payments:
        key = each.channel or "", each.method or "", each.currency
        line = Totals(
            channel=each.channel,
            method=each.method,
            currency=each.currency,
            count=1,
            amount=each.amount,
            refunded=each.amount_refunded,
            reversed=each.amount_reversed,
        )
        found[key] = found[key].plus(line) if key in found else line
    day = Day(DATE, *(story.STARTING.settings.beginning_of(each) for each in (DATE, DATE + timedelta(days=1))))
    answer: Json = msgspec.json.decode(totals_as_json(day, [found[key] for key in sorted(found)]))
    return answer


def ageing() -> Json:
    """Give an ageing report as it may look."""
    bill = story.standing("bill", story.HIS_BILL)
    customer = story.standing("customer", bill.customer_id)
    owed = Aged(bill.obligation.currency, current=bill.obligation.total)
    his = msgspec.structs.replace(owed, customer_id=customer.id, external_reference=customer.external_reference)
    told = {"as_of": story.MORNING, "date": DATE, "data": [his.shown()], "totals": [owed.shown()]}
    return story.as_answered(told)


def owing(customer_id: str) -> Iterator[BillingObject]:
    """Yield a customer, its accounts and its bills."""
    for kind in ("customer", "account", "bill"):
        for item in story.books().state.shelves[kind].created():
            if customer_id in (item.id, *getattr(item, "owners", ())):
                yield item


def told(item: BillingObject) -> Iterator[Part]:
    """Yield the section of an object, if there is anything to tell of."""
    lines = [story.entry(each) for each in story.books().state.transfers if each.obligation_id == item.id]
    if lines:
        section = Section(item.kind, item.id, item.external_reference, lines[0].currency)
        yield Part(section, 0, lines, lines[-1].total_after)
