"""A service with two delivery workers, that of `owed serve` and an `owed worker`, and what is done to them."""

import asyncio
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import asyncpg
import psutil

from tests.contract.service import data_directory, dsn_of
from tests.failure.stand import Stand, is_gone, wait_until
from tests.failure.strikes import (
    chosen,
    kill_a_backend,
    kill_a_worker,
    kill_everything,
    kill_postgresql,
    kill_the_parent,
    suspended,
)

AT_WORK: Final = "webhooks are delivered from now on"
WRITERS: Final = "SELECT pid FROM pg_locks WHERE relation = 'event'::regclass AND mode = 'RowExclusiveLock'"
LEASED: Final = 8.0
"""Seconds after which what a stopped delivery worker had claimed is anybody's."""


class DeliveringStand(Stand):
    """A stand with an `owed worker` beside it, which runs on whatever becomes of `owed serve`."""

    def __init__(self, data_dir: Path, **settings: str) -> None:
        super().__init__(data_dir, workers=2, **settings)
        self.worker = self._start_worker()

    def revive(self) -> None:
        """Start `owed worker` again where it was killed, or found no database to begin with. Nothing else may end."""
        assert self.is_serving(), "owed serve has ended"
        ended = self.worker.poll()
        if ended is not None:
            was_at_work = AT_WORK in self._worker_log.read_text()
            assert ended == -signal.SIGKILL or not was_at_work, f"owed worker has ended with {ended}"
            self.worker = self._start_worker()

    def deliverers(self) -> list[psutil.Process]:
        """Give the delivery workers that run."""
        running = [each for each in self.everything() if is_deliverer(each)]
        self._seen.update(running)
        return running

    def everything(self) -> list[psutil.Process]:
        worker = [] if self.worker.poll() is not None else [psutil.Process(self.worker.pid)]
        return [*super().everything(), *worker]

    def close(self) -> None:
        """Stop `owed worker` too."""
        self.deliverers()
        self.worker.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.worker.wait(10)
        super().close()
        self.worker.wait()

    def _start_worker(self) -> subprocess.Popen[bytes]:
        self._worker_log = self.data_dir.parent / f"worker-{len(self._logs)}.log"
        self._logs.append(self._worker_log)
        command = [sys.executable, "-m", "owed", "worker"]
        with self._worker_log.open("wb") as output:
            settings = self.service.environment | {"OWED_WEBHOOK_ALLOW": "127.0.0.0/8"}
            return subprocess.Popen(command, env=settings, stdout=output, stderr=subprocess.STDOUT, process_group=0)


def is_deliverer(process: psutil.Process) -> bool:
    """Tell whether a process delivers."""
    try:
        return not is_gone(process) and not {"owed.cli.delivering", "worker"}.isdisjoint(process.cmdline())
    except psutil.Error:  # it has just died
        return False


@contextmanager
def delivering(**settings: str) -> Iterator[DeliveringStand]:
    """Have a service that delivers stand on data of its own."""
    with data_directory() as place:
        stand = DeliveringStand(place, **settings)
        try:
            yield stand
        finally:
            stand.close()


Blow = Callable[[DeliveringStand, random.Random], None]


def kill_a_deliverer(stand: DeliveringStand, dice: random.Random) -> None:
    kill(list(chosen(stand.deliverers(), dice)))


def kill_all_deliverers(stand: DeliveringStand, _dice: random.Random) -> None:
    kill(stand.deliverers())


def kill(processes: list[psutil.Process]) -> None:
    """Kill processes, and wait until they are gone."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    wait_until(lambda: all(map(is_gone, processes)), "what is killed is gone")


def kill_a_deliverer_and_postgresql(stand: DeliveringStand, dice: random.Random) -> None:
    kill_postgresql(stand, dice)
    kill_a_deliverer(stand, dice)


def stop_a_deliverer_briefly(stand: DeliveringStand, dice: random.Random) -> None:
    for deliverer in chosen(stand.deliverers(), dice):
        with suspended(deliverer):
            time.sleep(dice.uniform(0.5, 2))


def stop_a_deliverer_beyond_its_claims(stand: DeliveringStand, dice: random.Random) -> None:
    """Stop a delivery worker for so long that another does what it had claimed, and let it go on with that."""
    for deliverer in chosen(stand.deliverers(), dice):
        with suspended(deliverer):
            time.sleep(LEASED + 1)


def stop_writers(stand: DeliveringStand, dice: random.Random) -> None:
    """Stop transactions that have written events and not ended, one by one, while others that began later end."""
    for _ in range(5):
        for writer in chosen(asyncio.run(writers(dsn_of(stand.service))), dice):
            with suspended(writer):
                time.sleep(0.4)


async def writers(dsn: str) -> list[psutil.Process]:
    """Give the processes of PostgreSQL that are at such transactions, or none where there are none for a second."""
    with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, psutil.NoSuchProcess):
        connection = await asyncpg.connect(dsn, timeout=2, command_timeout=2)
        try:
            for _ in range(200):
                if found := await connection.fetch(WRITERS):
                    return [psutil.Process(row["pid"]) for row in found]
                await asyncio.sleep(0.005)
        finally:
            connection.terminate()
    return []


KILLS: Final[tuple[Blow, ...]] = (
    *(kill_a_deliverer,) * 6,
    *(kill_all_deliverers,) * 2,
    *(kill_a_deliverer_and_postgresql,) * 2,
    *(kill_postgresql,) * 2,
    *(kill_a_backend,) * 4,
    *(kill_a_worker,) * 2,
    kill_the_parent,
    kill_everything,
)
DECK: Final[tuple[Blow, ...]] = (
    *KILLS,
    stop_a_deliverer_briefly,
    stop_a_deliverer_beyond_its_claims,
    stop_writers,
)
