"""`python -m bench`: measure Owed beside its peers."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench import machine, report, services, settings
from bench.contract import check
from bench.machine import Cores
from bench.pgbench import pgbench
from bench.rounds import CONNECTIONS, Contender, Measurements, Plan, measure
from bench.seeding import seed, seed_bare
from bench.services import Bench, Service

ALL = "Owed,usual,tuned,bare,pgbench"
console = Console(width=None if sys.stdout.isatty() else 140)
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    *,
    peer_python: Annotated[
        Path, typer.Option(envvar="BENCH_PEER_PYTHON", help="The Python that has the peers' libraries.")
    ] = Path(".venv-bench/bin/python"),
    contenders: Annotated[str, typer.Option(help="Who is measured.")] = ALL,
    rounds: Annotated[int, typer.Option(help="How many times each one's turn comes.")] = 5,
    seconds: Annotated[float, typer.Option(help="How long each run is.")] = 4,
    customers: Annotated[int, typer.Option(help="How many customers there are in each database.")] = 10_000,
    directory: Annotated[Path, typer.Option(help="Where the databases are: on a real disk.")] = Path("/var/tmp"),  # noqa: S108
    write: Annotated[bool, typer.Option(help="Write the tables to docs/performance.md.")] = True,
) -> None:
    """Measure Owed beside its peers over HTTP, and print how they compare."""
    machine.wrk()
    machine.leave_in_order()
    if machine.is_busy():
        console.print("Others are at work on this machine: what follows says little.", style="bold red")
    plan = Plan(rounds, seconds, customers)
    with scratch(directory) as home, ExitStack() as stack:
        bench = Bench(home, peer_python.absolute(), Cores.of_this_machine())
        facts = machine.facts(home)
        taking_part = list(_started(bench, contenders.split(","), customers, stack))
        facts |= settings.of(bench, taking_part, plan)
        measured = measure(taking_part, plan, _tell)
        measured.resident = {each.name: each.resident for each in taking_part if isinstance(each, Service)}
    _report(measured, facts, write=write and contenders == ALL)
    raise SystemExit(1 if measured.failures else 0)


def _started(bench: Bench, names: list[str], customers: int, stack: ExitStack) -> Iterator[Contender]:
    """Start those who take part, and give each its customers."""
    bodies: list[bytes] = []
    for name in names:
        _tell(f"Starting {name} and seeding it with {customers:,} customers")
        if name == "pgbench":
            yield stack.enter_context(pgbench(bench, customers))
            continue
        start = {"Owed": services.owed, "usual": services.usual, "tuned": services.tuned, "bare": services.bare}[name]
        service = stack.enter_context(start(bench))
        if name == "bare":
            seed_bare(service, bodies)
        else:
            bodies = seed(service, customers)
        check(service)
        yield service


@contextmanager
def scratch(parent: Path) -> Iterator[Path]:
    """Have a directory that PostgreSQL's account may pass through, and that is gone afterwards."""
    home = Path(tempfile.mkdtemp(prefix="owed-bench-", dir=parent))
    home.chmod(0o711)
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _report(measured: Measurements, facts: dict[str, str], *, write: bool) -> None:
    tables = list(report.grids(measured, CONNECTIONS, facts))
    report.show(console, tables)
    for failure in measured.failures:
        console.print(f"FAILED: {failure}", style="bold red")
    if write and not measured.failures:
        date = datetime.now(UTC).strftime("%d %B %Y, %H:%M UTC")
        report.write("bench", f"Measured on {date}.\n\n" + "\n\n".join(table.markdown() for table in tables))
        _tell(f"Written to {report.PAGE}")


def _tell(text: str) -> None:
    console.print(f"{datetime.now(UTC):%H:%M:%S} {text}")


if __name__ == "__main__":
    app()
