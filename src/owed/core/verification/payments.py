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

from owed.core.ledger import account_of
from owed.core.verification.broken import Broken
from owed.model.identifiers import id_at, milliseconds
from owed.model.payment import Application
from owed.model.taken_back import Refund, Reversal, Share
from owed.model.transfer import Cause, LedgerAccount, Transfer

SUMS = 4096
"""How many sums there are: of five million payments, 1,200 share one."""

CAUSES = {Refund.kind: Cause.REFUND, Reversal.kind: Cause.REVERSAL}
COUNTED = {Refund.kind: "amount_refunded", Reversal.kind: "amount_reversed"}
"""The members of a payment that count what was taken back."""

TOTAL_AFTER = "total_after"
"""The member of a charge or a credit that says what was owed once it stood."""


class Line(NamedTuple):
    """What an amount is of.

    Attributes:
        document_id: The payment, refund or reversal that says so.
        part: The obligation that it is on; or the member of the payment that counts what was taken back.
        account: Of the ledger, against the receivable; empty where it is no transfer.
        occurred_at: When that happened; None where it is no transfer.
    """

    payment_id: str
    document_id: str
    part: str
    currency: str
    account: str
    occurred_at: datetime | None = None


class PaymentRow(NamedTuple):
    """What a payment says.

    Attributes:
        later: What took of it back after the time up to which payments are compared.
    """

    id: str
    amount: int
    currency: str
    channel: str | None
    paid_at: datetime
    applications: tuple[Application, ...]
    amount_refunded: int
    amount_reversed: int
    later: tuple["TakenBackRow", ...] = ()


class TakenBackRow(NamedTuple):
    """What a refund or a reversal says, and the channel of its payment.

    Attributes:
        channel: As `occurred_at`, it is read where its transfers are compared.
    """

    id: str
    kind: str
    payment_id: str
    amount: int
    currency: str
    applications: tuple[Share, ...]
    channel: str | None = None
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
        self._sums[hash(line.payment_id) % SUMS] += hash(line) * amount

    def find(self, line: Line, amount: int, transfer: Transfer | None = None) -> None:
        """Take in an amount that bears it out."""
        self._sums[hash(line.payment_id) % SUMS] -= hash(line) * amount

    def differing(self) -> list[int]:
        """List the sums whose sides differ."""
        return [number for number, total in enumerate(self._sums) if total]


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
        return Broken("it is not there, and something took of it back", line.document_id)

    def _fault(self, line: Line) -> Broken:
        said, found = self._said[line], self._found[line]
        if not line.account:
            by = "its transfer" if line.part == TOTAL_AFTER else "its refunds and reversals"
            return Broken(f"{line.part} is {said}, and by {by} {found}", line.document_id)
        happened, transferred = time_of(line, self._said), time_of(line, self._found)
        if happened and transferred and happened != transferred:
            times = f"it happened at {happened}, and by its transfer on {line.part} at {transferred}"
            return Broken(times, line.document_id)
        transfers = f"its transfers there, against {line.account}, come to {found} {line.currency}"
        return Broken(f"on {line.part} it comes to {said}, and {transfers}", line.document_id)


class Payments:
    """The payments of one tenant, with their refunds and reversals, and their transfers.

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
        account = account_of(Cause.PAYMENT, row.channel)
        for each in row.applications:
            self._sides.say(Line(row.id, row.id, each.object_id, row.currency, account, row.paid_at), -each.amount)
            if each.taken_back:
                self._sides.say(taken_back_of(row.id, each.id, row.currency), each.taken_back)
        if row.amount_refunded:
            self._sides.say(counted(row.id, Refund.kind, row.currency), row.amount_refunded)
        if row.amount_reversed:
            self._sides.say(counted(row.id, Reversal.kind, row.currency), row.amount_reversed)
        for later in row.later:
            self._find_taken_back(later)

    def say_taken_back(self, row: TakenBackRow) -> None:
        """Take in what a refund or a reversal says.

        Raises:
            Broken: It contradicts itself.
        """
        applied = sum(share.amount for share in row.applications)
        if applied != row.amount:
            raise Broken(f"its amount is {row.amount}, and its applications add up to {applied}", row.id)
        account = account_of(CAUSES[row.kind], row.channel)
        for share in row.applications:
            line = Line(row.payment_id, row.id, share.object_id, row.currency, account, row.occurred_at)
            self._sides.say(line, share.amount)
        self._find_taken_back(row)

    def find_transfer(self, transfer: Transfer) -> None:
        """Take in a transfer, if it is of a payment."""
        if transfer.payment_id is None:
            return
        document_id = transfer.taken_back_id or transfer.payment_id
        if document_id.partition("_")[2] < self._end:
            account = transfer.credit if transfer.debit == LedgerAccount.RECEIVABLE else transfer.debit
            obligation_id, occurred_at = transfer.obligation_id, transfer.occurred_at
            line = Line(transfer.payment_id, document_id, obligation_id, transfer.currency, account, occurred_at)
            self._sides.find(line, transfer.amount, transfer)

    def _find_taken_back(self, row: TakenBackRow) -> None:
        self._sides.find(counted(row.payment_id, row.kind, row.currency), row.amount)
        for share in row.applications:
            self._sides.find(taken_back_of(row.payment_id, share.id, row.currency), share.amount)


def time_of(line: Line, side: Iterable[Line]) -> datetime | None:
    """Give when one side has it happen, whatever the time of the line; None where it does not."""
    return next((each.occurred_at for each in side if each[:-1] == line[:-1]), None)


def counted(payment_id: str, kind: str, currency: str) -> Line:
    """Give the line of what a payment counts as refunded, or as reversed."""
    return Line(payment_id, payment_id, COUNTED[kind], currency, "")


def taken_back_of(payment_id: str, application_id: str, currency: str) -> Line:
    """Give the line of what was taken back of an application."""
    return Line(payment_id, payment_id, f"what was taken back of {application_id}", currency, "")


def faults_of_payment(row: PaymentRow) -> Iterator[str]:
    """Yield where a payment contradicts itself."""
    applied = taken_back = 0
    for each in row.applications:
        applied += each.amount
        taken_back += each.taken_back
        if not 0 <= each.taken_back <= each.amount:
            yield f"what was taken back of {each.id} is {each.taken_back}, of {each.amount}"
    if applied != row.amount:
        yield f"its amount is {row.amount}, and its applications add up to {applied}"
    if taken_back != row.amount_refunded + row.amount_reversed:
        yield f"what was taken back of its applications is {taken_back}, which is not what was refunded and reversed"
