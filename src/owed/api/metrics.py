"""Metrics for Prometheus, counted in plain numbers: in the hot path a request has a microsecond for them."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from owed.store.failures import errors_seen

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class Histogram:
    """Counts observations in buckets."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count one observation."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def buckets(self) -> list[tuple[str, float]]:
        """Give the cumulative counts, as Prometheus takes them."""
        running, found = 0, []
        for bound, count in zip([*map(str, self.bounds), "+Inf"], self.counts, strict=True):
            running += count
            found.append((bound, float(running)))
        return found


class Metrics:
    """What one worker has counted."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, str, int]] = Counter()
        self.seconds: defaultdict[tuple[str, str], Histogram] = defaultdict(lambda: Histogram(SECONDS))
        self.batches: defaultdict[str, Histogram] = defaultdict(lambda: Histogram(SIZES))
        self.gauges: dict[tuple[str, str], Callable[[], float]] = {}

    def note_request(self, route: str, method: str, status: int, taken: float) -> None:
        """Count a request and the seconds that it took."""
        self.requests[route, method, status] += 1
        self.seconds[route, method].observe(taken)

    def exposition(self) -> bytes:
        """Write it all as Prometheus reads it."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return generate_latest(registry)

    def collect(self) -> Iterator[Metric]:
        """Yield each family of metrics."""
        requests = CounterMetricFamily(
            "owed_requests", "Requests, by route, method and status.", labels=["route", "method", "status"]
        )
        for (route, method, status), count in self.requests.items():
            requests.add_metric([route, method, str(status)], count)
        yield requests
        seconds = HistogramMetricFamily("owed_request_seconds", "Time to answer.", labels=["route", "method"])
        for labels, histogram in self.seconds.items():
            seconds.add_metric(list(labels), histogram.buckets(), histogram.total)
        yield seconds
        sizes = HistogramMetricFamily("owed_batch_size", "Requests that went to the database together.", labels=["kind"])
        for kind, histogram in self.batches.items():
            sizes.add_metric([kind], histogram.buckets(), histogram.total)
        yield sizes
        errors = CounterMetricFamily("owed_database_errors", "Errors of the database, by SQLSTATE.", labels=["sqlstate"])
        for sqlstate, count in errors_seen.items():
            errors.add_metric([sqlstate], count)
        yield errors
        for (name, meaning), read in self.gauges.items():
            yield GaugeMetricFamily(name, meaning, value=read())
