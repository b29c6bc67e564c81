"""`python -m bench.verify`: how long `owed verify` takes over five million transfers, and how much memory."""

import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import asyncpg
import psutil
import typer
from rich.console import Console

from bench import machine, report, sql
from bench.ledger import Ledger
from bench.report import Grid
from owed.database.embedded import running

SECONDS, MEGABYTES = 180, 200
GIGABYTES = 20

LOOK_EVERY = 0.1
"""Seconds between two looks at the memory of what runs."""

TENANT = "SELECT id FROM tenant WHERE mode = 'test'"
console = Console(width=None if sys.stdout.isatty() else 140)
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


class Run(NamedTuple):
    """What a command printed, how long it took, and the bytes of memory that it held at the most."""

    printed: Any
    seconds: float
    peak: int


@app.command()
def main(
    *,
    directory: Annotated[Path, typer.Option(help="Where the database is: 20 GB on a real disk.")] = Path("/var/tmp"),  # noqa: S108
    transfers: Annotated[int, typer.Option(help="About how many transfers there are.")] = 5_000_000,
) -> None:
    """Load a ledger and verify it."""
    machine.leave_in_order()
    if machine.is_busy():
        console.print("Others are at work on this machine: what follows says little.", style="bold red")
    with _home(directory) as home, running(home) as dsn:
        facts = machine.facts(home)
        _run(home, "merchants", "create", "Bench")
        asyncio.run(_load(dsn, sql.row(dsn, TENANT)[0], transfers))
        run = _run(home, "verify")
    found = run.printed
    rows = [
        *((name.capitalize(), f"{found[name]:,}", "") for name in ("transfers", "obligations", "payments")),
        ("Seconds", f"{run.seconds:.0f}", _met(is_kept=run.seconds < SECONDS)),
        ("Transfers a second", f"{found['transfers'] / run.seconds:,.0f}", ""),
        ("MB of memory at the most", f"{run.peak / 1e6:.0f}", _met(is_kept=run.peak < MEGABYTES * 1e6)),
    ]
    columns = ("", "", f"under {SECONDS} s and {MEGABYTES} MB")
    report.show(console, [Grid("owed verify", columns, rows), Grid("Machine", ("", ""), list(facts.items()), "left")])


async def _load(dsn: str, tenant_id: int, transfers: int) -> None:
    connection = await asyncpg.connect(dsn, server_settings={"synchronous_commit": "off"})
    try:
        await Ledger(tenant_id, transfers).load(connection)
    finally:
        await connection.close()


def _run(home: Path, *arguments: str) -> Run:
    """Run a command that prints JSON."""
    command = [sys.executable, "-m", "owed", *arguments, "--data-dir", str(home), "--json"]
    began, peak = time.monotonic(), 0
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        while True:
            peak = max(peak, _resident(process.pid))  # what the system counts begins with what this process had
            with suppress(subprocess.TimeoutExpired):
                printed, _ = process.communicate(timeout=LOOK_EVERY)
                break
    if process.returncode:
        raise SystemExit(process.returncode)
    return Run(json.loads(printed), time.monotonic() - began, peak)


def _resident(pid: int) -> int:
    """Give the bytes of memory that a process has; none where it has ended."""
    with suppress(psutil.Error):
        return int(psutil.Process(pid).memory_info().rss)
    return 0


def _met(*, is_kept: bool) -> str:
    return "met" if is_kept else "**not met**"


@contextmanager
def _home(directory: Path) -> Iterator[Path]:
    """Have a directory with room enough, for as long as it is needed."""
    if shutil.disk_usage(directory).free < GIGABYTES * 10**9:
        raise SystemExit(f"{directory} has less than {GIGABYTES} GB free: name another with --directory.")
    with tempfile.TemporaryDirectory(prefix="owed-verify-", dir=directory) as name:
        home = Path(name)
        home.chmod(0o711)
        yield home


if __name__ == "__main__":
    app()
