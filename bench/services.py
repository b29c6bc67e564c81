"""The services that are measured: started as their users start them, each with a PostgreSQL of its own."""

import hashlib
import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench import machine, sql
from bench.books import OF_OWED, OF_PEERS, Columns
from bench.load import Load, Sample, Scenario, over_http
from bench.machine import Cores
from owed.database.embedded import running

START_SECONDS = 60
PEERS = Path(__file__).with_name("peers")
BARE_SCHEMA = """
    CREATE TABLE customer (
        id text COLLATE "C" PRIMARY KEY, external_reference text COLLATE "C" NOT NULL UNIQUE, body bytea NOT NULL)
"""
READS = frozenset({Scenario.RETRIEVE, Scenario.RETRIEVE_BY_REFERENCE})
USUAL = frozenset(Scenario) - {Scenario.CHARGE_HOT}
"""What the usual stack does."""

TUNED = USUAL - {Scenario.CHECK, Scenario.PAY_HUNDRED, Scenario.REFUND}
"""What the tuned stack does."""

SCHEMA, PAY = (PEERS / "schema.sql").read_text(), (PEERS / "pay.sql").read_text()


@dataclass(frozen=True)
class Bench:
    """What all contenders of a run have in common."""

    directory: Path
    peer_python: Path
    cores: Cores


@dataclass(frozen=True)
class Service:
    """A service that runs, and where its books are."""

    name: str
    url: str
    key: str
    dsn: str
    process: psutil.Process
    directory: Path
    cores: Cores
    scenarios: frozenset[Scenario] = frozenset(Scenario)
    columns: Columns = OF_PEERS

    def measure(self, load: Load) -> Sample:
        """Drive the service, and tell how busy its process was meanwhile."""
        before = cpu_seconds(self.process)
        sample = over_http(load, self.url, self.key, self.directory, self.cores.load)
        busy = (cpu_seconds(self.process) - before) / sample.seconds
        return Sample(sample.requests, sample.seconds, sample.p50, sample.p99, sample.refused, sample.broken, busy)

    @property
    def resident(self) -> int:
        """The bytes that the worker holds in memory."""
        return int(self.process.memory_info().rss)


@contextmanager
def owed(bench: Bench, *options: str) -> Iterator[Service]:
    """Run Owed as a user does, on the PostgreSQL that it brings."""
    home, port = made(bench.directory / "Owed"), free_port()
    command = [str(Path(sys.executable).with_name("owed"))]
    serve = [*command, "serve", "--workers", "1", "--port", str(port), "--data-dir", str(home), *options]
    with started(serve, {}, home / "service.log", bench.cores) as process, running(home) as dsn:
        url = f"http://127.0.0.1:{port}"
        _wait(f"{url}/ready", process, home / "service.log")
        key = _key_of_owed([*command, "merchants", "create", "Bench", "--data-dir", str(home), "--json"], home)
        machine.pin_tree(postmaster(dsn), bench.cores.database)
        yield Service("Owed", url, key, dsn, process, home, bench.cores, columns=OF_OWED)


def _key_of_owed(create: list[str], home: Path) -> str:
    """Create a merchant and return its secret test key; or the one of a merchant that stood here before."""
    noted = home / "bench.key"
    if not noted.exists():
        merchant = json.loads(subprocess.run(create, check=True, capture_output=True, text=True).stdout)
        noted.write_text(merchant["keys"]["sk_test"])
    return noted.read_text()


@contextmanager
def usual(bench: Bench) -> Iterator[Service]:
    """Run the usual stack."""
    with _peer(bench, "usual", SCHEMA, scheme="postgresql+asyncpg", scenarios=USUAL) as service:
        yield service


@contextmanager
def tuned(bench: Bench) -> Iterator[Service]:
    """Run the tuned stack."""
    with _peer(bench, "tuned", SCHEMA + PAY, scenarios=TUNED) as service:
        yield service


@contextmanager
def bare(bench: Bench) -> Iterator[Service]:
    """Run the bare stack, which only reads."""
    with _peer(bench, "bare", BARE_SCHEMA, scenarios=READS) as service:
        yield service


@contextmanager
def _peer(
    bench: Bench,
    name: str,
    schema: str,
    *,
    scheme: str = "postgresql",
    scenarios: frozenset[Scenario] = frozenset(Scenario),
) -> Iterator[Service]:
    home, port, key = made(bench.directory / name), free_port(), f"sk_test_{secrets.token_hex(20)}"
    command = [str(bench.peer_python), "-m", "uvicorn", f"bench.peers.{name}_stack:app", "--port", str(port)]
    command += ["--workers", "1", "--loop", "uvloop", "--http", "httptools"]
    command += ["--no-access-log", "--log-level", "warning"]
    with running(home) as dsn:
        sql.execute(dsn, schema)
        if "api_key" in schema:
            _insert_key(dsn, key)
        environment = {"DATABASE_URL": dsn.replace("postgresql", scheme, 1)}
        with started(command, environment, home / "service.log", bench.cores) as process:
            _wait(f"http://127.0.0.1:{port}/billing/customers/none", process, home / "service.log")
            machine.pin_tree(postmaster(dsn), bench.cores.database)
            yield Service(name, f"http://127.0.0.1:{port}", key, dsn, process, home, bench.cores, scenarios)


def _insert_key(dsn: str, key: str) -> None:
    digest = hashlib.sha256(key.encode()).hexdigest()
    sql.execute(dsn, f"INSERT INTO api_key VALUES ('key_1', 1, 'secret', '\\x{digest}', NULL, NULL)")  # noqa: S608


def made(home: Path) -> Path:
    """Make the directory of a contender, which PostgreSQL's account may pass through."""
    home.mkdir(mode=0o711, exist_ok=True)
    return home


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def started(command: list[str], environment: Mapping[str, str], log: Path, cores: Cores) -> Iterator[psutil.Process]:
    """Run a server on its core until the block ends."""
    with log.open("wb") as output, machine.pinned(cores.server):
        server = subprocess.Popen(
            command, env={**os.environ, **environment}, stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield psutil.Process(server.pid)
    finally:
        server.terminate()
        server.wait(timeout=START_SECONDS)


def _wait(url: str, process: psutil.Process, log: Path) -> None:
    """Return when the service answers at all, whatever it says; give up when it is gone."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        with suppress(urllib.error.URLError, ConnectionError):
            try:
                urllib.request.urlopen(url, timeout=5).close()  # noqa: S310  (a service of our own)
            except urllib.error.HTTPError as refusal:
                if refusal.code == 503:
                    time.sleep(0.1)
                    continue
            return
        time.sleep(0.1)
    raise SystemExit(f"{log.parent.name} did not start:\n{log.read_text()[-2000:]}")


def postmaster(dsn: str) -> psutil.Process:
    """Return the process that all of a PostgreSQL's others descend from."""
    return psutil.Process(sql.postmaster(dsn))


def cpu_seconds(process: psutil.Process) -> float:
    """Count the seconds that a process has kept a core busy."""
    times = process.cpu_times()
    return float(times.user + times.system)
