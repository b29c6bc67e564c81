"""`python -m bench.reports`: what a statement, the totals of a day and an export cost among a million payments."""

import asyncio
import hashlib
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from shutil import rmtree
from typing import Annotated, NamedTuple
from urllib.parse import urlsplit

import asyncpg
import typer
from rich.console import Console

from bench import machine, report, services
from bench.client import Client
from bench.machine import Cores
from bench.report import Grid
from bench.services import Bench, Service

PAYMENTS, LINES = 1_000_000, 10_000
STATEMENT_MS, TOTALS_SECONDS, EXPORT_SECONDS, MEGABYTES = 100, 2, 30, 100
REPEATS = 15
DAY = "2026-01-15"
LOOK_EVERY = 0.02
"""Seconds between two looks at the memory of the worker."""

TENANT = "SELECT tenant_id FROM api_key WHERE hash = $1"

IDS = """
    -- Ids that sort by the time of what they name, as far as a day needs it: the digits of its milliseconds in base 62.
    CREATE FUNCTION pg_temp.id(prefix text, moment timestamptz, number bigint) RETURNS text LANGUAGE plpgsql AS $$
    DECLARE
        high numeric := floor((extract(epoch FROM moment) * 1000)::numeric * 2::numeric ^ 80 / 62::numeric ^ 11);
        digits text := '';
    BEGIN
        FOR place IN 1..11 LOOP
            digits := substr('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz',
                             mod(high, 62)::int + 1, 1) || digits;
            high := floor(high / 62);
        END LOOP;
        RETURN prefix || digits || lpad(number::text, 11, '0');
    END
    $$
"""

LOAD_PAYMENTS = """
    -- Payments all over a day, each of one bill, through three channels; a few in a thousand with two methods.
    INSERT INTO payment (tenant_id, id, channel, method, external_reference, amount, currency, paid_at, created_at,
                         applications, amount_refunded, amount_reversed, version, updated_at)
    SELECT $1, pg_temp.id('pay_', moment, number), (ARRAY['eft', 'card', 'debit_order'])[number % 3 + 1],
           (ARRAY['visa', 'debit', NULL])[number % 2 + 1], 'PAY-' || number, 1000 + number % 777, 'ZAR', moment, moment,
           json_build_array(json_build_object('id', pg_temp.id('ob_', moment, number), 'kind', 'bill',
                                              'object_id', pg_temp.id('bill_', moment, number), 'amount', 1000)),
           0, 0, 1, moment
      FROM generate_series(1::bigint, $2) AS number,
           LATERAL (SELECT $3::timestamptz + number * interval '1 day' / ($2 + 1) AS moment) AS at
"""

LOAD_TRANSFERS = """
    INSERT INTO transfer (tenant_id, obligation_id, version, id, amount, currency, total_after, debit, credit, cause,
                          key_id, payment_id, occurred_at, recorded_at, hash)
    SELECT tenant_id, applications -> 0 ->> 'object_id', 1, replace(id, 'pay_', 'tra_'), -amount, currency, -amount,
           'clearing:' || channel, 'receivable', 'payment', 'key_0000000000000000000000', id, paid_at, created_at,
           sha256(id::bytea)
      FROM payment
     WHERE tenant_id = $1
     ORDER BY id
"""

LOAD_LINES = """
    -- The long story of one balance.
    INSERT INTO transfer (tenant_id, obligation_id, version, id, amount, currency, total_after, debit, credit, cause,
                          key_id, payment_id, occurred_at, recorded_at, hash)
    SELECT $1, $2, version, pg_temp.id('tra_', moment, version), -100, 'ZAR', -100 * (version - 1), 'clearing:eft',
           'receivable', 'payment', 'key_0000000000000000000000', pg_temp.id('pay_', moment, version), moment, moment,
           sha256(version::text::bytea)
      FROM generate_series(2, $3 + 1) AS version,
           LATERAL (SELECT now() + version * interval '1 ms' AS moment) AS at
"""

console = Console(width=None if sys.stdout.isatty() else 140)
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


class Reading(NamedTuple):
    """What an answer took: the seconds to its end, its bytes, and what the worker held at the most meanwhile."""

    seconds: float
    size: int
    peak: int


@app.command()
def main(
    *,
    directory: Annotated[Path, typer.Option(help="Where the database is: 5 GB on a real disk.")] = Path("/var/tmp"),  # noqa: S108
    payments: Annotated[int, typer.Option(help="How many payments the day has.")] = PAYMENTS,
    write: Annotated[bool, typer.Option(help="Write the tables to docs/performance.md.")] = True,
) -> None:
    """Load a day of payments, and measure what is told of it."""
    machine.leave_in_order()
    if machine.is_busy():
        console.print("Others are at work on this machine: what follows says little.", style="bold red")
    with _scratch(directory) as home, services.owed(Bench(home, Path(), Cores.of_this_machine())) as owed:
        facts = machine.facts(home)
        _tell(f"Loading {payments:,} payments")
        customer = _customer(owed)
        asyncio.run(_load(owed, customer, payments))
        _tell("Measuring")
        rows = list(_measured(owed, customer, payments))
    tables = [
        Grid("Promises", ("Promise", "Measured", ""), rows, "left"),
        Grid("Machine", ("", ""), list(facts.items()), "left"),
    ]
    report.show(console, tables)
    if write and payments == PAYMENTS:
        date = datetime.now(UTC).strftime("%d %B %Y, %H:%M UTC")
        report.write("reports", f"Measured on {date}.\n\n" + "\n\n".join(table.markdown() for table in tables))


