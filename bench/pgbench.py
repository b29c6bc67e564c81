"""PostgreSQL's own load generator on the statements of the tuned stack: no service at all."""

import re
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import machine, sql
from bench.books import OF_PEERS, Columns
from bench.load import OF_CUSTOMERS, OF_PAYMENTS, SCRIPT_OF, Load, Sample, Scenario
from bench.machine import Cores
from bench.rounds import Plan
from bench.services import PAY, SCHEMA, Bench, made, postmaster
from owed.database.embedded import running

STATEMENTS = Path(__file__).with_name("statements")
FILES = {scenario: SCRIPT_OF[scenario].name for scenario in OF_CUSTOMERS}
FILES |= {
    Scenario.RETRIEVE_BY_REFERENCE: "retrieve_by_reference",
    Scenario.PAY_MANY: "pay_many",
    Scenario.PAY_HOT: "pay_hot",
}


@dataclass(frozen=True)
class Pgbench:
    """Clients of pgbench, on the core where a service would be."""

    program: Path
    dsn: str
    plan: Plan
    directory: Path
    cores: Cores
    name: str = "pgbench"
    scenarios: frozenset[Scenario] = frozenset(FILES)
    columns: Columns = OF_PEERS

    def measure(self, load: Load) -> Sample:
        """Run a scenario's statement, prepared, and read the time of every transaction from the log."""
        with tempfile.TemporaryDirectory(dir=self.directory) as logs:
            command = [str(self.program), "-n", "-M", "prepared", "-c", str(load.connections), "-j", "1"]
            command += ["-T", str(max(1, round(load.seconds)))]
            variables = {"customers": self.plan.customers, "payers": self.plan.payers, "run": load.run, "number": 0}
            command += [f"-D{name}={value}" for name, value in variables.items()]
            command += ["-f", str(STATEMENTS / f"{FILES[load.scenario]}.sql"), "--log", "--log-prefix", f"{logs}/log"]
            command.append(self.dsn)
            with machine.pinned(self.cores.server):
                answer = subprocess.run(command, check=True, capture_output=True, text=True)
            times = sorted(_milliseconds(Path(logs)))
        rate = float(_number(r"tps = ([\d.]+)", answer.stdout))
        failed = int(_number(r"number of failed transactions: (\d+)", answer.stdout))
        p99 = times[min(len(times) - 1, int(len(times) * 0.99))]
        return Sample(len(times), len(times) / rate, statistics.median(times), p99, broken=failed)


@contextmanager
def pgbench(bench: Bench, plan: Plan) -> Iterator[Pgbench]:
    """Have the tables and the function of the tuned stack, seeded, in a PostgreSQL of their own."""
    home = made(bench.directory / "pgbench")
    with running(home) as dsn:
        for script in (SCHEMA, PAY, *_seeds(plan)):
            sql.execute(dsn, script)
        sql.execute(dsn, "VACUUM ANALYZE")
        server = postmaster(dsn)
        machine.pin_tree(server, bench.cores.database)
        yield Pgbench(Path(server.exe()).with_name("pgbench"), dsn, plan, home, bench.cores)


def _seeds(plan: Plan) -> Iterator[str]:
    """Yield what fills the tables, as far as the plan needs it."""
    if plan.scenarios & OF_CUSTOMERS:
        yield (STATEMENTS / "seed.sql").read_text().format(customers=plan.customers)
    if plan.scenarios & OF_PAYMENTS:
        yield (STATEMENTS / "seed_payers.sql").read_text().format(payers=plan.payers)


def _milliseconds(logs: Path) -> Iterator[float]:
    for log in logs.iterdir():
        with log.open() as lines:
            yield from (int(line.split(maxsplit=3)[2]) / 1000 for line in lines)


def _number(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise SystemExit(f"pgbench says something else than {pattern}:\n{text}")
    return found[1]
