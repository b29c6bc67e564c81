"""Posting: what must fit together in a transfer, whatever came before it."""

from functools import lru_cache
from typing import NamedTuple

from owed.core.ledger import OTHER_SIDE, own_account
from owed.model.identifiers import ALLOCATION, CHARGE, CREDIT, MOVE, REFUND, REVERSAL
from owed.model.transfer import Cause, LedgerAccount, Transfer

RECEIVABLE, UNALLOCATED = LedgerAccount.RECEIVABLE, LedgerAccount.UNALLOCATED
TAKING_BACK = {Cause.REFUND: REFUND, Cause.REVERSAL: REVERSAL}
"""The causes of what takes a payment back, and the prefixes of its ids."""

REALLOCATING = {Cause.ALLOCATION: ALLOCATION, Cause.MOVE: MOVE}
"""The causes of what takes money of a payment elsewhere, and the prefixes of its ids."""

CREDITING = frozenset({Cause.CREDIT_NOTE, Cause.DISCOUNT, Cause.WRITE_OFF})
"""The causes of the credits on bills."""

ADJUSTING = frozenset({Cause.CHARGE, Cause.CREDIT, *CREDITING})
"""The causes of charges and credits."""

DOCUMENTS = {cause: CHARGE if cause is Cause.CHARGE else CREDIT for cause in ADJUSTING} | REALLOCATING
"""The causes of what has a document of its own, and the prefixes of its ids."""

OF_PAYMENTS = frozenset({Cause.PAYMENT, *TAKING_BACK, *REALLOCATING})
RAISING = frozenset({Cause.BILL_RAISED, *TAKING_BACK})
LOWERING = frozenset({Cause.PAYMENT, Cause.VOID})


class Posting(NamedTuple):
    """What must fit together in a transfer by itself.

    Attributes:
        sign: Of its amount.
        taken_back: The prefix of the id of what takes back, where there is one.
        document: The prefix of the id of the allocation, move, charge or credit, where there is one.
        own: The account that its obligation is part of.
    """

    cause: str
    sign: int
    debit: str
    credit: str
    is_of_payment: bool
    taken_back: str | None
    document: str | None = None
    own: str = RECEIVABLE


def posting_of(transfer: Transfer) -> Posting:
    """Give the posting of a transfer."""
    sign = (transfer.amount > 0) - (transfer.amount < 0)
    return Posting(
        transfer.cause,
        sign,
        transfer.debit,
        transfer.credit,
        transfer.payment_id is not None,
        transfer.taken_back_id and transfer.taken_back_id[:4],
        transfer.document_id and transfer.document_id[:4],
        own_account(transfer.obligation_id),
    )


@lru_cache(maxsize=10_000)
def posting_fault(posting: Posting) -> str | None:
    """Say what does not fit together, if anything: there are few postings, and millions of transfers."""
    if posting.cause not in OTHER_SIDE:
        return f"its cause is {posting.cause!r}, and there is no such cause"
    cause, debit, credit = Cause(posting.cause), posting.debit, posting.credit
    own, other = (debit, credit) if posting.sign >= 0 else (credit, debit)
    if own != posting.own or not is_other_side(cause, other):
        return f"it debits {debit} and credits {credit}, which does not fit its cause, {cause}, and its amount"
    if own == UNALLOCATED and cause not in OF_PAYMENTS:
        return f"it is on unallocated money, which does not fit its cause, {cause}"
    if not sign_fits(cause, posting.sign, own):
        return f"the sign of its amount does not fit its cause, {cause}"
    if not ids_fit(cause, posting):
        return f"its payment_id, its taken_back_id and its document_id do not fit its cause, {cause}"
    return None


def sign_fits(cause: Cause, sign: int, own: str) -> bool:
    """Tell whether the sign of an amount fits: money that is reallocated leaves the one and comes to the other."""
    if cause is Cause.ALLOCATION:
        return sign == (1 if own == UNALLOCATED else -1)
    if cause is Cause.MOVE:
        return sign == -1 or (sign == 1 and own == RECEIVABLE)
    return not ((cause in RAISING and sign <= 0) or (cause in LOWERING and sign >= 0))


def ids_fit(cause: Cause, posting: Posting) -> bool:
    """Tell whether a transfer is of what its cause says. One that is passed on is of what it takes back."""
    given = posting.is_of_payment, posting.taken_back, posting.document
    causes = OF_PAYMENTS if cause is Cause.PASSED_ON else (cause,)
    return given in map(ids_of, causes)


def ids_of(cause: Cause) -> tuple[bool, str | None, str | None]:
    """Tell whether what has a cause is of a payment, and give the prefixes of what takes back, and of the document."""
    return cause in OF_PAYMENTS, TAKING_BACK.get(cause), DOCUMENTS.get(cause)


def effect_of(cause: Cause, amount: int) -> int:
    """Give what a charge of an amount raises what is owed by, or a credit lowers it by; it is its own inverse."""
    return amount if cause is Cause.CHARGE else -amount


def is_other_side(cause: Cause, account: str) -> bool:
    """Tell whether an account may stand against the obligation's own; each channel's money is cleared apart."""
    usual = OTHER_SIDE[cause]
    return account == usual or (usual == LedgerAccount.CLEARING and account.startswith(f"{usual}:"))
