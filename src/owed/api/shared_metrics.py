"""Metrics of a whole service: every worker writes what it has counted to a file, and whoever is asked sums them.

What has been told once is never taken back: a scrape reads files only, its own worker's written just before. The file
of a worker that died stays, until the one that is started in its place takes it over, by renaming it.
"""

import asyncio
import contextlib
import logging
import os
import shutil
import tempfile
from pathlib import Path

import msgspec
import psutil

from owed.api.exposition import exposition
from owed.api.metrics import Metrics, Snapshot

logger = logging.getLogger("owed.metrics")

WRITE_EVERY = 1.0
"""Seconds between two writings."""

SUFFIX = ".counts"

SERVICE = "OWED_SERVICE"
"""The variable with the process id of `owed serve`, where its processes are several."""

encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Snapshot).decode


class SharedMetrics:
    """The metrics of this worker among those of the others.

    Args:
        directory: Where the workers of this service write; None where this one is alone.
    """

    def __init__(self, metrics: Metrics, directory: Path | None) -> None:
        self._metrics = metrics
        self._directory = directory
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Take over from a worker that died, and write from now on."""
        if self._directory is not None:
            self._inherit(self._directory)
            self._task = asyncio.create_task(self._write_for_ever(self._directory))

    def close(self) -> None:
        """Write for the last time."""
        if self._directory is not None and self._task is not None:
            self._task.cancel()
            self._write(self._directory)

    def exposition(self) -> bytes:
        """Write the metrics of the whole service as Prometheus reads them."""
        if self._directory is None:
            told = [self._metrics.snapshot()]
            return exposition(told, living=told)
        self._write(self._directory)
        told = read(self._directory)
        return exposition(told, living=[snapshot for snapshot in told if psutil.pid_exists(snapshot.pid)])

    async def _write_for_ever(self, directory: Path) -> None:
        while True:
            self._write(directory)
            await asyncio.sleep(WRITE_EVERY)

    def _write(self, directory: Path) -> None:
        unfinished = directory / f"{os.getpid()}.unfinished"
        with contextlib.suppress(OSError):  # a disk that is full must stop nothing: what was written last stays
            unfinished.write_bytes(encode(self._metrics.snapshot()))
            unfinished.replace(own(directory))

    def _inherit(self, directory: Path) -> None:
        for file in directory.glob(f"*{SUFFIX}"):
            if not psutil.pid_exists(int(file.stem)):
                with contextlib.suppress(FileNotFoundError):  # another new worker was faster
                    file.replace(own(directory))
                    self._metrics.inherited = decode(own(directory).read_bytes()).counts
                    return


def own(directory: Path) -> Path:
    """Name this worker's file."""
    return directory / f"{os.getpid()}{SUFFIX}"


def read(directory: Path) -> list[Snapshot]:
    """Read what every worker has written; from the start again where a file is taken over meanwhile."""
    while True:
        with contextlib.suppress(FileNotFoundError):
            return [decode(file.read_bytes()) for file in directory.glob(f"*{SUFFIX}")]


def directory_of_service() -> Path | None:
    """Make the directory of this process's service; None where a process is all there is."""
    if not (pid := os.environ.get(SERVICE)):
        return None
    try:
        started = psutil.Process(int(pid)).create_time()
        place = private(Path(tempfile.gettempdir()) / f"owed-{os.geteuid()}")
        forget_services_gone(place)
        return private(place / f"{pid}-{started:.0f}")
    except (OSError, psutil.NoSuchProcess) as error:
        logger.warning("the metrics will be those of one worker at a time: %s", error)
        return None


def private(directory: Path) -> Path:
    """Make a directory that is ours alone.

    Raises:
        PermissionError: Somebody else has made it.
    """
    directory.mkdir(mode=0o700, exist_ok=True)
    found = directory.lstat()
    if found.st_uid != os.geteuid() or directory.is_symlink() or found.st_mode & 0o077:
        raise PermissionError(f"{directory} is not ours alone")
    return directory


def forget_services_gone(place: Path) -> None:
    """Remove the directories of services that have ended."""
    for directory in place.iterdir():
        if not psutil.pid_exists(int(directory.name.partition("-")[0])):
            shutil.rmtree(directory, ignore_errors=True)
