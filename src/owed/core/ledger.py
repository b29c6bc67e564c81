"""The ledger: which accounts a transfer moves between, and the chain that nobody can rewrite unseen."""

import hashlib
from datetime import datetime
from typing import NamedTuple

import msgspec

from owed.model.identifiers import PAYMENT
from owed.model.transfer import Cause, LedgerAccount, Transfer

RECEIVABLE, CLEARING = LedgerAccount.RECEIVABLE.value, LedgerAccount.CLEARING.value
UNALLOCATED = LedgerAccount.UNALLOCATED.value

OTHER_SIDE = {
    Cause.OPENING: LedgerAccount.OPENING_EQUITY.value,
    Cause.BALANCE_SET: LedgerAccount.BALANCE_REPLACEMENT.value,
    Cause.BILL_RAISED: LedgerAccount.BILLED.value,
    Cause.CORRECTION: LedgerAccount.EXTERNAL_RECEIPTS.value,
    Cause.CURRENCY_CHANGED: LedgerAccount.BILLED.value,
    Cause.VOID: LedgerAccount.BILLED.value,
    Cause.PAYMENT: LedgerAccount.CLEARING.value,
    Cause.REFUND: LedgerAccount.REFUNDS_PAYABLE.value,
    Cause.REVERSAL: LedgerAccount.CLEARING.value,
    Cause.ALLOCATION: LedgerAccount.REALLOCATION.value,
    Cause.MOVE: LedgerAccount.REALLOCATION.value,
    Cause.CHARGE: LedgerAccount.BILLED.value,
    Cause.CREDIT: LedgerAccount.BILLED.value,
    Cause.CREDIT_NOTE: LedgerAccount.CREDIT_NOTES.value,
    Cause.DISCOUNT: LedgerAccount.DISCOUNTS.value,
    Cause.WRITE_OFF: LedgerAccount.BAD_DEBT.value,
    Cause.PASSED_ON: LedgerAccount.PASSED_ON.value,
}
"""For each cause, the account that stands against that of the obligation (docs/architecture.md, "Data")."""


class Source(NamedTuple):
    """Where a transfer comes from.

    Attributes:
        payment_id: Of the payment that it is of, or that it takes back.
        occurred_at: When it happened; None: as it is recorded.
        taken_back_id: Of the refund or reversal, where it takes back.
        document_id: Of the allocation, move, charge or credit.
    """

    cause: Cause
    payment_id: str | None = None
    channel: str | None = None
    occurred_at: datetime | None = None
    taken_back_id: str | None = None
    document_id: str | None = None


def sides(cause: Cause, amount: int, channel: str | None = None, own: str = RECEIVABLE) -> tuple[str, str]:
    """Give the account to debit and the account to credit; what lowers a debt turns them round.

    Args:
        own: The account of the obligation.
    """
    other = account_of(cause, channel)
    return (own, other) if amount >= 0 else (other, own)


def own_account(obligation_id: str) -> str:
    """Give the account that an obligation is part of: what of a payment is applied to nothing, the merchant owes."""
    return UNALLOCATED if obligation_id.startswith(PAYMENT) else RECEIVABLE


def account_of(cause: Cause, channel: str | None) -> str:
    """Give the account that stands against that of the obligation: the money of each channel is cleared apart."""
    other = OTHER_SIDE[cause]
    return f"{other}:{channel}" if channel and other == CLEARING else other


def sealed(transfer: Transfer, previous: bytes) -> Transfer:
    """Give the transfer with its hash, which covers every member of it and the hash of its predecessor."""
    return msgspec.structs.replace(transfer, hash=seal(transfer, previous))


def seal(transfer: Transfer, previous: bytes) -> bytes:
    """Hash a transfer onto the chain of its obligation.

    Args:
        transfer: Its own `hash` is left out of account.
        previous: The hash of the transfer before it, empty for the first.
    """
    members = msgspec.structs.astuple(transfer)[:-1]
    if transfer.document_id is None:  # as it was sealed before there were any, and before there were payments
        members = members[:-1] if transfer.payment_id or transfer.taken_back_id else members[:-3]
    return hashlib.sha256(previous + msgspec.json.encode(members)).digest()
