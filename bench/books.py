"""What the databases say after the writes: every acknowledged one is there, whole, and nothing else is."""

import time
from collections.abc import Iterator
from typing import NamedTuple

from bench import sql
from bench.load import Load, Sample, Scenario
from bench.payments import HUNDRED

SETTLE_SECONDS = 20
REST_SECONDS = 0.1
COUNT = """
    SELECT (SELECT count(*) FROM customer), (SELECT count(*) FROM account), (SELECT count(*) FROM bill),
           (SELECT count(*) FROM payment), (SELECT count(*) FROM refund), {charges},
           (SELECT count(*) FROM transfer), (SELECT count(*) FROM event), (SELECT count(*) FROM answer),
           (SELECT coalesce(sum(amount), 0)::bigint FROM transfer),
           ((SELECT coalesce(sum({balance}), 0) FROM customer) + (SELECT coalesce(sum({balance}), 0) FROM account)
             + (SELECT coalesce(sum({remaining}), 0) FROM bill)
             + (SELECT coalesce(sum({unallocated}), 0) FROM payment))::bigint
"""


class Columns(NamedTuple):
    """What of its tables tells what is owed: a customer's and an account's column, and a bill's.

    Attributes:
        charges: How many there are; peers make none.
        unallocated: What is owed for a payment: less than nothing where some of it is applied to nothing.
    """

    balance: str
    remaining: str
    charges: str = "0"
    unallocated: str = "0"


OF_PEERS = Columns("balance", "amount_due - amount_paid")
OF_OWED = Columns("total", "total", "(SELECT count(*) FROM charge)", "unallocated_total")


class Rows(NamedTuple):
    """How many rows there are of each kind, or how many one request adds."""

    customers: int = 0
    accounts: int = 0
    bills: int = 0
    payments: int = 0
    refunds: int = 0
    charges: int = 0
    transfers: int = 0
    events: int = 0
    answers: int = 0


PAID = Rows(payments=1, transfers=1, events=1, answers=1)
ADDED = {
    Scenario.CREATE: Rows(customers=1, transfers=1, events=1, answers=1),
    Scenario.UPDATE: Rows(transfers=1, events=1, answers=1),
    Scenario.CREATE_BILL: Rows(bills=1, transfers=1, events=1, answers=1),
    Scenario.COMPOSITE: Rows(customers=1, accounts=1, bills=1, transfers=3, events=3, answers=1),
    **dict.fromkeys((Scenario.PAY_MANY, Scenario.PAY_HOT, Scenario.PAY_BILL), PAID),
    Scenario.CHARGE_HOT: Rows(charges=1, transfers=1, events=1, answers=1),
    Scenario.PAY_HUNDRED: Rows(payments=1, transfers=HUNDRED, events=HUNDRED, answers=1),
    Scenario.REFUND: Rows(refunds=1, transfers=1, events=1, answers=1),
}


class Books(NamedTuple):
    """How many rows there are, what the transfers add up to, and what is owed."""

    rows: Rows
    moved: int
    owed: int

    @classmethod
    def of(cls, dsn: str, columns: Columns, rest: float = REST_SECONDS) -> "Books":
        """Read the books once they stand still: a request whose client has gone may still be under way.

        Args:
            rest: For how many seconds nothing may change.
        """
        deadline, before = time.monotonic() + SETTLE_SECONDS, cls._now(dsn, columns)
        while time.monotonic() < deadline:
            time.sleep(rest)
            found = cls._now(dsn, columns)
            if found == before:
                return found
            before = found
        raise SystemExit(f"{dsn} does not come to rest")

    @classmethod
    def _now(cls, dsn: str, columns: Columns) -> "Books":
        *rows, moved, owed = sql.row(dsn, COUNT.format(**columns._asdict()))
        return cls(Rows(*rows), moved, owed)


def faults(load: Load, sample: Sample, before: Books, after: Books) -> Iterator[str]:
    """Yield what is wrong with the books after a run that wrote.

    The load generator hangs up at the end with a request on each connection, so as many more may have been done.
    """
    done = after.rows.answers - before.rows.answers
    if not sample.requests <= done <= sample.requests + load.connections:
        yield f"{sample.requests} were acknowledged, {done} are recorded"
    added = zip(Rows._fields, before.rows, after.rows, ADDED[load.scenario], strict=True)
    for kind, was, now, each in added:
        if now - was != done * each:
            yield f"{now - was} {kind} were added instead of {done * each}"
    if after.moved != after.owed:
        yield f"the transfers add up to {after.moved}, and what is owed to {after.owed}"
