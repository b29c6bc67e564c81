"""An `owed serve` to be hurt: its processes by their place in the tree, never by name, and its start on one port."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from tests.contract.service import Service, data_directory

PATIENCE = 30.0
PORT_FREE_WITHIN = 10.0
SHOWN = 80


class Stand:
    """One place of data and one port, on which `owed serve` is started again and again, as an operator's init does."""

    def __init__(self, data_dir: Path, workers: int = 2, **settings: str) -> None:
        self.data_dir = data_dir
        self.port = free_port()
        self.workers_wanted = workers
        self.settings = {"OWED_DATA_DIR": str(data_dir), "OWED_WORKERS": str(workers)} | settings
        self._logs: list[Path] = []
        self._seen: set[psutil.Process] = set()
        self.service = self._start()

    def start(self) -> None:
        """Start `owed serve` again, on the same data and the same port, and once more while that is not free yet."""
        for client in self.service._clients:
            client.close()
        deadline = time.monotonic() + PORT_FREE_WITHIN
        while True:
            try:
                self.service = self._start()
            except AssertionError as failure:
                if "address already in use" not in str(failure) or time.monotonic() > deadline:
                    raise
            else:
                return

    def is_serving(self) -> bool:
        """Tell whether the `owed serve` that was started last still runs."""
        return self.service.process.poll() is None

    def workers(self) -> list[psutil.Process]:
        """Give the workers that run."""
        try:
            children = psutil.Process(self.service.process.pid).children()
        except psutil.NoSuchProcess:
            return []
        workers = [child for child in children if is_worker(child)]
        self._seen.update(workers)
        return workers

    def connections(self) -> int:
        """Count the connections of clients that the workers have accepted."""
        of_workers = [each for worker in self.workers() for each in worker.net_connections()]
        return sum(each.status == psutil.CONN_ESTABLISHED and each.laddr.port == self.port for each in of_workers)

    def postmaster(self) -> psutil.Process | None:
        """Give PostgreSQL's first process, if it runs on our data."""
        try:
            lines = (self.data_dir / "postgres" / "postmaster.pid").read_text().splitlines()
            process = psutil.Process(int(lines[0]))
            return process if self._is_ours(process) else None
        except (OSError, IndexError, ValueError, psutil.Error):
            return None

    def backends(self) -> list[psutil.Process]:
        """Give PostgreSQL's other processes: those that work for a connection, and its own."""
        postmaster = self.postmaster()
        try:
            return postmaster.children() if postmaster else []
        except psutil.NoSuchProcess:
            return []

    def everything(self) -> list[psutil.Process]:
        """Give every process that belongs to the service, `owed serve` first."""
        first = psutil.Process(self.service.process.pid)
        postmaster = self.postmaster()
        return [first, *first.children(recursive=True), *([postmaster] if postmaster else []), *self.backends()]

    def kill_parent(self) -> None:
        """Kill `owed serve` itself, and nothing that it started."""
        self.service.process.kill()
        self.service.process.wait()

    def log(self) -> str:
        """Give all that was logged since the first start."""
        return "".join(log.read_text(errors="replace") for log in self._logs)

    def errors(self) -> list[str]:
        """Give the lines of the log that report an error."""
        return [line for line in self.log().splitlines() if '"level":"error"' in line]

    def complaints(self) -> list[str]:
        """Give the last lines of the log that are about no request."""
        return [line for line in self.log().splitlines() if '"milliseconds"' not in line][-SHOWN:]

    def ended_within(self, seconds: float) -> int | None:
        """Wait for the end of `owed serve` and give its exit code; kill it, and give None, where it takes longer."""
        try:
            return self.service.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill_parent()
            return None

    def close(self) -> None:
        """Stop the service, and see off whatever a failed test has left of it."""
        if self.is_serving():
            self.service.stop()
        for client in self.service._clients:
            client.close()
        left = [process for process in self._seen if not is_gone(process)]
        if postmaster := self.postmaster():
            left += [postmaster, *postmaster.children()]
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def _start(self) -> Service:
        ours = {name: value for name, value in os.environ.items() if not name.startswith("OWED_")}
        environment = ours | self.settings
        log = self.data_dir.parent / f"serve-{len(self._logs)}.log"
        self._logs.append(log)
        command = [sys.executable, "-m", "owed", "serve", "--port", str(self.port), "--data-dir", str(self.data_dir)]
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, env=environment, stdout=output, stderr=subprocess.STDOUT, process_group=0
            )
        service = Service(self.port, self.data_dir, environment, process, log)
        # Until it listens, an orphan of the last one may still answer on the port.
        wait_until(lambda: "Owed listens" in log.read_text() or process.poll() is not None, "owed serve listens")
        service._wait_until_ready()
        return service

    def _is_ours(self, process: psutil.Process) -> bool:
        return process.name().startswith("postgres") and (self.data_dir / "postgres").samefile(process.cwd())


def is_worker(process: psutil.Process) -> bool:
    """Tell whether a child of `owed serve` is one of its workers."""
    try:
        return "spawn_main" in " ".join(process.cmdline())
    except psutil.Error:  # it has just died
        return False


def is_gone(process: psutil.Process) -> bool:
    """Tell whether a process has ended, even if nobody has asked how."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@contextmanager
def standing(workers: int = 2, **settings: str) -> Iterator[Stand]:
    """Have a service stand on data of its own."""
    with data_directory() as place:
        stand = Stand(place, workers, **settings)
        try:
            yield stand
        finally:
            stand.close()


@contextmanager
def told_on_failure(stand: Stand, story: list[str]) -> Iterator[None]:
    """Add what happened, and what the service said of it, to the failure if there is one."""
    try:
        yield
    except BaseException as failure:
        failure.add_note("\n".join([*story, *stand.complaints()]))
        raise


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(happened: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    """Wait for something that nobody tells us of."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} s"
        time.sleep(0.02)
