"""What is done to a service: processes killed, or stopped for a while, by a seeded deck of cards."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psutil

from tests.failure.stand import Stand

Strike = Callable[[Stand, random.Random], None]

HUNG = 7.0
"""Seconds after which the supervisor has taken a stopped worker for dead."""


def kill_a_worker(stand: Stand, dice: random.Random) -> None:
    for worker in chosen(stand.workers(), dice):
        worker.kill()


def stop_a_worker_briefly(stand: Stand, dice: random.Random) -> None:
    for worker in chosen(stand.workers(), dice):
        with suspended(worker):
            time.sleep(dice.uniform(0.5, 3))


def stop_a_worker_for_long(stand: Stand, dice: random.Random) -> None:
    for worker in chosen(stand.workers(), dice):
        with suspended(worker):
            time.sleep(HUNG)


def kill_a_backend(stand: Stand, dice: random.Random) -> None:
    """Kill one process of PostgreSQL; the others leave, and it recovers from its log.

    But not the one that recovers: without it PostgreSQL 18 stands still for good, and does not even stop when told to.
    """
    for backend in chosen([each for each in stand.backends() if not is_recovering(each)], dice):
        backend.kill()


def is_recovering(backend: psutil.Process) -> bool:
    """Tell whether a process of PostgreSQL is the one that recovers from the log."""
    try:
        return "startup" in " ".join(backend.cmdline())
    except psutil.Error:  # it has just gone
        return False


def stop_a_backend(stand: Stand, dice: random.Random) -> None:
    for backend in chosen(stand.backends(), dice):
        with suspended(backend):
            time.sleep(dice.uniform(1, 4))


def kill_postgresql(stand: Stand, _dice: random.Random) -> None:
    """Kill PostgreSQL's first process: nobody is left to restart it but `owed serve`."""
    if postmaster := stand.postmaster():
        postmaster.kill()


def kill_a_worker_and_postgresql(stand: Stand, dice: random.Random) -> None:
    kill_postgresql(stand, dice)
    kill_a_worker(stand, dice)


def kill_the_parent(stand: Stand, _dice: random.Random) -> None:
    """Kill `owed serve`, and start it again at once, while its workers are still leaving."""
    stand.kill_parent()
    stand.start()


def kill_everything(stand: Stand, _dice: random.Random) -> None:
    for process in stand.everything():
        with suppress(psutil.NoSuchProcess):
            process.kill()
    stand.service.process.wait()
    stand.start()


KILLS: tuple[Strike, ...] = (
    *(kill_a_worker,) * 6,
    *(kill_a_backend,) * 5,
    *(kill_postgresql,) * 4,
    *(kill_a_worker_and_postgresql,) * 2,
    kill_the_parent,
    *(kill_everything,) * 2,
)
DECK: tuple[Strike, ...] = (
    *KILLS,
    *(stop_a_worker_briefly,) * 2,
    stop_a_worker_for_long,
    *(stop_a_backend,) * 2,
)


def chosen(processes: list[psutil.Process], dice: random.Random) -> Iterator[psutil.Process]:
    """Yield one of the processes, if there is any and it does not die first."""
    if processes:
        with suppress(psutil.NoSuchProcess):
            yield dice.choice(processes)


@contextmanager
def suspended(process: psutil.Process) -> Iterator[None]:
    """Stop a process for as long as the block lasts."""
    process.suspend()
    try:
        yield
    finally:
        with suppress(psutil.NoSuchProcess):
            process.resume()
