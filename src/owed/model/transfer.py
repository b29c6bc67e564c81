"""A transfer: one change to what is owed, between two accounts of the ledger."""

from datetime import datetime
from enum import StrEnum

import msgspec


class LedgerAccount(StrEnum):
    """The chart of accounts, as far as anything posts to it. Clearing has an account for each channel, too."""

    RECEIVABLE = "receivable"
    OPENING_EQUITY = "opening_equity"
    BALANCE_REPLACEMENT = "balance_replacement"
    BILLED = "billed"
    EXTERNAL_RECEIPTS = "external_receipts"
    CLEARING = "clearing"
    REFUNDS_PAYABLE = "refunds_payable"
    UNALLOCATED = "unallocated"
    REALLOCATION = "reallocation"
    CREDIT_NOTES = "credit_notes"
    DISCOUNTS = "discounts"
    BAD_DEBT = "bad_debt"
    PASSED_ON = "passed_on"


class Cause(StrEnum):
    """Why a transfer was made (contract, section 6)."""

    OPENING = "opening"
    BALANCE_SET = "balance_set"
    BILL_RAISED = "bill_raised"
    CORRECTION = "correction"
    CURRENCY_CHANGED = "currency_changed"
    VOID = "void"
    PAYMENT = "payment"
    REFUND = "refund"
    REVERSAL = "reversal"
    ALLOCATION = "allocation"
    MOVE = "move"
    CHARGE = "charge"
    CREDIT = "credit"
    CREDIT_NOTE = "credit_note"
    DISCOUNT = "discount"
    WRITE_OFF = "write_off"
    PASSED_ON = "passed_on"


class Transfer(msgspec.Struct, frozen=True):
    """One line of the ledger, appended and never changed.

    Attributes:
        version: The transfer's place on its obligation, from 1, without gaps.
        amount: Minor units. Positive raises what is owed; negative lowers it.
        total_after: What is owed on the obligation once this transfer stands.
        debit: The account of the ledger that it debits; one of a channel is `clearing:<channel>`.
        attribution_digest: A salted digest of who did it and why, so that erasing the words breaks no chain.
        payment_id: Of the payment that it is of, or that it takes back.
        taken_back_id: Of the refund or reversal that it is of.
        document_id: Of the allocation, move, charge or credit that it is of.
        hash: Over this transfer and its predecessor on the same obligation.
    """

    tenant_id: int
    obligation_id: str
    version: int
    id: str
    amount: int
    currency: str
    total_after: int
    debit: str
    credit: str
    cause: Cause
    key_id: str
    attribution_id: str | None
    attribution_digest: bytes | None
    occurred_at: datetime
    recorded_at: datetime
    payment_id: str | None = None
    taken_back_id: str | None = None
    document_id: str | None = None
    hash: bytes = b""
