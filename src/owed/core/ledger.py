"""The ledger: which accounts a transfer moves between, and the chain that nobody can rewrite unseen."""

import hashlib
from typing import NamedTuple

import msgspec

from owed.model.transfer import Cause, LedgerAccount, Transfer

OTHER_SIDE = {
    Cause.OPENING: LedgerAccount.OPENING_EQUITY,
    Cause.BALANCE_SET: LedgerAccount.BALANCE_REPLACEMENT,
    Cause.BILL_RAISED: LedgerAccount.BILLED,
    Cause.CORRECTION: LedgerAccount.EXTERNAL_RECEIPTS,
    Cause.CURRENCY_CHANGED: LedgerAccount.BILLED,
    Cause.VOID: LedgerAccount.BILLED,
    Cause.PAYMENT: LedgerAccount.CLEARING,
    Cause.REFUND: LedgerAccount.REFUNDS_PAYABLE,
    Cause.REVERSAL: LedgerAccount.CLEARING,
}
"""For each cause, the account that stands against the receivable (docs/architecture.md, "Data")."""


class Source(NamedTuple):
    """The payment that a transfer is of, or that it takes back.

    Attributes:
        taken_back_id: Of the refund or reversal, where it takes back.
    """

    payment_id: str
    channel: str | None
    taken_back_id: str | None = None


def sides(cause: Cause, amount: int, channel: str | None = None) -> tuple[str, str]:
    """Give the account to debit and the account to credit; what lowers a debt turns them round."""
    other = account_of(cause, channel)
    return (LedgerAccount.RECEIVABLE.value, other) if amount >= 0 else (other, LedgerAccount.RECEIVABLE.value)


def account_of(cause: Cause, channel: str | None) -> str:
    """Give the account that stands against the receivable: the money of each channel is cleared apart."""
    other = OTHER_SIDE[cause].value
    return f"{other}:{channel}" if channel and other == LedgerAccount.CLEARING else other


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
    if transfer.payment_id is None and transfer.taken_back_id is None:
        members = members[:-2]  # as it was sealed before there were payments
    return hashlib.sha256(previous + msgspec.json.encode(members)).digest()
