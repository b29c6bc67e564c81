"""The chain of one obligation: its transfers, and what its object says of them."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from owed.core.ledger import UNALLOCATED, own_account, seal
from owed.core.verification.broken import Broken
from owed.core.verification.posting import CREDITING, OF_PAYMENTS, posting_fault, posting_of
from owed.model.bill import BillStatus
from owed.model.transfer import Cause, Transfer

NEVER = datetime.min.replace(tzinfo=UTC)
NOTHING = Transfer(0, "", 0, "", 0, "", 0, "", "", Cause.OPENING, "", None, None, NEVER, NEVER)
"""What stands before the first transfer of an obligation."""


class Head(NamedTuple):
    """What an object says of its obligation, and so of the last of its transfers.

    Attributes:
        is_tracked: None for a bill and for unallocated money; and what only a bill has is None for the others.
    """

    id: str
    currency: str | None
    total: int
    version: int
    hash: bytes
    recorded_at: datetime | None
    is_tracked: bool | None = None
    amount_due: int | None = None
    amount_paid: int | None = None
    amount_received: int | None = None
    amount_credited: int | None = None
    status: str | None = None


class Chain:
    """The transfers of one obligation, from the first on, as far as they have been read."""

    def __init__(self, head: Head) -> None:
        self.head = head
        self.last = NOTHING
        self.moved: Counter[str] = Counter()
        """By cause."""

    def add(self, transfer: Transfer) -> None:
        """Take in the next transfer.

        Raises:
            Broken: It does not follow from the one before it, or is not what was sealed.
        """
        for fault in self._faults(transfer):
            raise Broken(fault, transfer.obligation_id, transfer.version, transfer.id)
        self.moved[transfer.cause] += transfer.amount
        self.last = transfer

    def end(self) -> None:
        """Compare what the object says with the transfers up to its version.

        Raises:
            Broken: It says something else.
        """
        for fault in self._faults_of_head():
            raise Broken(fault, self.head.id, self.last.version or None, self.last.id)

    def _faults(self, transfer: Transfer) -> Iterator[str]:
        last = self.last
        if transfer.version != last.version + 1:
            yield f"the transfer with version {last.version + 1} is missing"
        if transfer.total_after != last.total_after + transfer.amount:
            due = last.total_after + transfer.amount
            yield f"its total_after is {transfer.total_after}, and with its amount, {transfer.amount}, it must be {due}"
        if transfer.recorded_at <= last.recorded_at:
            yield f"it was recorded at {transfer.recorded_at}, which is not after the transfer before it"
        if transfer.currency != last.currency and not self._may_change_currency(transfer):
            yield f"it is in {transfer.currency}, and the transfer before it in {last.currency}"
        yield from self._faults_of_posting(transfer)
        if transfer.hash != seal(transfer, last.hash):
            yield "its hash is not that of its contents and of the transfer before it"

    def _faults_of_posting(self, transfer: Transfer) -> Iterator[str]:
        """Yield what is wrong with a transfer by itself, or by what it may do to what stands before it."""
        if fault := posting_fault(posting_of(transfer)):
            yield fault
        if transfer.total_after > 0 and own_account(transfer.obligation_id) == UNALLOCATED:
            yield f"it takes {transfer.total_after} more than there is of unallocated money"
        if transfer.cause == Cause.PASSED_ON and not passes_on(transfer, self.last):
            yield "it does not take back just what the transfer before it did"

    def _may_change_currency(self, transfer: Transfer) -> bool:
        """Tell whether another currency may begin: with the first transfer, or with a bill's that owes nothing now."""
        last = self.last
        return last is NOTHING or (transfer.cause == Cause.CURRENCY_CHANGED and last.total_after == 0)

    def _faults_of_head(self) -> Iterator[str]:
        head, last = self.head, self.last
        if head.version != last.version:
            yield f"the object counts {head.version} transfers, and those after version {last.version} are missing"
        if head.total != last.total_after:
            yield f"the object's total is {head.total}, and its transfers come to {last.total_after}"
        if head.hash != last.hash:
            yield "the object's hash is not that of its last transfer"
        if head.recorded_at != (last.recorded_at if last.version else None):
            yield "the object does not say when its last transfer was recorded"
        if last.version and head.currency != last.currency:
            yield f"the object's currency is {head.currency}, and that of its last transfer {last.currency}"
        if head.status is not None:
            yield from self._faults_of_bill(head.status)
        elif head.is_tracked is not None:
            yield from self._faults_of_balance()

    def _faults_of_balance(self) -> Iterator[str]:
        if self.head.is_tracked != (Cause.OPENING in self.moved):
            says = "tracks" if self.head.is_tracked else "does not track"
            yield f"the object {says} a balance, which its transfers contradict"

    def _faults_of_bill(self, status: str) -> Iterator[str]:
        """Yield where a bill says something else than its transfers: each of its amounts follows from them."""
        head, moved = self.head, self.moved
        received = -sum(moved[cause] for cause in OF_PAYMENTS)
        credited = -sum(moved[cause] for cause in CREDITING)
        due, paid = moved[Cause.BILL_RAISED], received + credited - moved[Cause.CORRECTION]
        expected = {"amount_due": due, "amount_paid": paid, "amount_received": received, "amount_credited": credited}
        for name, amount in expected.items():
            if getattr(head, name) != amount:
                yield f"the bill's {name} is {getattr(head, name)}, and by its transfers it is {amount}"
        unvoided = BillStatus.PAID if paid >= due else BillStatus.UNPAID
        if status != (should := BillStatus.VOIDED if Cause.VOID in moved else unvoided):
            yield f"the bill's status is {status}, and by its transfers it is {should}"
        if head.total != (owed := 0 if status == BillStatus.VOIDED else due - paid):
            yield f"the bill's total is {head.total}, and by its amounts it is {owed}"


def passes_on(transfer: Transfer, last: Transfer) -> bool:
    """Tell whether a transfer takes back at once what the one before it did, so that a balance stays."""
    return last.cause in OF_PAYMENTS and said_of(transfer, -transfer.amount) == said_of(last, last.amount)


def said_of(transfer: Transfer, amount: int) -> tuple[object, ...]:
    """Give what a transfer that was passed on says, and what passes it on says too, of the opposite amount."""
    return amount, transfer.payment_id, transfer.taken_back_id, transfer.document_id, transfer.occurred_at
