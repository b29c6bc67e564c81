"""What the databases say after the writes: every acknowledged one is there, whole, and nothing else is."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from bench import sql
from bench.load import Load, Sample, Scenario

SETTLE_SECONDS = 20
COUNT = """
    SELECT (SELECT count(*) FROM customer), (SELECT count(*) FROM transfer), (SELECT count(*) FROM event),
           (SELECT count(*) FROM answer), (SELECT coalesce(sum(amount), 0)::bigint FROM transfer),
           (SELECT coalesce(sum({balance}), 0)::bigint FROM customer)
"""


@dataclass(frozen=True)
class Books:
    """How many rows there are of each kind, what the transfers add up to, and what the customers owe."""

    customers: int
    transfers: int
    events: int
    answers: int
    moved: int
    owed: int

    @classmethod
    def of(cls, dsn: str, balance: str) -> "Books":
        """Read the books once they stand still: a request whose client has gone may still be under way."""
        deadline, before = time.monotonic() + SETTLE_SECONDS, cls._now(dsn, balance)
        while time.monotonic() < deadline:
            time.sleep(0.1)
            found = cls._now(dsn, balance)
            if found == before:
                return found
            before = found
        raise SystemExit(f"{dsn} does not come to rest")

    @classmethod
    def _now(cls, dsn: str, balance: str) -> "Books":
        return cls(*sql.row(dsn, COUNT.format(balance=balance)))


def faults(load: Load, sample: Sample, before: Books, after: Books) -> Iterator[str]:
    """Yield what is wrong with the books after a run that wrote.

    The load generator hangs up at the end with a request on each connection, so as many more may have been done.
    """
    done = after.events - before.events
    if not sample.requests <= done <= sample.requests + load.connections:
        yield f"{sample.requests} were acknowledged, {done} are recorded"
    created = done if load.scenario is Scenario.CREATE else 0
    if after.customers - before.customers != created:
        yield f"{after.customers - before.customers} customers were created instead of {created}"
    if not done == after.transfers - before.transfers == after.answers - before.answers:
        transfers, answers = after.transfers - before.transfers, after.answers - before.answers
        yield f"{done} events stand beside {transfers} transfers and {answers} answers"
    if after.moved != after.owed:
        yield f"the transfers add up to {after.moved}, and the balances to {after.owed}"
