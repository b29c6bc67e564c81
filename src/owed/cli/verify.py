"""`owed verify`: whether the books are what was written."""

import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Annotated, NamedTuple

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from owed.cli.errors import Refused
from owed.cli.options import DatabaseUrl, DataDir, Json, settings_from
from owed.cli.output import print_json, print_sheet
from owed.cli.session import run_as_worker
from owed.core.state import is_name
from owed.core.verification.broken import Broken
from owed.core.verification.root import Root
from owed.database import DatabaseError
from owed.database.pool import Pool
from owed.engine.clock import Clock
from owed.model.access import Mode
from owed.settings import SettingsError
from owed.store.verification import Check, Counts, Tenant, count_rows, find_strangers, find_tenants

SETTLE = 40
"""Seconds after which a stamp is history: what bears it has been written, or never will be.

A change is stamped just before the statement that writes it. PostgreSQL ends that after 15 seconds, a transaction that
then stands still after 5 more, and its COMMIT after 15 (`database/pool.py`). Only a worker that stood still for as long
between the stamp and the statement, or whose clock is as far behind, writes something older. A root that was given
meanwhile does not hold later, though nothing was rewritten; but where something was, no root ever holds.
"""

ROOT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)-([0-9a-f]{64})", re.ASCII)

Merchant = Annotated[str | None, typer.Option(help="Only this merchant's books.")]
ModeOption = Annotated[Mode | None, typer.Option(help="Only the books of test, or of live data.")]
Expect = Annotated[str | None, typer.Option(metavar="ROOT", help="A root that was printed before, of the same books.")]

Settle = Annotated[
    float,
    typer.Option(min=0, help="Give the root, and compare payments, as of so many seconds ago; 0 where nobody writes."),
]

Tell = Callable[[int], None]


class Expected(NamedTuple):
    """A root that was printed before, and the time up to which it is of history."""

    root: str
    at: datetime


class BrokenBooks(Refused):
    """The books are not as they were written."""

    def __init__(self, sentence: str) -> None:
        super().__init__(f"broken: {sentence}")
        self.sentence = sentence


class Verified(msgspec.Struct, frozen=True):
    """What was checked, and found to be right."""

    merchants: int
    obligations: int
    transfers: int
    payments: int
    seconds: float
    root: str


def verify(
    *,
    merchant: Merchant = None,
    mode: ModeOption = None,
    expect: Expect = None,
    settle: Settle = SETTLE,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    as_json: Json = False,
) -> None:
    """Check transfers, objects and payments, and print a root: --expect proves later that no transfer was changed."""
    expected = None if expect is None else expected_of(expect)

    async def work(pool: Pool, _dsn: str) -> Verified:
        tenants = await find(pool, merchant, mode)
        with progress(None if merchant or mode else await count_rows(pool)) as tell:
            return await verified(pool, tenants, settled(settle), expected, tell)

    with alarming(as_json=as_json):
        found = run_as_worker(settings_from(data_dir=data_dir, database_url=database_url), work)
    if as_json:
        print_json(found)
    else:
        print_verified(found, expected)


@contextmanager
def alarming(*, as_json: bool) -> Iterator[None]:
    """Tell a program that books are broken; and anybody what it means that the database cannot be read.

    Raises:
        DatabaseError: It cannot, and so nothing was verified.
    """
    try:
        yield
    except DatabaseError as error:
        raise DatabaseError(f"nothing was verified: {error}") from error
    except BrokenBooks as broken:
        if as_json:
            print_json({"broken": broken.sentence})
        raise


def print_verified(found: Verified, expected: Expected | None) -> None:
    """Print what was checked, and what was found."""
    print_sheet({name: readable(value) for name, value in msgspec.structs.asdict(found).items()})
    typer.echo("All of it is as it was written.")
    if expected:
        typer.echo("The root given holds.")


def readable(value: float | str) -> str:
    """Write a number as people do."""
    return value if isinstance(value, str) else f"{value:,}"


def expected_of(root: str) -> Expected:
    """Read a root that was printed before.

    Raises:
        SettingsError: It is no root, or cannot have been printed yet.
    """
    at = time_of(root)
    if at is None:
        raise SettingsError(f"--expect is {root!r}: expected a root as `owed verify` prints it")
    if at > (now := Clock().now()):
        raise SettingsError(f"--expect is {root!r}: its time is yet to come; here it is {now:%Y-%m-%dT%H:%M:%S.%fZ}")
    return Expected(root, at)


def time_of(root: str) -> datetime | None:
    """Give the time of a root; None where it is no root."""
    found = ROOT.fullmatch(root)
    try:
        return datetime.fromisoformat(found[1]) if found else None
    except ValueError:
        return None


async def find(pool: Pool, merchant: str | None, mode: Mode | None) -> list[Tenant]:
    """Find whose books to check.

    Raises:
        Refused: There is no such merchant.
        BrokenBooks: There are transfers of none.
    """
    tenants = await find_tenants(pool, merchant, mode) if merchant is None or is_name(merchant) else []
    if merchant is not None and not tenants:
        raise Refused(f"there is no merchant {merchant!r}")
    if merchant is None and mode is None and (strangers := await find_strangers(pool)):
        raise BrokenBooks(f"there are transfers of tenant {strangers[0]}, which belongs to no merchant")
    return tenants


async def verified(
    pool: Pool, tenants: Sequence[Tenant], before: datetime, expected: Expected | None, tell: Tell
) -> Verified:
    """Check the books of tenants, one after the other.

    Raises:
        BrokenBooks: Something is not as it was written.
    """
    began = time.monotonic()
    root = Root(before)
    again = Root(expected.at) if expected else root
    counts = [await checked(pool, tenant, before, {root, again}, tell) for tenant in tenants]
    if expected and str(again) != expected.root:
        raise BrokenBooks(
            "what was recorded by the time of that root is not what it was, or it is a root of other books"
            f" (--merchant, --mode); its root is now {again}"
        )
    obligations, transfers, payments = (sum(column) for column in zip(Counts(), *counts, strict=True))
    merchants = {tenant.merchant_id for tenant in tenants}
    seconds = round(time.monotonic() - began, 1)
    return Verified(len(merchants), obligations, transfers, payments, seconds, str(root))


async def checked(pool: Pool, tenant: Tenant, before: datetime, roots: Iterable[Root], tell: Tell) -> Counts:
    """Check the books of one tenant.

    Raises:
        BrokenBooks: Something in them is not as it was written.
    """
    try:
        return await Check(pool, tenant.id, before, roots, tell).run()
    except Broken as broken:
        raise BrokenBooks(f"merchant {tenant.merchant_id}, {tenant.mode}, {broken}") from broken


def settled(seconds: float) -> datetime:
    """Give the latest time, to the millisecond, by which all that was stamped is written, if it is after so long."""
    now = Clock().now() - timedelta(seconds=seconds)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


@contextmanager
def progress(total: int | None) -> Iterator[Tell]:
    """Show how many rows have been checked, where somebody watches.

    Args:
        total: About how many there are, where that is known.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _count: None
        return
    columns = (TextColumn("Verifying"), BarColumn(), TaskProgressColumn(), TextColumn("{task.completed:,} rows"))
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as bar:
        task = bar.add_task("", total=total or None)
        yield lambda count: bar.advance(task, count)
