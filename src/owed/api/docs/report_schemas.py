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
            "description": "The customer's own balance, then its accounts, and then its bills, the oldest first.",
        },
    }
    required = tuple(name for name in members if name != "from")
    return objects(members, required, "What happened to all that a customer owes in a period.")


def section() -> Schema:
    """Describe what a statement tells of one obligation."""
    optional: Schema = {
        "customer_id": identifier(identifiers.CUSTOMER, "The customer whose balance it is."),
        "account_id": identifier(identifiers.ACCOUNT, "The account whose balance it is."),
        "bill_id": identifier(identifiers.BILL, "The bill that it is."),
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
