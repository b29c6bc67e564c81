"""The ledger as an auditor adds it up: chains without gaps, sums that agree, and one total for each obligation."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from owed.core.ledger import seal
from owed.model.transfer import Cause, Transfer

Key = tuple[int, str]
"""A tenant, and an id in it."""


class Head(NamedTuple):
    """Where a chain of transfers ends."""

    total: int = 0
    version: int = 0
    hash: bytes = b""
    recorded_at: datetime | None = None


NOTHING = Head()


class Ledger:
    """Every transfer, added up in all the ways that must agree.

    Attributes:
        heads: The end of each obligation's chain.
        sums: What each obligation's transfers come to in each currency.
        accounts: Debits less credits of each account of the ledger, by tenant and currency.
        held: What payments hold, by payment and obligation.
        taken_back: What refunds and reversals took, by their ids.
        documents: What charges and credits did to which obligation, by their ids.
    """

    def __init__(self) -> None:
        self.heads: dict[Key, Head] = {}
        self.sums: dict[Key, Counter[str]] = defaultdict(Counter)
        self.accounts: Counter[tuple[int, str, str]] = Counter()
        self.held: Counter[tuple[int, str, str]] = Counter()
        self.taken_back: Counter[Key] = Counter()
        self.documents: dict[Key, list[tuple[str, int]]] = defaultdict(list)

    def post(self, transfer: Transfer) -> Iterator[str]:
        """Add a transfer, and yield what is wrong with it."""
        yield from self._faults(transfer)
        tenant_id, amount = transfer.tenant_id, transfer.amount
        head = Head(transfer.total_after, transfer.version, transfer.hash, transfer.recorded_at)
        self.heads[tenant_id, transfer.obligation_id] = head
        self.sums[tenant_id, transfer.obligation_id][transfer.currency] += amount
        self.accounts[tenant_id, transfer.currency, transfer.debit] += abs(amount)
        self.accounts[tenant_id, transfer.currency, transfer.credit] -= abs(amount)
        if transfer.payment_id:
            self.held[tenant_id, transfer.payment_id, transfer.obligation_id] -= amount
        if transfer.taken_back_id:
            self.taken_back[tenant_id, transfer.taken_back_id] += amount
        if transfer.document_id:
            self.documents[tenant_id, transfer.document_id].append((transfer.obligation_id, amount))

    def balance(self, tenant_id: int, currency: str, account: str) -> int:
        """Give debits less credits of an account and of all that are under it, such as one for each channel."""
        return sum(
            amount
            for (tenant, of, name), amount in self.accounts.items()
            if (tenant, of) == (tenant_id, currency) and name.partition(":")[0] == account
        )

    def unbalanced(self) -> Iterator[str]:
        """Yield where debits and credits are not equal."""
        sums: Counter[tuple[int, str]] = Counter()
        for (tenant_id, currency, _), amount in self.accounts.items():
            sums[tenant_id, currency] += amount
        yield from (f"debits less credits of tenant {key} are {amount}" for key, amount in sums.items() if amount)

    def _faults(self, transfer: Transfer) -> Iterator[str]:
        head = self.heads.get((transfer.tenant_id, transfer.obligation_id), NOTHING)
        if transfer.version != head.version + 1:
            yield f"transfer {transfer.version} follows transfer {head.version}"
        if transfer.total_after != head.total + transfer.amount:
            yield f"transfer {transfer.version} of {transfer.amount} takes {head.total} to {transfer.total_after}"
        if transfer.hash != seal(transfer, head.hash):
            yield f"transfer {transfer.version} breaks the chain"
        if head.recorded_at and transfer.recorded_at <= head.recorded_at:
            yield f"transfer {transfer.version} is recorded at {transfer.recorded_at}, not after {head.recorded_at}"
        if transfer.key_id != f"key_{transfer.tenant_id}":
            yield f"transfer {transfer.version} was made with {transfer.key_id}, the key of another tenant"
        raises = transfer.amount >= 0
        receivable, other = (transfer.debit, transfer.credit) if raises else (transfer.credit, transfer.debit)
        if receivable != "receivable" or other.partition(":")[0] != OTHERS[transfer.cause]:
            yield f"transfer {transfer.version} ({transfer.cause}) is {transfer.debit} to {transfer.credit}"


OTHERS = {
    Cause.OPENING: "opening_equity",
    Cause.BALANCE_SET: "balance_replacement",
    Cause.BILL_RAISED: "billed",
    Cause.CORRECTION: "external_receipts",
    Cause.CURRENCY_CHANGED: "billed",
    Cause.VOID: "billed",
    Cause.PAYMENT: "clearing",
    Cause.REFUND: "refunds_payable",
    Cause.REVERSAL: "clearing",
    Cause.CHARGE: "billed",
    Cause.CREDIT: "billed",
    Cause.CREDIT_NOTE: "credit_notes",
    Cause.DISCOUNT: "discounts",
    Cause.WRITE_OFF: "bad_debt",
}
"""What must stand against the receivable, for each cause (docs/architecture.md, "Data")."""
