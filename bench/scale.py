"""`python -m bench.scale`: what a retrieve and a list page cost with 10,000 customers, a million and five."""

import hashlib
import shutil
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from urllib.parse import urlencode

import msgspec
import typer
from rich.console import Console

from bench import machine, population, report, services, sql
from bench.client import Client
from bench.load import Load, Scenario
from bench.machine import Cores
from bench.population import FIRST, NUMBER, Kind, born, template
from bench.report import Grid
from bench.services import Bench, Service
from bench.targets import TIMES

SMALL, MIDDLE, LARGE = 10_000, 1_000_000, 5_000_000
WITHIN = 1.5
FILTER_MS = 50
NAMES = 20_000
DEEP = 200_000  # customers before the deep page: page 10,000 of 20
DEEP_IN_FILTER = 40_000
REPEATS = 30
SECONDS = 4
ROUNDS = 3
GIGABYTES = 40
TENANT = "SELECT tenant_id FROM api_key WHERE hash = $1"
SAMPLE = """
    SELECT string_agg(id, E'\\n'), string_agg(external_reference, E'\\n')
      FROM (SELECT id, external_reference FROM customer TABLESAMPLE SYSTEM ($1) REPEATABLE (1)
             WHERE tenant_id = $2 ORDER BY random() LIMIT $3) AS sampled
"""
console = Console(width=None if sys.stdout.isatty() else 140)
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


class Costs(msgspec.Struct, frozen=True):
    """What requests cost at one size: milliseconds at the median with one client, requests a second with 64."""

    customers: int
    retrieve: float
    retrieve_rate: float
    by_reference: float
    by_reference_rate: float
    first_page: float
    deep_page: float


class Notes(msgspec.Struct):
    """What was measured so far, beside the database that it was measured on: an interrupted run goes on from there."""

    costs: list[Costs] = []
    filters: list[tuple[str, ...]] = []

    @classmethod
    def read(cls, path: Path) -> "Notes":
        return msgspec.json.decode(path.read_bytes(), type=cls) if path.exists() else cls()


@app.command()
def main(
    *,
    directory: Annotated[Path, typer.Option(help="Where the database is: 40 GB on a real disk.")] = Path("/var/tmp"),  # noqa: S108
    keep: Annotated[bool, typer.Option(help="Keep the database, and go on with it the next time.")] = False,
    large: Annotated[int, typer.Option(help="How many customers there are in the end.")] = LARGE,
    write: Annotated[bool, typer.Option(help="Write the tables to docs/performance.md.")] = True,
) -> None:
    """Load millions of customers and measure what reading one, or a page, costs beside them."""
    machine.wrk()
    machine.leave_in_order()
    with _home(directory, keep=keep) as home, services.owed(Bench(home, Path(), Cores.of_this_machine())) as owed:
        facts = machine.facts(home)
        tenant_id = sql.row(owed.dsn, TENANT, hashlib.sha256(owed.key.encode()).digest())[0]
        notes = Notes.read(home / "measured.json")
        for count in (SMALL, MIDDLE, large)[len(notes.costs) :]:
            _tell(f"Loading up to {count:,} customers")
            population.load(owed.dsn, tenant_id, count, _tell)
            _tell("Measuring")
            if count == MIDDLE:
                notes.filters = list(_filters(owed, count))
            notes.costs.append(_costs(owed, tenant_id, count))
            (home / "measured.json").write_bytes(msgspec.json.encode(notes))
    tables = [_growth(notes.costs), Grid(f"List pages by filter, {MIDDLE:,} customers", FILTER_COLUMNS, notes.filters)]
    tables.append(Grid("Machine", ("", ""), list(facts.items()), "left"))
    report.show(console, tables)
    if write and large == LARGE:
        date = datetime.now(UTC).strftime("%d %B %Y, %H:%M UTC")
        report.write("scale", f"Measured on {date}.\n\n" + "\n\n".join(table.markdown() for table in tables))


@contextmanager
def _home(directory: Path, *, keep: bool) -> Iterator[Path]:
    """Have a directory with room enough; one that was kept is taken up again."""
    if shutil.disk_usage(directory).free < GIGABYTES * 10**9:
        raise SystemExit(f"{directory} has less than {GIGABYTES} GB free: name another with --directory.")
    home = directory / "owed-bench-scale"
    home.mkdir(mode=0o711, exist_ok=True)
    try:
        yield home
    finally:
        if not keep:
            shutil.rmtree(home, ignore_errors=True)


