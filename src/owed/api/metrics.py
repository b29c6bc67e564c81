"""Metrics, counted in plain numbers: in the hot path a request has a microsecond for them."""

import os
from bisect import bisect_left
from collections.abc import Callable

import msgspec
import psutil

from owed.store.failures import errors_seen

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
WAITS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 600.0, 3600.0)

Gauge = tuple[str, str]
"""A name and what it means."""

WORKERS: Gauge = ("owed_workers", "Worker processes.")
DELIVERY_WORKERS: Gauge = ("owed_delivery_workers", "Processes that deliver webhooks.")


class Histogram(msgspec.Struct):
    """Counts observations, in buckets and in sum."""

    bounds: tuple[float, ...]
    counts: list[int]
    total: float = 0.0

    def observe(self, value: float) -> None:
        """Count one observation."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def add(self, other: "Histogram") -> None:
        """Count the observations of another."""
        self.counts = [ours + theirs for ours, theirs in zip(self.counts, other.counts, strict=True)]
        self.total += other.total

    def buckets(self) -> list[tuple[str, float]]:
        """Give the cumulative counts, as Prometheus takes them."""
        running, found = 0, []
        for bound, count in zip([*map(str, self.bounds), "+Inf"], self.counts, strict=True):
            running += count
            found.append((bound, float(running)))
        return found


def histogram(bounds: tuple[float, ...]) -> Histogram:
    """Make a histogram that has counted nothing."""
    return Histogram(bounds, [0] * (len(bounds) + 1))


class Counts(msgspec.Struct):
    """What has been counted, and never gets less.

    Attributes:
        requests: By route, method and status.
        seconds: To answer, by route and method.
        batches: How many requests went to the database together, by kind.
        errors: Of the database, by SQLSTATE.
        attempts: To deliver a webhook, by outcome.
        first_attempts: Seconds from the recording of an event to the first attempt to deliver it.
        cpu_seconds: That the processes have used.
    """

    requests: dict[tuple[str, str, int], int] = {}
    seconds: dict[tuple[str, str], Histogram] = {}
    batches: dict[str, Histogram] = {}
    errors: dict[str, int] = {}
    attempts: dict[str, int] = {}
    first_attempts: Histogram = msgspec.field(default_factory=lambda: histogram(WAITS))
    cpu_seconds: float = 0.0

    def add(self, other: "Counts") -> None:
        """Count what another has counted too."""
        for request, count in other.requests.items():
            self.requests[request] = self.requests.get(request, 0) + count
        for sqlstate, count in other.errors.items():
            self.errors[sqlstate] = self.errors.get(sqlstate, 0) + count
        for outcome, count in other.attempts.items():
            self.attempts[outcome] = self.attempts.get(outcome, 0) + count
        self.first_attempts.add(other.first_attempts)
        for route, seconds in other.seconds.items():
            self.seconds.setdefault(route, histogram(SECONDS)).add(seconds)
        for kind, sizes in other.batches.items():
            self.batches.setdefault(kind, histogram(SIZES)).add(sizes)
        self.cpu_seconds += other.cpu_seconds


class Snapshot(msgspec.Struct, frozen=True):
    """What one worker tells the others.

    Attributes:
        gauges: What stands at the moment, by name and meaning.
    """

    pid: int
    counts: Counts
    gauges: dict[Gauge, float]


class Metrics:
    """What this worker counts.

    Args:
        role: The gauge that counts workers like it.
    """

    def __init__(self, role: Gauge = WORKERS) -> None:
        self.inherited = Counts()
        """What a worker had counted whose place this one takes."""
        self.gauges: dict[Gauge, Callable[[], float]] = {}
        self._counts = Counts(batches={"read": histogram(SIZES), "write": histogram(SIZES)})
        self._process = psutil.Process()
        self._gauge_process(role)

    @property
    def batches(self) -> dict[str, Histogram]:
        """Give the histograms of batch sizes, by kind."""
        return self._counts.batches

    def note_request(self, route: str, method: str, status: int, taken: float) -> None:
        """Count a request and the seconds that it took."""
        counts = self._counts
        request = (route, method, status)
        counts.requests[request] = counts.requests.get(request, 0) + 1
        seconds = counts.seconds.get((route, method))
        if seconds is None:
            seconds = counts.seconds[route, method] = histogram(SECONDS)
        seconds.observe(taken)

    @property
    def attempts(self) -> dict[str, int]:
        """Give the attempts to deliver a webhook, by outcome."""
        return self._counts.attempts

    @property
    def first_attempts(self) -> Histogram:
        """Give the histogram of the time to the first attempt."""
        return self._counts.first_attempts

    def note_attempt(self, outcome: str) -> None:
        """Count an attempt to deliver a webhook."""
        self.attempts[outcome] = self.attempts.get(outcome, 0) + 1

    def snapshot(self) -> Snapshot:
        """Give what stands now."""
        self._counts.errors = dict(errors_seen)
        self._counts.cpu_seconds = sum(self._process.cpu_times()[:2])
        counts = Counts()
        counts.add(self.inherited)
        counts.add(self._counts)
        return Snapshot(os.getpid(), counts, {gauge: read() for gauge, read in self.gauges.items()})

    def _gauge_process(self, role: Gauge) -> None:
        process = self._process
        self.gauges[role] = lambda: 1
        self.gauges["process_open_fds", "Open file descriptors, of all workers."] = process.num_fds
        memory = "process_resident_memory_bytes", "Resident memory, of all workers."
        self.gauges[memory] = lambda: process.memory_info().rss
