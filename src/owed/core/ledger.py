"""The ledger: which accounts a transfer moves between, and the chain that nobody can rewrite unseen."""

import hashlib

import msgspec

from owed.model.transfer import Cause, LedgerAccount, Transfer

OTHER_SIDE = {
    Cause.OPENING: LedgerAccount.OPENING_EQUITY,
    Cause.BALANCE_SET: LedgerAccount.BALANCE_REPLACEMENT,
    Cause.BILL_RAISED: LedgerAccount.BILLED,
    Cause.CORRECTION: LedgerAccount.EXTERNAL_RECEIPTS,
    Cause.CURRENCY_CHANGED: LedgerAccount.BILLED,
    Cause.VOID: LedgerAccount.BILLED,
}
"""For each cause, the account that stands against the receivable (docs/architecture.md, "Data")."""


def sides(cause: Cause, amount: int) -> tuple[LedgerAccount, LedgerAccount]:
    """Give the account to debit and the account to credit; what lowers a debt turns them round."""
    other = OTHER_SIDE[cause]
    return (LedgerAccount.RECEIVABLE, other) if amount >= 0 else (other, LedgerAccount.RECEIVABLE)


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
    return hashlib.sha256(previous + msgspec.json.encode(members)).digest()
