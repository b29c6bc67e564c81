"""The check of one tenant's ledger."""

from collections.abc import Iterable

from owed.core.verification.adjustments import Adjustments
from owed.core.verification.chain import Chain, Head
from owed.core.verification.payments import Payments
from owed.core.verification.root import Root
from owed.core.verification.trial_balance import TrialBalance
from owed.model.transfer import Transfer


class LedgerCheck:
    """The check of one tenant's ledger: heads come first, then the transfers up to them, in the order of their keys."""

    def __init__(self, payments: Payments, adjustments: Adjustments, roots: Iterable[Root]) -> None:
        self.obligations, self.transfers = 0, 0
        self._payments, self._adjustments, self._roots = payments, adjustments, tuple(roots)
        self._trial_balance = TrialBalance()
        self._heads: dict[str, Head] = {}
        self._chain: Chain | None = None

    def expect(self, heads: Iterable[Head]) -> None:
        """Take in what the objects of the next stretch of ids say."""
        for head in heads:
            self._heads[head.id] = head
            self._trial_balance.owe(head)
            self.obligations += 1

    def follow(self, transfer: Transfer) -> bool:
        """Take in the next transfer, and tell whether its object knew of it when it was read.

        Raises:
            Broken: It is not what was written.
        """
        chain = self._chain
        if chain is None or chain.head.id != transfer.obligation_id:
            self._end_chain()
            head = self._heads.pop(transfer.obligation_id, None)
            if head is None:
                return False
            chain = self._chain = Chain(head)
        if transfer.version > chain.head.version:
            return False
        chain.add(transfer)
        self._trial_balance.post(transfer)
        self._payments.find_transfer(transfer)
        self._adjustments.find_transfer(transfer)
        for root in self._roots:
            root.see(transfer)
        self.transfers += 1
        return True

    def end_stretch(self) -> None:
        """Compare what the objects of a stretch say with the transfers that have come.

        Raises:
            Broken: An object has other transfers than it says.
        """
        self._end_chain()
        for head in self._heads.values():
            Chain(head).end()
        self._heads.clear()

    def end(self) -> None:
        """Compare the trial balance with the objects.

        Raises:
            Broken: They differ.
        """
        self._trial_balance.compare()

    def _end_chain(self) -> None:
        if self._chain is not None:
            self._chain.end()
            self._chain = None
