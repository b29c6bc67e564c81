"""The schemas of statements and reports."""

from owed.api.docs import reports
from owed.api.docs.ledger_schemas import INTEGER, currency
from owed.api.docs.nouns import identifier
from owed.api.docs.schema import moment, objects, reference
from owed.api.fields import Schema
from owed.model import identifiers
from owed.store.customer_statements import Basis


def schemas_of_reports() -> dict[str, Schema]:
    """Give the schemas of statements, of reports, and of what comes as CSV."""
    return {
        "StatementSection": section(),
        "Statement": {**statement(), "examples": [reports.statement()]},
        "PaymentTotals": {**totals(), "examples": [reports.totals()]},
        "Ageing": {**ageing(), "examples": [reports.ageing()]},
        "Csv": {"type": "string", "description": "RFC 4180, in UTF-8; the first line has the names of the columns."},
    }


def statement() -> Schema:
    """Describe a statement as it goes out."""
    members: Schema = {
        "customer_id": identifier(identifiers.CUSTOMER, "Of the customer."),
        "basis": {"type": "string", "enum": list(Basis), "description": "Which time of a line counts."},
        "from": moment("The beginning of the period; absent where it is that of the books."),
        "to": moment("The end of the period: what is of this time is not in it any more."),
        "data": {
            "type": "array",
            "items": reference("schemas", "StatementSection"),
            "description": "The customer's balance, its accounts, its bills, and what payments left; the oldest first.",
        },
    }
    required = tuple(name for name in members if name != "from")
    return objects(members, required, "What happened to all that a customer owes in a period.")


def numbers(of: dict[str, str]) -> Schema:
    """Describe amounts, each by what it is."""
    return {name: {**INTEGER, "description": description} for name, description in of.items()}


def lines(members: Schema, required: tuple[str, ...], description: str) -> Schema:
    """Describe the lines of a report, and what they come to in each currency."""
    line = objects(members, required, description)
    sums = objects({name: members[name] for name in required}, required, "What they come to in one currency.")
    return {
        "data": {"type": "array", "items": line, "description": "The lines, sorted."},
        "totals": {"type": "array", "items": sums, "description": "What they come to in each currency."},
    }


def totals() -> Schema:
    """Describe control totals as they go out."""
    about: Schema = {
        "date": {"type": "string", "format": "date", "description": "The day."},
        "from": moment("When it began."),
        "to": moment("When it ended, or will."),
    }
    by: Schema = {name: {"type": "string", "description": f"The {name}."} for name in ("channel", "method")}
    amounts = numbers(
        {
            "count": "How many payments came in.",
            "amount": "What they brought.",
            "refunded": "What was given back on the day, of whatever payments.",
            "reversed": "What turned out on the day never to have been good, of whatever payments.",
            "unallocated": "What of `amount` fitted nothing when it came in.",
        }
    )
    always: Schema = {"currency": currency("Of all amounts."), **amounts}
    found = lines({**by, **always}, tuple(always), "What came in, of one channel, method and currency.")
    return objects({**about, **found}, (*about, *found), "What came in on a day.")


def ageing() -> Schema:
    """Describe an ageing report as it goes out."""
    about: Schema = {
        "as_of": moment("Of what time it is: what was recorded by then counts."),
        "date": {"type": "string", "format": "date", "description": "Your date then: what was due before it is late."},
    }
    whose: Schema = {
        "customer_id": identifier(identifiers.CUSTOMER, "Who owes it."),
        "external_reference": {"type": "string", "description": "Of the customer."},
    }
    amounts = numbers(
        {
            "current": "Not late.",
            "days_30": "Late by 1 to 30 days.",
            "days_60": "By 31 to 60.",
            "days_90": "By 61 to 90.",
            "over": "By more than 90.",
            "total": "All of it.",
        }
    )
    always: Schema = {"currency": currency("Of all amounts."), **amounts}
    found = lines({**whose, **always}, tuple(always), "What one customer owes in one currency.")
    return objects({**about, **found}, (*about, *found), "What is owed on bills, by how long it has been due.")


def section() -> Schema:
    """Describe what a statement tells of one obligation."""
    optional: Schema = {
        "customer_id": identifier(identifiers.CUSTOMER, "The customer whose balance it is."),
        "account_id": identifier(identifiers.ACCOUNT, "The account whose balance it is."),
        "bill_id": identifier(identifiers.BILL, "The bill that it is."),
        "payment_id": identifier(identifiers.PAYMENT, "The payment of which something is, or was, unallocated."),
        "external_reference": {"type": "string", "description": "Of that object."},
    }
    always: Schema = {
        "currency": currency("Of all amounts."),
        "opening": {**INTEGER, "description": "What was owed when the period began; negative is a credit."},
        "lines": {
            "type": "array",
            "items": reference("schemas", "Entry"),
            "description": "In the order of their time. `total_after` counts what is of this period or earlier.",
        },
        "closing": {**INTEGER, "description": "What was owed when the period had ended: `opening` and all lines."},
    }
    return objects({**optional, **always}, tuple(always), "One obligation, in one currency.")
