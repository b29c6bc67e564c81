"""The trial balance: what the transfers have moved, against what the objects owe."""

from collections import Counter

from owed.core.ledger import own_account
from owed.core.verification.broken import Broken
from owed.core.verification.chain import Head
from owed.model.transfer import LedgerAccount, Transfer


class TrialBalance:
    """What the transfers of a tenant have moved, by currency and account, against what its objects owe.

    That debits equal credits lies in the form of a transfer, which has one amount and two sides.
    """

    def __init__(self) -> None:
        self._moved: Counter[tuple[str, str, str]] = Counter()
        self._owed: Counter[tuple[str, str]] = Counter()

    def post(self, transfer: Transfer) -> None:
        """Take in a transfer."""
        self._moved[transfer.currency, transfer.debit, transfer.credit] += abs(transfer.amount)

    def owe(self, head: Head) -> None:
        """Take in what an object owes."""
        if head.currency is not None:
            self._owed[head.currency, own_account(head.id)] += head.total

    def accounts(self) -> dict[tuple[str, str], int]:
        """Give the total of each currency and account: debits less credits."""
        totals: Counter[tuple[str, str]] = Counter()
        for (currency, debit, credit), amount in self._moved.items():
            totals[currency, debit] += amount
            totals[currency, credit] -= amount
        return dict(totals)

    def compare(self) -> None:
        """Compare the receivable with what the objects owe, and unallocated money with what payments say of it.

        Raises:
            Broken: They differ in some currency.
        """
        accounts = self.accounts()
        for currency in sorted({each for each, _ in (*accounts, *self._owed)}):
            for account in (LedgerAccount.RECEIVABLE, LedgerAccount.UNALLOCATED):
                moved, owed = accounts.get((currency, account), 0), self._owed[currency, account]
                if moved != owed:
                    raise Broken(f"it is {moved} in {currency}, and the objects come to {owed}", account)
