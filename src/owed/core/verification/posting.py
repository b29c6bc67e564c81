"""Posting: what must fit together in a transfer, whatever came before it."""

from functools import lru_cache
from typing import NamedTuple

from owed.core.ledger import OTHER_SIDE
from owed.model.identifiers import CHARGE, CREDIT, REFUND, REVERSAL
from owed.model.transfer import Cause, LedgerAccount, Transfer

RECEIVABLE = LedgerAccount.RECEIVABLE
TAKING_BACK = {Cause.REFUND: REFUND, Cause.REVERSAL: REVERSAL}
"""The causes of what takes a payment back, and the prefixes of its ids."""

CREDITING = frozenset({Cause.CREDIT_NOTE, Cause.DISCOUNT, Cause.WRITE_OFF})
"""The causes of the credits on bills."""

ADJUSTING = frozenset({Cause.CHARGE, Cause.CREDIT, *CREDITING})
"""The causes of charges and credits."""

DOCUMENTS = {cause: CHARGE if cause is Cause.CHARGE else CREDIT for cause in ADJUSTING}
"""The causes of what has a document of its own, and the prefixes of its ids."""

OF_PAYMENTS = frozenset({Cause.PAYMENT, *TAKING_BACK})
RAISING = frozenset({Cause.BILL_RAISED, *TAKING_BACK})
LOWERING = frozenset({Cause.PAYMENT, Cause.VOID})


class Posting(NamedTuple):
    """What must fit together in a transfer by itself.

    Attributes:
        sign: Of its amount.
        taken_back: The prefix of the id of what takes back, where there is one.
        document: The prefix of the id of the document, where there is one.
    """

    cause: str
    sign: int
    debit: str
    credit: str
    is_of_payment: bool
    taken_back: str | None
    document: str | None


def posting_of(transfer: Transfer) -> Posting:
    """Give the posting of a transfer."""
    sign = (transfer.amount > 0) - (transfer.amount < 0)
    taken_back = transfer.taken_back_id and transfer.taken_back_id[:4]
    document = transfer.document_id and transfer.document_id[:4]
    is_of_payment = transfer.payment_id is not None
    return Posting(transfer.cause, sign, transfer.debit, transfer.credit, is_of_payment, taken_back, document)


@lru_cache(maxsize=10_000)
def posting_fault(posting: Posting) -> str | None:
    """Say what does not fit together, if anything: there are few postings, and millions of transfers."""
    cause, sign, debit, credit, is_of_payment, taken_back, document = posting
    if cause not in OTHER_SIDE:
        return f"its cause is {cause!r}, and there is no such cause"
    other = credit if sign >= 0 else debit
    if not is_other_side(Cause(cause), other) or (debit if sign >= 0 else credit) != RECEIVABLE:
        return f"it debits {debit} and credits {credit}, which does not fit its cause, {cause}, and its amount"
    if (cause in RAISING and sign <= 0) or (cause in LOWERING and sign >= 0):
        return f"the sign of its amount does not fit its cause, {cause}"
    if is_of_payment != (cause in OF_PAYMENTS) or taken_back != TAKING_BACK.get(Cause(cause)):
        return f"its payment_id and its taken_back_id do not fit its cause, {cause}"
    if document != DOCUMENTS.get(Cause(cause)):
        return f"its document_id does not fit its cause, {cause}"
    return None


def effect_of(cause: Cause, amount: int) -> int:
    """Give what a charge of an amount raises what is owed by, or a credit lowers it by; it is its own inverse."""
    return amount if cause is Cause.CHARGE else -amount


def is_other_side(cause: Cause, account: str) -> bool:
    """Tell whether an account may stand against the receivable; each channel's money is cleared apart."""
    usual = OTHER_SIDE[cause]
    return account == usual or (usual == LedgerAccount.CLEARING and account.startswith(f"{usual}:"))
