"""`python -m bench.scale`: what a retrieve, a list page and each of its filters cost among millions of customers."""

import hashlib
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NamedTuple
from urllib.parse import urlencode

import msgspec
import typer
from rich.console import Console

from bench import machine, population, report, services, sql
from bench.client import Client
from bench.load import Load, Sample, Scenario
from bench.machine import Cores
from bench.population import FIRST, Kind, born, reference, template
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
SECONDS = 3
ROUNDS = 5
GIGABYTES = 40
TENANT = "SELECT tenant_id FROM api_key WHERE hash = $1"
SAMPLE = """
    SELECT string_agg(id, E'\\n'), string_agg(external_reference, E'\\n')
      FROM (SELECT id, external_reference FROM customer TABLESAMPLE SYSTEM ($1) REPEATABLE (1)
             WHERE tenant_id = $2 ORDER BY random() LIMIT $3) AS sampled
"""
console = Console(width=None if sys.stdout.isatty() else 140)
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    *,
    directory: Annotated[Path, typer.Option(help="Where the databases are: 40 GB on a real disk.")] = Path("/var/tmp"),  # noqa: S108
    keep: Annotated[bool, typer.Option(help="Keep the databases, and go on with them the next time.")] = False,
    large: Annotated[int, typer.Option(help="How many customers there are in the end.")] = LARGE,
    write: Annotated[bool, typer.Option(help="Write the tables to docs/performance.md.")] = True,
) -> None:
    """Load millions of customers and measure what reading one, or a page, costs beside them."""
    machine.wrk()
    machine.leave_in_order()
    if machine.is_busy():
        console.print("Others are at work on this machine: what follows says little.", style="bold red")
    with _home(directory, keep=keep) as home, _owed(home / "few") as few, _owed(home / "many") as many:
        facts = machine.facts(home)
        _load(few, SMALL)
        filters = _filters_noted(home / "filters.json", many)
        _load(many, large)
        tables = [_growth(_subject(few, SMALL), _subject(many, large))]
    tables.append(Grid(f"List pages by filter, {MIDDLE:,} customers", FILTER_COLUMNS, filters))
    tables.append(Grid("Machine", ("", ""), list(facts.items()), "left"))
    report.show(console, tables)
    if write and large == LARGE:
        date = datetime.now(UTC).strftime("%d %B %Y, %H:%M UTC")
        report.write("scale", f"Measured on {date}.\n\n" + "\n\n".join(table.markdown() for table in tables))


@contextmanager
def _home(directory: Path, *, keep: bool) -> Iterator[Path]:
    """Have a directory with room enough; one that was kept is taken up again."""
    home = directory / "owed-bench-scale"
    if not home.exists() and shutil.disk_usage(directory).free < GIGABYTES * 10**9:
        raise SystemExit(f"{directory} has less than {GIGABYTES} GB free: name another with --directory.")
    home.mkdir(mode=0o711, exist_ok=True)
    try:
        yield home
    finally:
        if not keep:
            shutil.rmtree(home, ignore_errors=True)


@contextmanager
def _owed(directory: Path) -> Iterator[Service]:
    directory.mkdir(mode=0o711, exist_ok=True)
    with services.owed(Bench(directory, Path(), Cores.of_this_machine())) as owed:
        yield owed


def _tenant(owed: Service) -> int:
    return int(sql.row(owed.dsn, TENANT, hashlib.sha256(owed.key.encode()).digest())[0])


def _load(owed: Service, count: int) -> None:
    _tell(f"Loading up to {count:,} customers")
    population.load(owed, _tenant(owed), count, _tell)


