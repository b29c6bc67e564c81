"""The metrics as Prometheus reads them."""

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from owed.api.metrics import Counts, Gauge, Histogram, Snapshot


def exposition(told: Iterable[Snapshot], living: Iterable[Snapshot]) -> bytes:
    """Write the sums over workers.

    Args:
        told: What every worker has counted, of those that are gone too.
        living: Those of them that are at work: only theirs is what stands at the moment.
    """
    counts, gauges = Counts(), dict[Gauge, float]()
    for snapshot in told:
        counts.add(snapshot.counts)
    for snapshot in living:
        for gauge, value in snapshot.gauges.items():
            gauges[gauge] = gauges.get(gauge, 0) + value
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Families(counts, gauges))
    return generate_latest(registry)


class Families:
    """Families of metrics, as the library collects them."""

    def __init__(self, counts: Counts, gauges: dict[Gauge, float]) -> None:
        self._counts = counts
        self._gauges = gauges

    def collect(self) -> Iterator[Metric]:
        """Yield each family."""
        counts = self._counts
        requests = CounterMetricFamily("owed_requests", "Requests.", labels=["route", "method", "status"])
        for (route, method, status), count in counts.requests.items():
            requests.add_metric([route, method, str(status)], count)
        yield requests
        yield histograms("owed_request_seconds", "Time to answer.", ["route", "method"], counts.seconds.items())
        sizes = [((kind,), histogram) for kind, histogram in counts.batches.items()]
        yield histograms("owed_batch_size", "Requests that went to the database together.", ["kind"], sizes)
        errors = CounterMetricFamily("owed_database_errors", "Errors of the database.", labels=["sqlstate"])
        for sqlstate, count in counts.errors.items():
            errors.add_metric([sqlstate], count)
        yield errors
        attempts = CounterMetricFamily("owed_webhook_attempts", "Attempts to deliver a webhook.", labels=["outcome"])
        for outcome, count in counts.attempts.items():
            attempts.add_metric([outcome], count)
        yield attempts
        waits = [((), counts.first_attempts)]
        yield histograms("owed_webhook_delivery_seconds", "From recording to the first attempt.", [], waits)
        yield CounterMetricFamily("process_cpu_seconds", "Processor time, of all workers.", value=counts.cpu_seconds)
        for (name, meaning), value in self._gauges.items():
            yield GaugeMetricFamily(name, meaning, value=value)


def histograms(name: str, meaning: str, labels: list[str], of: Iterable[tuple[tuple[str, ...], Histogram]]) -> Metric:
    """Make a family of histograms, each with the values of its labels."""
    family = HistogramMetricFamily(name, meaning, labels=labels)
    for values, histogram in of:
        family.add_metric(list(values), histogram.buckets(), histogram.total)
    return family