def _costs(owed: Service, tenant_id: int, count: int) -> Costs:
    percent = min(100.0, 100 * 3 * NAMES / count)
    ids, references = sql.row(owed.dsn, SAMPLE, percent, tenant_id, NAMES)
    (owed.directory / "ids").write_text(ids + "\n")
    (owed.directory / "references").write_text(references + "\n")
    reads = (*_retrieve(owed, Scenario.RETRIEVE), *_retrieve(owed, Scenario.RETRIEVE_BY_REFERENCE))
    pages = Pages(owed)  # only now: a server hangs up on a client that says nothing for some seconds
    deep = pages.cursor_after(min(DEEP, count * 4 // 5))
    return Costs(count, *reads, pages.milliseconds(), pages.milliseconds(cursor=deep))


def _retrieve(owed: Service, scenario: Scenario) -> tuple[float, float]:
    owed.measure(Load(scenario, 64, SECONDS, 0))  # the first reads come from the disk
    alone = [owed.measure(Load(scenario, 1, SECONDS, 0)).p50 for _ in range(ROUNDS)]
    crowd = [owed.measure(Load(scenario, 64, SECONDS, 0)).rate for _ in range(ROUNDS)]
    return statistics.median(alone), statistics.median(crowd)


class Pages:
    """One client that lists customers, one page after another."""

    def __init__(self, owed: Service) -> None:
        self._client = Client(owed.url, owed.key)

    def page(self, **query: object) -> tuple[int, str | None]:
        """Ask for a page, and return how many customers are on it, and the cursor of the next."""
        answer = self._client.send("GET", f"/billing/customers?{urlencode(query)}")
        if answer.status != 200:
            raise SystemExit(f"{query} is answered with {answer.status} {answer.body.decode()}")
        return len(msgspec.json.decode(answer.body)["data"]), answer.headers["Next-Cursor"]

    def cursor_after(self, customers: int, **query: object) -> str:
        """Walk the pages until so many customers are behind, or the last page comes."""
        cursor = None
        for _ in range(max(1, customers // 100)):
            _, following = self.page(limit=100, **query, **({"cursor": cursor} if cursor else {}))
            if following is None:
                break
            cursor = following
        if cursor is None:
            raise SystemExit(f"{query} has no second page")
        return cursor

    def milliseconds(self, expected: int = 20, **query: object) -> float:
        """Return what a page takes at the median; it has to show as many customers as expected."""
        times = []
        for _ in range(REPEATS):
            begin = time.perf_counter()
            found, _ = self.page(**query)
            times.append(time.perf_counter() - begin)
            if found != expected:
                raise SystemExit(f"{query} finds {found} customers instead of {expected}")
        return statistics.median(times) * 1000


FILTER_COLUMNS = ("Filter", "on half: first page, ms", "page 2,000, ms", "on ten, ms", "on none, ms", "")


def _filters(owed: Service, count: int) -> Iterator[tuple[str, ...]]:
    """Measure the list pages of every filter, with a value on half of the customers, on ten, on none."""
    pages = Pages(owed)
    for name, half, ten, none in _values(count):
        cells = []
        if half:
            deep = pages.cursor_after(DEEP_IN_FILTER, **half)
            cells += [pages.milliseconds(**half), pages.milliseconds(**half, cursor=deep)]
        rest = [pages.milliseconds(10 if half else 1, **ten), pages.milliseconds(0, **none)]
        shown = [f"{cell:.1f}" for cell in cells] or ["", ""]
        met = max(cells + rest) <= FILTER_MS
        yield (name, *shown, *(f"{cell:.1f}" for cell in rest), "met" if met else "**not met**")


def _values(count: int) -> Iterator[tuple[str, dict[str, str], dict[str, str], dict[str, str]]]:
    """Yield each filter's name, and its values on half of the customers, on ten, on none."""
    half, ten = template(0, Kind.HALF), template(0, Kind.TEN)
    one = str(template(0, Kind.OWN).external_reference).replace(str(NUMBER), str(FIRST + count // 3))
    yield "`external_reference` (on one)", {}, {"external_reference": one}, {"external_reference": "nobody"}
    yield "`email`", {"email": str(half.email)}, {"email": str(ten.email)}, {"email": "nobody@example.com"}
    yield "`phone`", {"phone": str(half.phone)}, {"phone": str(ten.phone)}, {"phone": "+27333333333"}
    yield "`currency`", {"currency": "ZAR"}, {"currency": "BWP"}, {"currency": "CHF"}
    yield "`metadata[plan]`", {"metadata[plan]": "half"}, {"metadata[plan]": "ten"}, {"metadata[plan]": "none"}
    yield "`q`, one word", {"q": "halfword"}, {"q": "tenword"}, {"q": "noword"}
    yield "`q`, two words", {"q": "john halfword"}, {"q": "john tenword"}, {"q": "john noword"}
    after, before = "created_after", "created_before"
    yield "`created_after`", {after: _at(count // 2)}, {after: _at(count - 10)}, {after: _at(count + 1)}
    yield "`created_before`", {before: _at(count // 2)}, {before: _at(11)}, {before: _at(0)}


def _at(index: int) -> str:
    return born(index).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _growth(costs: list[Costs]) -> Grid:
    small, large = costs[0], costs[-1]
    rows = [
        ("Retrieve by id, 1 connection, p50 ms", "retrieve", 1),
        ("Retrieve by id, 64 connections, req/s", "retrieve_rate", -1),
        ("Retrieve by reference, 1 connection, p50 ms", "by_reference", 1),
        ("Retrieve by reference, 64 connections, req/s", "by_reference_rate", -1),
        ("List, first page of 20, ms", "first_page", 1),
        (f"List, a page {DEEP:,} customers on (8,000 of {SMALL:,}), ms", "deep_page", 1),
    ]
    shown = []
    for title, name, power in rows:
        factor = (getattr(large, name) / getattr(small, name)) ** power
        figures = (f"{getattr(each, name):,.0f}" if power < 0 else f"{getattr(each, name):.2f}" for each in costs)
        shown.append((title, *figures, f"{factor:.2f}{TIMES}", "met" if factor <= WITHIN else "**not met**"))
    columns = ("", *(f"{each.customers:,}" for each in costs), f"costs (at most {WITHIN}{TIMES})", "")
    return Grid("The same requests among more customers", columns, shown)


def _tell(text: str) -> None:
    console.print(f"{datetime.now(UTC):%H:%M:%S} {text}")


if __name__ == "__main__":
    app()
