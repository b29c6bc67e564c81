"""A million bills of the customers that have one already."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import asyncpg

from bench import copies
from bench.copies import Copy
from bench.seeding import bill
from bench.services import Service
from owed.model.identifiers import BILL, id_at, milliseconds

FIRST = 10_000_000
"""The first number of a bill's: as long as that of the bill that is copied, and of no other."""


def load(service: Service, count: int) -> None:
    """Add bills of the customers in turn, every other one of a customer's on the account."""
    asyncio.run(_load(service.dsn, _copies(service, count)))


async def _load(dsn: str, bills: Iterator[Copy]) -> None:
    connection = await asyncpg.connect(dsn, server_settings={"synchronous_commit": "off"})
    try:
        await copies.load(connection, "bill", bills)
    finally:
        await connection.close()


def _copies(service: Service, count: int) -> Iterator[Copy]:
    """Yield a bill for each of the last milliseconds, so that they are the newest, in the order of their ids."""
    template, now, new_id = str(bill(1)["external_reference"]), datetime.now(UTC), _ids_of(service)
    owners = list(zip(_noted(service, "owners"), _noted(service, "accounts"), strict=True))
    for index in range(count):
        turn, place = divmod(index, len(owners))
        customer_id, account_id = owners[place]
        born = now - timedelta(milliseconds=count - index)
        on_account = account_id if turn % 2 else None
        yield Copy(template, str(FIRST + index), new_id(born), born, customer_id, on_account)


def _noted(service: Service, name: str) -> list[str]:
    return (service.directory / name).read_text().split()


def _ids_of(service: Service) -> Callable[[datetime], str]:
    """Return what makes ids as the service does: they sort by time among its own."""
    if service.name == "Owed":
        return lambda born: id_at(BILL, milliseconds(born))
    return lambda born: f"{BILL}{milliseconds(born) * 1_000_000:016x}{0:06x}"
