"""`python -m bench`: measure Owed beside its peers."""

import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench import contract, machine, many_bills, report, services, settings, webhook_report, webhooks
from bench.load import OF_BILLS, OF_CUSTOMERS, OF_PAYMENTS, Group, Scenario
from bench.machine import Cores
from bench.pgbench import FILES, pgbench
from bench.report import Grid
from bench.rounds import Contender, Measurements, Plan, measure
from bench.seeding import seed, seed_bare, seed_bills, seed_payments
from bench.services import Bench, Service

ALL = "Owed,usual,tuned,bare,pgbench,queue"
EVERY = ",".join(Group)
ABLE: dict[str, frozenset[Scenario]] = {
    "bare": services.READS,
    "pgbench": frozenset(FILES),
    "queue": frozenset(),  # it delivers webhooks
}
"""What those do who cannot do everything."""

MARKERS = {
    Group.CUSTOMERS: "bench",
    Group.BILLS: "bench-bills",
    Group.PAYMENTS: "bench-payments",
    Group.WEBHOOKS: "bench-webhooks",
}
console = Console(width=None if sys.stdout.isatty() else 140)
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    *,
    peer_python: Annotated[
        Path, typer.Option(envvar="BENCH_PEER_PYTHON", help="The Python that has the peers' libraries.")
    ] = Path(".venv-bench/bin/python"),
    contenders: Annotated[str, typer.Option(help="Who is measured.")] = ALL,
    scenarios: Annotated[str, typer.Option(help="What is measured.")] = EVERY,
    rounds: Annotated[int, typer.Option(help="How many times each one's turn comes.")] = 5,
    seconds: Annotated[float, typer.Option(help="How long each run is.")] = 2,
    customers: Annotated[int, typer.Option(help="How many customers there are in each database.")] = 10_000,
    bills: Annotated[int, typer.Option(help="How many bills there are where one customer's are listed.")] = 1_000_000,
    backlog: Annotated[int, typer.Option(help="How many events there are in the backlog of webhooks.")] = 100_000,
    directory: Annotated[Path, typer.Option(help="Where the databases are: on a real disk.")] = Path("/var/tmp"),  # noqa: S108
    write: Annotated[bool, typer.Option(help="Write the tables to docs/performance.md.")] = True,
) -> None:
    """Measure Owed beside its peers over HTTP, and print how they compare."""
    machine.wrk()
    machine.leave_in_order()
    if machine.is_busy():
        console.print("Others are at work on this machine: what follows says little.", style="bold red")
    groups = [Group(name) for name in scenarios.split(",")]
    write = write and contenders == ALL
    for group in groups if write else []:
        report.around(MARKERS[group])  # or the run would be for nothing
    plan = Plan(rounds, seconds, customers, bills, frozenset().union(*(group.scenarios for group in groups)))
    names, failures = contenders.split(","), []
    with scratch(directory) as home:
        bench = Bench(home, peer_python.absolute(), Cores.of_this_machine())
        if plan.scenarios:
            failures += _requests(bench, names, plan, groups, write=write)
        if Group.WEBHOOKS in groups:
            failures += _webhooks(bench, names, webhooks.Plan(rounds, seconds, backlog), write=write)
    for failure in failures:
        console.print(f"FAILED: {failure}", style="bold red")
    raise SystemExit(1 if failures else 0)


def _requests(bench: Bench, names: list[str], plan: Plan, groups: list[Group], *, write: bool) -> list[str]:
    """Measure requests over HTTP, report, and return what went wrong."""
    measured, facts = _measured(bench, names, plan)
    for group in groups:
        if group.scenarios:
            _report(group, report.grids(measured, group, facts), write=write and not measured.failures)
    return measured.failures


def _webhooks(bench: Bench, names: list[str], plan: webhooks.Plan, *, write: bool) -> list[str]:
    """Measure deliveries, report, and return what went wrong. There are more processes than cores: none is pinned."""
    apart = Bench(services.made(bench.directory / "webhooks"), bench.peer_python, Cores())
    findings, facts = webhooks.measure(apart, names, plan, _tell)
    _report(Group.WEBHOOKS, webhook_report.grids(findings, plan, facts), write=write and not findings.failures)
    return findings.failures


def _measured(bench: Bench, names: list[str], plan: Plan) -> tuple[Measurements, dict[str, str]]:
    """Measure those who take part, and tell under which circumstances."""
    facts = machine.facts(bench.directory)
    with ExitStack() as stack:
        contenders = list(_started(bench, names, plan, stack))
        facts |= settings.of(bench, contenders, plan)
        running = [each for each in contenders if isinstance(each, Service)]
        measured = measure(contenders, plan, lambda scenario: _prepare(scenario, running, plan), _tell)
        measured.resident = {each.name: each.resident for each in running}
    return measured, facts


def _started(bench: Bench, names: list[str], plan: Plan, stack: ExitStack) -> Iterator[Contender]:
    """Start those who take part, and give each its customers, bills and payments."""
    bodies: list[bytes] = []
    for name in names:
        if not ABLE.get(name, plan.scenarios) & plan.scenarios:
            continue
        _tell(f"Starting and seeding {name}")
        if name == "pgbench":
            yield stack.enter_context(pgbench(bench, plan))
            continue
        start = {"Owed": services.owed, "usual": services.usual, "tuned": services.tuned, "bare": services.bare}[name]
        service = stack.enter_context(start(bench))
        if name == "bare":
            seed_bare(service, bodies)
        elif plan.scenarios & OF_CUSTOMERS:
            bodies = seed(service, plan.customers)
        if service.scenarios & plan.scenarios & OF_BILLS:
            seed_bills(service, plan.owners)
        if service.scenarios & plan.scenarios & OF_PAYMENTS:
            seed_payments(service, plan.payers)
        contract.check(service, plan.scenarios)
        yield service


def _prepare(scenario: Scenario, running: list[Service], plan: Plan) -> None:
    """Load the many bills among which those of one customer are listed."""
    if scenario is not Scenario.BILLS_OF_CUSTOMER:
        return
    for service in running:
        if scenario in service.scenarios:
            _tell(f"Loading {plan.bills:,} bills into {service.name}")
            many_bills.load(service, plan.bills)
            contract.check_list(service)


@contextmanager
def scratch(parent: Path) -> Iterator[Path]:
    """Have a directory that PostgreSQL's account may pass through, and that is gone afterwards."""
    home = Path(tempfile.mkdtemp(prefix="owed-bench-", dir=parent))
    home.chmod(0o711)
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _report(group: Group, grids: Iterable[Grid], *, write: bool) -> None:
    tables = list(grids)
    report.show(console, tables)
    if write:
        date = datetime.now(UTC).strftime("%d %B %Y, %H:%M UTC")
        report.write(MARKERS[group], f"Measured on {date}.\n\n" + "\n\n".join(table.markdown() for table in tables))
        _tell(f"Written to {report.PAGE}")


def _tell(text: str) -> None:
    console.print(f"{datetime.now(UTC):%H:%M:%S} {text}")


if __name__ == "__main__":
    app()
