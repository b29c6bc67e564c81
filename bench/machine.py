"""The machine that a run is on: its cores and who gets which, its disk, its versions."""

import importlib.metadata
import json
import os
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

LIBRARIES = ("uvicorn", "uvloop", "httptools", "asyncpg", "msgspec", "fastapi", "pydantic", "sqlalchemy")
DELIVERING = ("uvloop", "asyncpg", "aiohttp", "httpx", "sqlalchemy", "standardwebhooks")
BUSY = ("user", "nice", "system", "irq", "softirq")
VERSIONS = """
import importlib.metadata as m, json, platform, sys
found = {name: m.version(name) for name in sys.argv[1:] if any(m.distributions(name=name))}
print(json.dumps({"Python": platform.python_version(), **found}))
"""


@dataclass(frozen=True)
class Cores:
    """Who runs where. What is empty is left to the kernel."""

    server: frozenset[int] = frozenset()
    load: frozenset[int] = frozenset()
    database: frozenset[int] = frozenset()

    @classmethod
    def of_this_machine(cls) -> "Cores":
        """Give the server a core, the load another, and PostgreSQL the rest, or the load's where none is left."""
        if not hasattr(os, "sched_getaffinity"):
            return cls()
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) < 2:
            return cls()
        return cls(frozenset(cores[:1]), frozenset(cores[1:2]), frozenset(cores[2:] or cores[1:2]))

    def __str__(self) -> str:
        if not self.server:
            return "not pinned: the kernel decides"
        server, load, database = _listed(self.server), _listed(self.load), _listed(self.database)
        return f"server {server}, load generator {load}, PostgreSQL {database}"


def _listed(cores: frozenset[int]) -> str:
    return ("core " if len(cores) == 1 else "cores ") + ", ".join(str(core) for core in sorted(cores))


@contextmanager
def pinned(cores: frozenset[int]) -> Iterator[None]:
    """Have what the block starts run on these cores alone; this process too, meanwhile."""
    if not cores:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def pin_tree(process: psutil.Process, cores: frozenset[int]) -> None:
    """Move a process, and those that it started, to these cores."""
    if not cores:
        return
    process.cpu_affinity(sorted(cores))  # first, for those that it starts meanwhile
    for child in process.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            child.cpu_affinity(sorted(cores))


def facts(directory: Path) -> dict[str, str]:
    """Tell what the machine is, in the words of the report."""
    memory = psutil.virtual_memory().total / 2**30
    return {
        "CPU": f"{_cpu()}, {os.cpu_count()} cores",
        "Memory": f"{memory:.0f} GiB",
        "System": f"{_system()}, kernel {platform.release()}",
        "Disk": f"{_filesystem(directory)}, an 8 KiB write with fdatasync takes {_sync_microseconds(directory):.0f} µs",
        "Load before the run": " ".join(f"{load:.2f}" for load in os.getloadavg()),
    }


def versions(python: str | Path, libraries: Sequence[str] = LIBRARIES) -> str:
    """List the versions of an interpreter and of the libraries in it that matter here."""
    answer = subprocess.run([python, "-c", VERSIONS, *libraries], check=True, capture_output=True, text=True)
    return ", ".join(f"{name} {version}" for name, version in json.loads(answer.stdout).items())


def is_busy() -> bool:
    """Tell whether others are at work here, so that the numbers of a run would say little."""
    return os.getloadavg()[0] > 0.5


def busy_seconds() -> float:
    """Count the seconds that all cores together have been busy, whoever kept them."""
    times = psutil.cpu_times()._asdict()
    return float(sum(seconds for kind, seconds in times.items() if kind in BUSY))


def leave_in_order() -> None:
    """Have SIGTERM stop, like Ctrl-C, everything that was started."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


def wrk() -> str:
    """Return the path of wrk, or leave with what to do."""
    found = shutil.which("wrk")
    if found is None:
        raise SystemExit("The load generator wrk is missing: apt-get install wrk (Debian, Ubuntu) or brew install wrk.")
    return found


def wrk_version() -> str:
    banner = subprocess.run([wrk(), "-v"], check=False, capture_output=True, text=True).stdout
    return " ".join(banner.split()[:2])


def owed_version() -> str:
    return importlib.metadata.version("owed")


def _cpu() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    models = re.findall(r"model name\s*: (.*)", cpuinfo.read_text()) if cpuinfo.exists() else []
    return models[0] if models else platform.processor() or platform.machine()


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return platform.system()


def _filesystem(directory: Path) -> str:
    mounts = [mount for mount in psutil.disk_partitions(all=True) if directory.is_relative_to(mount.mountpoint)]
    return max(mounts, key=lambda mount: len(mount.mountpoint)).fstype if mounts else "unknown"


def _sync_microseconds(directory: Path) -> float:
    """Measure what makes a commit durable: without it the writes of a run could not be told from another machine's."""
    path = directory / "sync"
    times = []
    with path.open("wb", buffering=0) as file:
        for _ in range(200):
            begin = time.perf_counter()
            file.seek(0)
            file.write(b"\0" * 8192)
            getattr(os, "fdatasync", os.fsync)(file.fileno())
            times.append(time.perf_counter() - begin)
    path.unlink()
    return statistics.median(times) * 1e6
