"""The operations that report, as the documentation tells of them."""

from collections.abc import Iterator

import msgspec

from owed.api.books import Json
from owed.api.docs import story
from owed.api.docs.operation import ALWAYS, READER, Operation, Operations, Success
from owed.api.statements import JsonWriter
from owed.core.outcomes import Code
from owed.model.billing_object import BillingObject
from owed.store.customer_statements import Part, Section

STATEMENT = Operation(
    "retrieveStatement",
    "Draw up a statement",
    "What happened to all that a customer owes in a period: the balance of the customer, those of its accounts, and "
    "its bills, each by itself, with what was owed when the period began, every line, and what was owed when it had "
    "ended. Nothing is added up over them: a balance may be that of the very bills. What owed nothing and saw nothing "
    "is left out. With `basis=effective` a line is in the period in which it happened, and with `recorded` in that in "
    "which it was recorded here: such a statement never changes once its period is over. What closes a period opens "
    "the next.",
    "Reports",
    {200: Success("The statement.", "Statement", ("Vary",), ("Content-Disposition",), is_csv_too=True)},
    (*ALWAYS, Code.NOT_FOUND),
    ("Customer", "From", "To", "Basis", *READER),
)

REPORTS: Operations = {("/billing/customers/{customer}/statement", "GET"): STATEMENT}


def statement() -> Json:
    """Give the statement of a customer as it may look."""
    her = story.standing("account", story.HER_WATER).customer_id
    writer = JsonWriter()
    sections = [writer.part(part) for item in owing(her) for part in told(item)]
    whole = {"customer_id": her, "basis": "effective", "from": story.MORNING, "to": story.MORNING}
    return {**story.as_answered(whole), "data": msgspec.json.decode(b"[" + b"".join(sections) + b"]")}


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