class Pages:
    """One client that lists customers, one page after another."""

    def __init__(self, owed: Service) -> None:
        self._client = Client(owed.url, owed.key)

    def page(self, query: Mapping[str, str]) -> tuple[int, str | None]:
        """Ask for a page, and return how many customers are on it, and the cursor of the next."""
        answer = self._client.send("GET", f"/billing/customers?{urlencode(query)}")
        if answer.status != 200:
            raise SystemExit(f"{query} is answered with {answer.status} {answer.body.decode()}")
        return len(msgspec.json.decode(answer.body)["data"]), answer.headers["Next-Cursor"]

    def after(self, customers: int, query: Mapping[str, str]) -> dict[str, str]:
        """Walk the pages until so many customers are behind, and return the query of the next page."""
        ahead = {**query}
        for _ in range(customers // 100):
            _, cursor = self.page({**ahead, "limit": "100"})
            if cursor is None:
                raise SystemExit(f"{query} has no {customers:,} customers")
            ahead["cursor"] = cursor
        return ahead

    def milliseconds(self, query: Mapping[str, str], expected: int = 20) -> float:
        """Return what a page takes at the median; it has to show as many customers as expected."""
        times = []
        for _ in range(REPEATS):
            begin = time.perf_counter()
            found, _ = self.page(query)
            times.append(time.perf_counter() - begin)
            if found != expected:
                raise SystemExit(f"{query} finds {found} customers instead of {expected}")
        return statistics.median(times) * 1000


class Subject(NamedTuple):
    """A service with so many customers, and the query of a page deep among them."""

    owed: Service
    customers: int
    deep: dict[str, str]

    def retrieve(self, scenario: Scenario, connections: int) -> Sample:
        """Retrieve customers from all over the table."""
        return self.owed.measure(Load(scenario, connections, SECONDS, run=0))


BY_ID, BY_REFERENCE = Scenario.RETRIEVE, Scenario.RETRIEVE_BY_REFERENCE
ASPECTS: tuple[tuple[str, Callable[[Subject], float]], ...] = (
    ("Retrieve by id, 1 connection, p50 ms", lambda subject: subject.retrieve(BY_ID, 1).p50),
    ("Retrieve by id, 64 connections, p50 ms", lambda subject: subject.retrieve(BY_ID, 64).p50),
    ("Retrieve by reference, 1 connection, p50 ms", lambda subject: subject.retrieve(BY_REFERENCE, 1).p50),
    ("Retrieve by reference, 64 connections, p50 ms", lambda subject: subject.retrieve(BY_REFERENCE, 64).p50),
    ("List, first page of 20, ms", lambda subject: Pages(subject.owed).milliseconds({})),
    (f"List, the page {DEEP:,} customers on, ms", lambda subject: Pages(subject.owed).milliseconds(subject.deep)),
)


def _subject(owed: Service, count: int) -> Subject:
    """Note customers to retrieve and a deep page to list, and read once what comes from the disk the first time."""
    percent = min(100.0, 100 * 3 * NAMES / count)
    ids, references = sql.row(owed.dsn, SAMPLE, percent, _tenant(owed), NAMES)
    (owed.directory / "ids").write_text(f"{ids}\n")
    (owed.directory / "references").write_text(f"{references}\n")
    subject = Subject(owed, count, Pages(owed).after(min(DEEP, count * 4 // 5), {}))
    for scenario in (BY_ID, BY_REFERENCE):
        subject.retrieve(scenario, 64)
    return subject


def _growth(few: Subject, many: Subject) -> Grid:
    """Compare the two in turns, because a machine drifts."""
    rows = []
    for title, cost in ASPECTS:
        _tell(title)
        turns = [(cost(few), cost(many)) for _ in range(ROUNDS)]
        small, large = (statistics.median(costs) for costs in zip(*turns, strict=True))
        met = "met" if large <= WITHIN * small else "**not met**"
        rows.append((title, f"{small:.2f}", f"{large:.2f}", f"{large / small:.2f}{TIMES}", met))
    columns = ("", f"{few.customers:,}", f"{many.customers:,}", f"at most {WITHIN}{TIMES}", "")
    return Grid("The same requests among more customers", columns, rows)


FILTER_COLUMNS = ("Filter", "on half: first page, ms", "page 2,000, ms", "on ten, ms", "on none, ms", "")


def _filters_noted(notes: Path, owed: Service) -> list[tuple[str, ...]]:
    """Measure the filters on the way to the full size, or take what was noted when a kept database was there."""
    if not notes.exists():
        _load(owed, MIDDLE)
        _tell("List pages by filter")
        notes.write_bytes(msgspec.json.encode(list(_filters(owed))))
    return msgspec.json.decode(notes.read_bytes(), type=list[tuple[str, ...]])


def _filters(owed: Service) -> Iterator[tuple[str, ...]]:
    """Measure the list pages of every filter, with a value on half of the customers, on ten, on none."""
    pages = Pages(owed)
    for name, half, ten, none in _values():
        on_half = [pages.milliseconds(half), pages.milliseconds(pages.after(DEEP_IN_FILTER, half))] if half else []
        rest = [pages.milliseconds(ten, 10 if half else 1), pages.milliseconds(none, 0)]
        shown = [f"{cell:.1f}" for cell in on_half] or ["", ""]
        met = max(on_half + rest) <= FILTER_MS
        yield (name, *shown, *(f"{cell:.1f}" for cell in rest), "met" if met else "**not met**")


def _values() -> Iterator[tuple[str, dict[str, str], dict[str, str], dict[str, str]]]:
    """Yield each filter's name, and its values on half of the customers, on ten, on none."""
    half, ten, one = template(Kind.HALF), template(Kind.TEN), reference(FIRST + MIDDLE // 3)
    yield "`external_reference` (on one)", {}, {"external_reference": one}, {"external_reference": "nobody"}
    yield "`email`", {"email": half["email"]}, {"email": ten["email"]}, {"email": "nobody@example.com"}
    yield "`phone`", {"phone": half["phone"]}, {"phone": ten["phone"]}, {"phone": "+27333333333"}
    yield "`currency`", {"currency": "ZAR"}, {"currency": "BWP"}, {"currency": "CHF"}
    yield "`metadata[plan]`", {"metadata[plan]": "half"}, {"metadata[plan]": "ten"}, {"metadata[plan]": "none"}
    yield "`q`, one word", {"q": "halfword"}, {"q": "tenword"}, {"q": "noword"}
    yield "`q`, two words", {"q": "john halfword"}, {"q": "john tenword"}, {"q": "john noword"}
    after, before = "created_after", "created_before"
    yield "`created_after`", {after: _at(MIDDLE // 2)}, {after: _at(MIDDLE - 10)}, {after: _at(MIDDLE + 1)}
    yield "`created_before`", {before: _at(MIDDLE // 2)}, {before: _at(11)}, {before: _at(0)}


def _at(index: int) -> str:
    return born(index).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _tell(text: str) -> None:
    console.print(f"{datetime.now(UTC):%H:%M:%S} {text}")


if __name__ == "__main__":
    app()
