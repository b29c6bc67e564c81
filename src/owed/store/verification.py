"""Verification of what is in PostgreSQL, while the service goes on.

No snapshot outlives a statement, so each page of the books may be newer than the one before it. What objects say is
read first, and then their transfers: those that an object counts were there when it said so, and stay for good.
Payments are compared up to a time that is past: what was stamped by then has been written.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from owed.core.verification.adjustments import Adjustments
from owed.core.verification.broken import Broken
from owed.core.verification.ledger import LedgerCheck
from owed.core.verification.payments import Exactly, Payments, Sums
from owed.core.verification.root import Root
from owed.core.verification.words import compare_words
from owed.database.pool import Pool
from owed.model.access import Mode
from owed.model.transfer import Transfer
from owed.store import books
from owed.store.books import Books

LAST = "\U0010ffff"
"""No id sorts after it, whatever somebody has made of one."""

AT_ONCE = 16
"""Sums whose payments are compared one by one at a time."""

TENANTS = """
    SELECT id, merchant_id, mode
      FROM tenant
     WHERE ($1::text IS NULL OR merchant_id = $1) AND ($2::text IS NULL OR mode = $2)
     ORDER BY id
"""

STRANGERS = """
    -- The tenants that transfers are of, one probe of the primary key for each, without those that there are.
      WITH RECURSIVE found AS (
    SELECT min(tenant_id) AS id FROM transfer
     UNION ALL
    SELECT (SELECT min(tenant_id) FROM transfer WHERE tenant_id > found.id) FROM found WHERE found.id IS NOT NULL
         )
    SELECT id FROM found WHERE id IS NOT NULL AND id NOT IN (SELECT id FROM tenant)
"""

ABOUT = """
    SELECT sum(greatest(reltuples, 0))::bigint
      FROM pg_class
     WHERE oid IN ('transfer'::regclass, 'payment'::regclass, 'charge'::regclass, 'credit'::regclass)
"""


class Tenant(NamedTuple):
    """A merchant's data in one mode."""

    id: int
    merchant_id: str
    mode: Mode


class Counts(NamedTuple):
    """What was checked."""

    obligations: int = 0
    transfers: int = 0
    payments: int = 0


async def find_tenants(pool: Pool, merchant_id: str | None, mode: Mode | None) -> list[Tenant]:
    """Find whose books to check: a merchant's or all, in one mode or both."""
    return [Tenant(*row) for row in await Books(pool).fetch(TENANTS, merchant_id, mode)]


async def find_strangers(pool: Pool) -> list[int]:
    """Find tenants that have transfers, and belong to no merchant."""
    return [row[0] for row in await Books(pool).fetch(STRANGERS)]


async def count_rows(pool: Pool) -> int:
    """Tell about how many transfers and payments there are; 0 where nobody has counted."""
    return int((await Books(pool).fetch(ABOUT))[0][0])


class Check:
    """The check of one tenant's books.

    Args:
        before: Up to when payments are compared.
        roots: Of the histories to digest.
        tell: Called with the number of rows of each page of transfers and payments.
    """

    def __init__(
        self, pool: Pool, tenant_id: int, before: datetime, roots: Iterable[Root], tell: Callable[[int], None]
    ) -> None:
        self._books = Books(pool, tenant_id)
        self._before, self._roots, self._tell = before, roots, tell
        self._counted: tuple[str, int] = ("", 0)

    async def run(self) -> Counts:
        """Check all of it.

        Raises:
            Broken: Something is not as it was written; the first thing that was found.
        """
        sums = Sums()
        payments, adjustments = Payments(sums, self._before), Adjustments(sums, self._before)
        count = await self._say_payments(payments)
        await self._say_adjustments(adjustments)
        ledger = LedgerCheck(payments, adjustments, self._roots)
        await self._check_ledger(ledger)
        await self._compare(sums.differing())
        return Counts(ledger.obligations, ledger.transfers, count)

    async def _say_payments(self, payments: Payments) -> int:
        count = 0
        async for page in self._books.payments(self._before):
            for payment in page:
                payments.say_payment(payment)
            count += len(page)
            self._tell(len(page))
        async for documents in self._books.documents(self._before):
            for document in documents:
                payments.say_document(document)
        return count

    async def _say_adjustments(self, adjustments: Adjustments) -> None:
        async for page in self._books.adjustments(self._before):
            for each in page:
                adjustments.say(each)
            self._tell(len(page))

    async def _check_ledger(self, ledger: LedgerCheck) -> None:
        after = ""
        while after != LAST:
            heads = await self._books.heads(after)
            until = heads[-1].id if len(heads) == books.PAGE else LAST
            ledger.expect(heads)
            async for page in self._books.transfers(after, until):
                await self._follow(ledger, page)
                self._tell(len(page))
            ledger.end_stretch()
            after = until
        ledger.end()

    async def _follow(self, ledger: LedgerCheck, page: Iterable[Transfer]) -> None:
        words = await self._books.words(page)
        for transfer in page:
            if not ledger.follow(transfer):
                await self._require_counted(transfer)
            if transfer.attribution_id in words:
                compare_words(transfer, words[transfer.attribution_id])

    async def _require_counted(self, transfer: Transfer) -> None:
        """Require that the object counts a transfer by now, which it did not when it was read."""
        if self._counted[0] != transfer.obligation_id or self._counted[1] < transfer.version:
            version = await self._books.counted(transfer.obligation_id)
            if version is None:
                raise Broken("there is no object that it is of", *place(transfer))
            if version < transfer.version:
                raise Broken(f"the object counts {version} transfers, and not this one", *place(transfer))
            self._counted = transfer.obligation_id, version

    async def _compare(self, differing: Sequence[int]) -> None:
        """Read again the payments whose sums differ, some at a time, and compare them one by one.

        What was written late, between the reading of one side and of the other, is on both sides now.
        """
        for first in range(0, len(differing), AT_ONCE):
            sides = Exactly(differing[first : first + AT_ONCE])
            payments, adjustments = Payments(sides, self._before), Adjustments(sides, self._before)
            await self._say_payments(payments)
            await self._say_adjustments(adjustments)
            async for page in self._books.transfers("", LAST):
                for transfer in page:
                    payments.find_transfer(transfer)
                    adjustments.find_transfer(transfer)
            for fault in sides.faults():
                raise fault


def place(transfer: Transfer) -> tuple[str, int, str]:
    """Say where a transfer is."""
    return transfer.obligation_id, transfer.version, transfer.id
