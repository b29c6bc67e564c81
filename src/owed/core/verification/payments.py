"""Payments against the ledger: each has exactly the transfers that it says, and is taken back by what took it back.

Payments are found in the order of their ids, and their transfers in that of obligations. To compare them without
keeping millions of them, each side is a sum of amounts, each times a number that stands for what it is of: a hash,
which nobody can foresee, since each process has its own. Where the sums agree, so do the sides; where they do not, the
few payments that share the sum are compared one by one.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import NamedTuple, Protocol

from owed.core.ledger import account_of, own_account
from owed.core.verification.broken import Broken
from owed.core.verification.rows import COUNTED, DocumentRow, PaymentRow, faults_of_document, faults_of_payment
from owed.model.identifiers import id_at, milliseconds
from owed.model.payment import Application
from owed.model.payment_document import Share
from owed.model.reallocation import Allocation, Move
from owed.model.taken_back import Refund, Reversal
from owed.model.transfer import Cause, Transfer

SUMS = 4096
"""How many sums there are: of five million payments, 1,200 share one."""

CAUSES = {
    Refund.kind: Cause.REFUND,
    Reversal.kind: Cause.REVERSAL,
    Allocation.kind: Cause.ALLOCATION,
    Move.kind: Cause.MOVE,
}

TOTAL_AFTER = "total_after"
"""The member of a charge or a credit that says what was owed once it stood."""


class Line(NamedTuple):
    """What an amount is of.

    Attributes:
        document_id: The payment, refund, reversal, allocation or move that says so.
        part: The obligation that it is on; or what of the payment follows from what changed it.
        account: Of the ledger, against that of the obligation; empty where it is no transfer.
        occurred_at: When that happened; None where it is no transfer.
    """

    payment_id: str
    document_id: str
    part: str
    currency: str
    account: str
    occurred_at: datetime | None = None


class Sides(Protocol):
    """Where both sides are added up: what is said, and what is found to be so."""

    def say(self, line: Line, amount: int) -> None:
        """Take in an amount that a payment, refund or reversal says."""

    def find(self, line: Line, amount: int, transfer: Transfer | None = None) -> None:
        """Take in an amount that bears it out."""


class Sums:
    """Both sides of all payments, in a fixed room."""

    def __init__(self) -> None:
        self._sums = [0] * SUMS

    def say(self, line: Line, amount: int) -> None:
        """Take in an amount that a payment, refund or reversal says."""
        self._sums[hash(line.payment_id) % SUMS] += weight(line) * amount

    def find(self, line: Line, amount: int, transfer: Transfer | None = None) -> None:
        """Take in an amount that bears it out."""
        self._sums[hash(line.payment_id) % SUMS] -= weight(line) * amount

    def differing(self) -> list[int]:
        """List the sums whose sides differ."""
        return [number for number, total in enumerate(self._sums) if total]


def weight(line: Line) -> int:
    """Give the number that stands for a line.

    It is squared: tuples that differ in their last member alone often have hashes that differ by just as much as those
    of two others, and what comes and goes again elsewhere would not show.
    """
    number = hash(line)
    return number * number


class Exactly:
    """Both sides of the payments of some sums, one by one."""

    def __init__(self, sums: Collection[int]) -> None:
        self._sums = frozenset(sums)
        self._said: Counter[Line] = Counter()
        self._found: Counter[Line] = Counter()
        self._transfers: dict[Line, Transfer] = {}

    def say(self, line: Line, amount: int) -> None:
        """Take in an amount that a payment, refund or reversal says."""
        if hash(line.payment_id) % SUMS in self._sums:
            self._said[line] += amount

    def find(self, line: Line, amount: int, transfer: Transfer | None = None) -> None:
        """Take in an amount that bears it out."""
        if hash(line.payment_id) % SUMS in self._sums:
            self._found[line] += amount
            if transfer is not None:
                self._transfers[line] = transfer

    def faults(self) -> Iterator[Broken]:
        """Yield what differs: first what is not there at all, and where a transfer shows it."""
        there = {line.document_id for line in self._said}
        differing = [line for line in {*self._said, *self._found} if self._said[line] != self._found[line]]
        for line in sorted(differing, key=lambda line: (line.document_id in there, not line.account, line)):
            yield self._fault(line) if line.document_id in there else self._missing(line)

    def _missing(self, line: Line) -> Broken:
        if transfer := self._transfers.get(line):
            sentence = f"it is of {line.document_id}, which is not there"
            return Broken(sentence, transfer.obligation_id, transfer.version, transfer.id)
        return Broken("it is not there, and something changed it", line.document_id)

    def _fault(self, line: Line) -> Broken:
        said, found = self._said[line], self._found[line]
        if not line.account:
            by = "its transfer" if line.part == TOTAL_AFTER else "what changed it since"
            return Broken(f"{line.part} is {said}, and by {by} {found}", line.document_id)
        happened, transferred = time_of(line, self._said), time_of(line, self._found)
        if happened and transferred and happened != transferred:
            times = f"it happened at {happened}, and by its transfer on {line.part} at {transferred}"
            return Broken(times, line.document_id)
        transfers = f"its transfers there, against {line.account}, come to {found} {line.currency}"
        return Broken(f"on {line.part} it comes to {said}, and {transfers}", line.document_id)


class Payments:
    """The payments of one tenant, with all that changed them, and their transfers.

    Each line of a transfer names its account, so that what was cleared is what was paid less what was reversed.

    Args:
        before: Only what was made before is compared: then all of it is there, whichever side is read first.
    """

    def __init__(self, sides: Sides, before: datetime) -> None:
        self._sides = sides
        self._end = id_at("", milliseconds(before))

    def say_payment(self, row: PaymentRow) -> None:
        """Take in what a payment says, as it stood at the time.

        Raises:
            Broken: It contradicts itself.
        """
        for fault in faults_of_payment(row):
            raise Broken(fault, row.id)
        self._say_applied(row)
        for each in row.applications:
            if each.document_id is not None:
                self._sides.say(made_of(row.id, each.document_id, each, row.currency), each.amount)
            if each.taken_back:
                self._sides.say(taken_back_of(row.id, each.id, row.currency), each.taken_back)
        if row.amount_refunded:
            self._sides.say(counted(row.id, Refund.kind, row.currency), row.amount_refunded)
        if row.amount_reversed:
            self._sides.say(counted(row.id, Reversal.kind, row.currency), row.amount_reversed)
        for later in row.later:
            self._find_document(later)

    def _say_applied(self, row: PaymentRow) -> None:
        """Take in where a payment's money went as it was made, and what of it went nowhere."""
        account, aside = account_of(Cause.PAYMENT, row.channel), row.amount
        for each in row.applications:
            if each.document_id is None:
                self._sides.say(Line(row.id, row.id, each.object_id, row.currency, account, row.paid_at), -each.amount)
                aside -= each.amount
        if aside:
            self._sides.say(Line(row.id, row.id, row.id, row.currency, account, row.paid_at), -aside)

    def say_document(self, row: DocumentRow) -> None:
        """Take in what changed a payment.

        Raises:
            Broken: It contradicts itself.
        """
        for fault in faults_of_document(row):
            raise Broken(fault, row.id)
        account = account_of(CAUSES[row.kind], row.channel)
        parts = [(share.object_id, share.amount) for share in row.taken]
        parts += [(share.object_id, -share.amount) for share in row.given]
        for part, amount in (*parts, (row.payment_id, row.of_unallocated)):
            if amount:
                line = Line(row.payment_id, row.id, part, row.currency, account, row.occurred_at)
                self._sides.say(line, amount)
        self._find_document(row)

    def find_transfer(self, transfer: Transfer) -> None:
        """Take in a transfer, if it is of a payment."""
        if transfer.payment_id is None or transfer.cause == Cause.PASSED_ON:
            return
        document_id = transfer.document_id or transfer.taken_back_id or transfer.payment_id
        if document_id.partition("_")[2] < self._end:
            own = own_account(transfer.obligation_id)
            account = transfer.credit if transfer.debit == own else transfer.debit
            obligation_id, occurred_at = transfer.obligation_id, transfer.occurred_at
            line = Line(transfer.payment_id, document_id, obligation_id, transfer.currency, account, occurred_at)
            self._sides.find(line, transfer.amount, transfer)

    def _find_document(self, row: DocumentRow) -> None:
        """Take in what follows of the payment from what changed it."""
        if row.kind in COUNTED:
            self._sides.find(counted(row.payment_id, row.kind, row.currency), row.amount)
        for share in row.taken:
            self._sides.find(taken_back_of(row.payment_id, share.id, row.currency), share.amount)
        for share in row.given:
            self._sides.find(made_of(row.payment_id, row.id, share, row.currency), share.amount)


def time_of(line: Line, side: Iterable[Line]) -> datetime | None:
    """Give when one side has it happen, whatever the time of the line; None where it does not."""
    return next((each.occurred_at for each in side if each[:-1] == line[:-1]), None)


def counted(payment_id: str, kind: str, currency: str) -> Line:
    """Give the line of what a payment counts as refunded, or as reversed."""
    return Line(payment_id, payment_id, COUNTED[kind], currency, "")


def taken_back_of(payment_id: str, application_id: str, currency: str) -> Line:
    """Give the line of what was taken back of an application."""
    return Line(payment_id, payment_id, f"what was taken back of {application_id}", currency, "")


def made_of(payment_id: str, document_id: str, made: Application | Share, currency: str) -> Line:
    """Give the line of what an allocation or a move applied."""
    return Line(payment_id, payment_id, f"{made.id} of {document_id}, on {made.object_id},", currency, "")
