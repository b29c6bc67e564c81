"""The real thing: `owed serve` as a process, its command line, and its database."""

import asyncio
import json as jsonlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import asyncpg

from owed.database.embedded import Server
from tests.contract.client import Client, Json

Result = TypeVar("Result")

_START: Final = 30.0
_STOP: Final = 20.0


@dataclass(frozen=True)
class Merchant:
    """A merchant as `owed merchants create` told it."""

    id: str
    name: str
    keys: dict[str, str]


@dataclass
class Service:
    """A running `owed serve`."""

    port: int
    data_dir: Path
    environment: dict[str, str]
    process: subprocess.Popen[bytes]
    log: Path
    _clients: list[Client] = field(default_factory=list)

    @classmethod
    def start(cls, data_dir: Path, **settings: str) -> Self:
        """Start `owed serve` on a free port with `settings` (OWED_…) and wait until it is ready.

        It delivers no webhooks unless `OWED_DELIVERIES` says so: few tests have a receiver.
        """
        settings.setdefault("OWED_DELIVERIES", "false")
        port = _free_port()
        ours = {name: value for name, value in os.environ.items() if not name.startswith("OWED_")}
        environment = ours | {"OWED_DATA_DIR": str(data_dir)} | settings
        log = data_dir.parent / f"serve-{port}.log"
        command = [sys.executable, "-m", "owed", "serve", "--port", str(port), "--data-dir", str(data_dir)]
        with log.open("wb") as output:
            process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
        service = cls(port, data_dir, environment, process, log)
        service._wait_until_ready()
        return service

    def stop(self) -> None:
        """Ask it to stop, as an operator does, and wait until it has."""
        for client in self._clients:
            client.close()
        self.process.terminate()
        try:
            self.process.wait(_STOP)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"owed serve did not stop within {_STOP} s:\n{self.log.read_text()}") from None

    def client(self, key: str | None = None, *, timeout: float = 15.0) -> Client:
        """Return a caller with a key of its own, or none."""
        client = Client(self.port, key, timeout=timeout)
        self._clients.append(client)
        return client

    def owed(self, *arguments: str) -> Any:
        """Run an `owed` command on the same data and return the JSON that it prints."""
        return jsonlib.loads(self.run(*arguments, "--json"))

    def run(self, *arguments: str) -> str:
        """Run an `owed` command on the same data and return what it prints."""
        command = [sys.executable, "-m", "owed", *arguments]
        done = subprocess.run(
            command, env=self.environment, capture_output=True, check=False, text=True, timeout=_START
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def merchant(self, name: str) -> Merchant:
        """Create a merchant, with its four keys."""
        made: Json = self.owed("merchants", "create", name)
        return Merchant(made["id"], made["name"], made["keys"])

    def key(self, merchant: Merchant, *, mode: str = "test", kind: str = "secret", **more: str) -> Json:
        """Create one more key; the answer holds its `id`, and the `key` itself this once."""
        options = [part for name, value in more.items() for part in (f"--{name.replace('_', '-')}", value)]
        made: Json = self.owed("keys", "create", "--merchant", merchant.id, "--mode", mode, "--type", kind, *options)
        return made

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _START
        client = Client(self.port)
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if client.get("/ready").status == 200:
                    client.close()
                    return
            except (OSError, HTTPException):
                client.close()
            time.sleep(0.02)  # there is nothing to wait on before it listens
        self.process.kill()
        self.process.wait()
        raise AssertionError(f"owed serve did not become ready:\n{self.log.read_text()}")


class Database:
    """A connection of the test's own to the service's database, for what cannot be seen over HTTP."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._connection = self._run(asyncpg.connect(dsn))

    def execute(self, statement: str, *arguments: Any) -> str:
        """Run a statement and return its tag."""
        return self._run(self._connection.execute(statement, *arguments))

    def rows(self, statement: str, *arguments: Any) -> list[asyncpg.Record]:
        """Run a query and return its rows."""
        return self._run(self._connection.fetch(statement, *arguments))

    def value(self, statement: str, *arguments: Any) -> Any:
        """Run a query and return the first value of its first row."""
        return self._run(self._connection.fetchval(statement, *arguments))

    def tables_with(self, text: str) -> list[str]:
        """Name the tables that have a text anywhere: as text, in whatever case, or as bytes."""
        tables = self.rows(
            "SELECT relname AS name FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        )
        found = "SELECT count(*) FROM {} AS row WHERE position($1 IN lower(row::text)) + position($2 IN row::text) > 0"
        sought = text.lower(), text.encode().hex()
        return [table["name"] for table in tables if self.value(found.format(table["name"]), *sought)]

    @contextmanager
    def locked(self, customer_id: str) -> Iterator[None]:
        """Hold the row of a customer, so that whatever would change it waits."""
        self.execute("BEGIN")
        try:
            assert self.rows("SELECT 1 FROM customer WHERE id = $1 FOR UPDATE", customer_id)
            yield
        finally:
            self.execute("ROLLBACK")

    def wait_for_a_waiter(self) -> None:
        """Return as soon as another connection waits for one of our locks."""
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))"
        deadline = time.monotonic() + 5
        while self.value(waiting) == 0:
            assert time.monotonic() < deadline, "nothing waits for the lock"

    def close(self) -> None:
        """Close the connection and end the loop behind it."""
        self._run(self._connection.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)


@contextmanager
def data_directory() -> Iterator[Path]:
    """Make a place for a service's data, and take it away afterwards.

    Its path is short, because it will hold a Unix socket, and open to others, because under root PostgreSQL runs as
    somebody else; pytest's own directories are neither.
    """
    place = Path(tempfile.mkdtemp(prefix="owed-"))
    place.chmod(0o755)
    try:
        yield place / "data"
    finally:
        shutil.rmtree(place, ignore_errors=True)


def dsn_of(service: Service) -> str:
    """Return how to connect to the database of a service."""
    return Server(service.data_dir).dsn


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