@contextmanager
def _scratch(parent: Path) -> Iterator[Path]:
    home = Path(tempfile.mkdtemp(prefix="owed-bench-reports-", dir=parent))
    home.chmod(0o711)
    try:
        yield home
    finally:
        rmtree(home, ignore_errors=True)


def _customer(owed: Service) -> str:
    members = {"external_reference": "long-story", "currency": "ZAR", "balance": 0}
    answer = Client(owed.url, owed.key).send("POST", "/billing/customers", members)
    return answer.headers["Location"].rpartition("/")[2]


async def _load(owed: Service, customer: str, payments: int) -> None:
    connection = await asyncpg.connect(owed.dsn, server_settings={"synchronous_commit": "off"})
    try:
        tenant_id = await connection.fetchval(TENANT, hashlib.sha256(owed.key.encode()).digest())
        await connection.execute(IDS)
        begins = datetime.fromisoformat(f"{DAY}T00:00:00Z")
        await connection.execute(LOAD_PAYMENTS, tenant_id, payments, begins, timeout=None)
        await connection.execute(LOAD_TRANSFERS, tenant_id, timeout=None)
        await connection.execute(LOAD_LINES, tenant_id, customer, LINES, timeout=None)
        await connection.execute("VACUUM ANALYZE payment, transfer", timeout=None)
        await connection.execute("CHECKPOINT", timeout=None)
    finally:
        await connection.close()


def _measured(owed: Service, customer: str, payments: int) -> Iterator[tuple[str, str, str]]:
    """Ask for each, and tell what was promised of it, what it took, and whether that is kept."""
    path = f"/billing/customers/{customer}/statement?to=2099-01-01"
    for media_type in ("application/json", "text/csv"):
        took = [_read(owed, path, media_type) for _ in range(REPEATS)]
        milliseconds = statistics.median(each.seconds for each in took) * 1000
        promise = f"A statement of {LINES:,} lines, {media_type}: under {STATEMENT_MS} ms"
        yield promise, f"{milliseconds:.0f} ms, {took[0].size / 1e6:.1f} MB", _kept(milliseconds < STATEMENT_MS)
    seconds = statistics.median(_read(owed, f"/billing/reports/payments?date={DAY}").seconds for _ in range(REPEATS))
    promise = f"Control totals of a day with {payments:,} payments: under {TOTALS_SECONDS} s"
    yield promise, f"{seconds:.2f} s", _kept(seconds < TOTALS_SECONDS)
    for name in ("entries", "payments"):
        found = _read(owed, f"/billing/exports/{name}")
        told = f"{found.seconds:.1f} s, {found.size / 1e6:.0f} MB sent, {found.peak / 1e6:.0f} MB resident"
        kept = found.seconds < EXPORT_SECONDS and found.peak < MEGABYTES * 1e6
        yield f"An export of {payments:,} {name}: under {EXPORT_SECONDS} s and {MEGABYTES} MB", told, _kept(kept)


def _kept(is_kept: bool) -> str:  # noqa: FBT001
    return "met" if is_kept else "**not met**"


def _read(owed: Service, path: str, accept: str = "application/json") -> Reading:
    """Read an answer to its end, as fast as it comes, and look at the worker meanwhile."""
    connection = HTTPConnection(urlsplit(owed.url).netloc, timeout=60)
    begin = time.perf_counter()
    with _watched(owed) as peak:
        connection.request("GET", path, headers={"Authorization": f"Bearer {owed.key}", "Accept": accept})
        response = connection.getresponse()
        size = sum(iter(lambda: len(response.read(2**20)), 0))
    seconds = time.perf_counter() - begin
    connection.close()
    if response.status != 200:
        raise SystemExit(f"{path} is answered with {response.status}")
    return Reading(seconds, size, max(peak))


@contextmanager
def _watched(owed: Service) -> Iterator[list[int]]:
    """Note what the worker holds in memory, again and again."""
    seen, is_over = [owed.resident], threading.Event()

    def watch() -> None:
        while not is_over.wait(LOOK_EVERY):
            seen.append(owed.resident)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield seen
    finally:
        is_over.set()
        watching.join()


def _tell(text: str) -> None:
    console.print(f"{datetime.now(UTC):%H:%M:%S} {text}")


if __name__ == "__main__":
    app()
