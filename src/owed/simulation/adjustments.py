"""Charges and credits as an auditor follows them: each did just what it says, and no charge went below its floor."""

from collections.abc import Iterator

from owed.model.adjustment import Adjustment
from owed.simulation.ledger import Ledger


class Adjustments:
    """The charges and credits that have changed since they were last looked at."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._touched: list[Adjustment] = []

    def stand(self, item: Adjustment) -> None:
        """Let a charge or a credit stand so from now on."""
        self._touched.append(item)

    def faults(self) -> Iterator[str]:
        """Yield what is wrong with what has changed since this was last asked."""
        for item in self._touched:
            yield from (f"{item.kind} {item.id}: {fault}" for fault in self._faults_of(item))
        self._touched = []

    def _faults_of(self, item: Adjustment) -> Iterator[str]:
        effect = item.amount if item.kind == "charge" else -item.amount
        expected = [effect] if item.reversed_at is None else [effect, -effect]
        posted = self._ledger.documents[item.tenant_id, item.id]
        if posted != [(item.object_id, amount) for amount in expected]:
            yield f"is of {effect} on {item.object_id}, and its transfers are {posted}"
        floor = getattr(item, "floor", None)
        if floor is not None and -item.total_after < floor:
            yield f"leaves a credit of {-item.total_after}, below its floor of {floor}"
