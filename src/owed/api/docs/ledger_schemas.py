"""The schemas of the ledger."""

from owed.api.docs import ledger
from owed.api.docs.nouns import identifier
from owed.api.docs.schema import moment, objects, page_of
from owed.api.fields import Schema
from owed.api.payments import PAYMENT_FORM
from owed.model import identifiers
from owed.model.transfer import Cause

CURRENCY = PAYMENT_FORM.members["currency"].schema["pattern"]

INTEGER: Schema = {"type": "integer"}


def schemas_of_the_ledger() -> dict[str, Schema]:
    """Give the schemas of entries, and of the trial balance."""
    entries = ledger.entries()
    return {
        "Entry": {**entry(), "examples": entries},
        "EntryPage": page_of("Entry", *entries),
        "TrialBalance": {**trial_balance(), "examples": [ledger.trial_balance()]},
    }


def words(description: str) -> Schema:
    """Describe the words of who acted."""
    return {"type": "string", "maxLength": 255, "description": description}


def currency(description: str) -> Schema:
    """Describe a currency."""
    return {"type": "string", "pattern": CURRENCY, "description": description}


def entry() -> Schema:
    """Describe an entry as it goes out."""
    always: Schema = {
        "id": identifier(identifiers.TRANSFER, "The transfer's id."),
        "amount": {**INTEGER, "description": "By how much it changed what is owed; positive raises it."},
        "total_after": {**INTEGER, "description": "What was owed after it; negative is a credit."},
        "currency": currency("The currency of both."),
        "cause": {"type": "string", "enum": list(Cause), "description": "Why it was made."},
    }
    optional: Schema = {
        "payment_id": identifier(identifiers.PAYMENT, "Of the payment that it is of, or that it takes back."),
        "refund_id": identifier(identifiers.REFUND, "Of the refund that it is of."),
        "reversal_id": identifier(identifiers.REVERSAL, "Of the reversal that it is of."),
        "allocation_id": identifier(identifiers.ALLOCATION, "Of the allocation that it is of."),
        "move_id": identifier(identifiers.MOVE, "Of the move that it is of."),
        "charge_id": identifier(identifiers.CHARGE, "Of the charge that it is of, or that it undoes."),
        "credit_id": identifier(identifiers.CREDIT, "Of the credit that it is of, or that it undoes."),
        "actor": words("Who acted: the `Owed-Actor` of the request."),
        "reason": words("Why: the `Owed-Reason` of the request."),
    }
    times = {"occurred_at": moment("When it happened."), "recorded_at": moment("When it was recorded here.")}
    return objects(
        {**always, **optional, **times},
        (*always, *times),
        "One change to what is owed on an object: a transfer of the ledger, which never changes.",
    )


def trial_balance() -> Schema:
    """Describe the trial balance as it goes out."""
    account: Schema = {
        "account": {"type": "string", "description": "The account of the ledger; that of a channel is `clearing:…`."},
        "currency": currency("In which currency."),
        "debits": {**INTEGER, "description": "All that it was debited."},
        "credits": {**INTEGER, "description": "All that it was credited."},
        "total": {**INTEGER, "description": "Debits less credits."},
    }
    line = objects(account, tuple(account), "What one account comes to in one currency.")
    members: Schema = {
        "as_of": moment("Of what time it is."),
        "data": {"type": "array", "items": line, "description": "A line for each account and currency, sorted."},
    }
    return objects(members, tuple(members), "The trial balance: what every account of the ledger comes to.")
