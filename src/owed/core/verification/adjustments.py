"""Charges and credits against the ledger: each has exactly the transfers that it says."""

from datetime import datetime
from typing import NamedTuple

from owed.core.ledger import account_of
from owed.core.verification.broken import Broken
from owed.core.verification.payments import TOTAL_AFTER, Line, Sides
from owed.core.verification.posting import ADJUSTING, effect_of
from owed.model.identifiers import id_at, milliseconds
from owed.model.transfer import Cause, Transfer


class AdjustmentRow(NamedTuple):
    """What a charge or a credit says."""

    id: str
    cause: str
    object_id: str
    amount: int
    currency: str
    total_after: int
    occurred_at: datetime
    reversed_at: datetime | None


class Adjustments:
    """The charges and credits of one tenant, and their transfers.

    Args:
        before: Only what was done before is compared: then all of it is there, whichever side is read first.
    """

    def __init__(self, sides: Sides, before: datetime) -> None:
        self._sides = sides
        self._before, self._end = before, id_at("", milliseconds(before))

    def say(self, row: AdjustmentRow) -> None:
        """Take in what a charge or a credit says.

        Raises:
            Broken: It is of no kind that there is.
        """
        if row.cause not in ADJUSTING:
            raise Broken(f"its type is {row.cause!r}, and there is no such type", row.id)
        cause = Cause(row.cause)
        effect = effect_of(cause, row.amount)
        line = Line(row.id, row.id, row.object_id, row.currency, account_of(cause, None), row.occurred_at)
        self._sides.say(line, effect)
        self._sides.say(after(row.id, row.currency), row.total_after)
        if row.reversed_at is not None and row.reversed_at < self._before:
            self._sides.say(line._replace(occurred_at=row.reversed_at), -effect)

    def find_transfer(self, transfer: Transfer) -> None:
        """Take in a transfer, if it is of a charge or a credit."""
        name, cause = transfer.document_id, transfer.cause
        if name is None or cause not in ADJUSTING or name.partition("_")[2] >= self._end:
            return
        undoes = effect_of(Cause(cause), transfer.amount) < 0
        if undoes and transfer.occurred_at >= self._before:
            return
        account = account_of(Cause(cause), None)
        line = Line(name, name, transfer.obligation_id, transfer.currency, account, transfer.occurred_at)
        self._sides.find(line, transfer.amount, transfer)
        if not undoes:
            self._sides.find(after(name, transfer.currency), transfer.total_after)


def after(name: str, currency: str) -> Line:
    """Give the line of what was owed once a charge or a credit stood."""
    return Line(name, name, TOTAL_AFTER, currency, "")
