"""Metrics: of a request, of a worker, of a whole service."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from owed.api.metrics import Counts, Metrics, Snapshot
from owed.api.shared_metrics import SharedMetrics, encode, forget_services_gone, private
from tests.contract.client import Client
from tests.contract.service import Service

HEALTH = {"route": "/health", "method": "GET", "status": "200"}


def read(exposition: bytes, name: str, labels: dict[str, str] | None = None) -> float:
    """Return one sample, 0 where there is none."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(exposition.decode())
        for sample in family.samples
        if sample.name == name and sample.labels == (labels or {})
    )


def dead_pid() -> int:
    """Return a process id that was in use and is no more."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
        return process.pid


def asked(count: int) -> Metrics:
    """Return the metrics of a worker that was asked for its health so often."""
    metrics = Metrics()
    for _ in range(count):
        metrics.note_request("/health", "GET", 200, 0.003)
    return metrics


def test_a_request_is_counted_by_route_and_status_and_time() -> None:
    metrics = asked(2)
    metrics.note_request("/health", "GET", 400, 7.0)
    exposition = SharedMetrics(metrics, None).exposition()
    labels = {"route": "/health", "method": "GET"}

    assert read(exposition, "owed_requests_total", HEALTH) == 2
    assert read(exposition, "owed_requests_total", HEALTH | {"status": "400"}) == 1
    assert read(exposition, "owed_request_seconds_bucket", labels | {"le": "0.005"}) == 2
    assert read(exposition, "owed_request_seconds_bucket", labels | {"le": "+Inf"}) == 3
    assert read(exposition, "owed_request_seconds_sum", labels) == pytest.approx(7.006)


def test_noting_a_request_takes_next_to_no_time() -> None:
    """Two microseconds on a quiet machine; a loaded one may take five times as long."""
    metrics = Metrics()
    rounds = []
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(10_000):
            metrics.note_request("/billing/customers/{customer}", "GET", 200, 0.003)
        rounds.append((time.perf_counter() - began) / 10_000)

    assert min(rounds) < 10e-6


def test_what_a_dead_worker_counted_still_counts_but_what_it_held_does_not(tmp_path: Path) -> None:
    gone = Snapshot(dead_pid(), Counts(requests={("/health", "GET", 200): 5}), {("owed_queue_length", ""): 7.0})
    (tmp_path / f"{gone.pid}.counts").write_bytes(encode(gone))
    exposition = SharedMetrics(asked(1), tmp_path).exposition()

    assert read(exposition, "owed_requests_total", HEALTH) == 6
    assert read(exposition, "owed_queue_length") == 0
    assert read(exposition, "owed_workers") == 1


def test_a_directory_of_somebody_else_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o777)
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "link").symlink_to(tmp_path)
    for name in ("open", "link"):
        with pytest.raises(PermissionError):
            private(tmp_path / name)

    assert private(private(tmp_path / "ours")).stat().st_mode & 0o777 == 0o700


def test_services_that_have_ended_are_forgotten(tmp_path: Path) -> None:
    for pid in (dead_pid(), os.getpid()):
        (tmp_path / f"{pid}-1").mkdir()
    forget_services_gone(tmp_path)

    assert [each.name for each in tmp_path.iterdir()] == [f"{os.getpid()}-1"]


def workers(service: Service) -> list[psutil.Process]:
    children = psutil.Process(service.process.pid).children()
    return [child for child in children if any("spawn_main" in part for part in child.cmdline())]


def until(condition: Callable[[], bool]) -> None:
    """Wait for what the operating system and other processes do in their own time."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def scrape(service: Service) -> bytes:
    """Scrape over a connection of its own, which either worker may take."""
    client = Client(service.port)
    try:
        return client.get("/metrics").body
    finally:
        client.close()


def test_every_scrape_shows_the_whole_service_and_no_counter_ever_goes_down(
    serve_alone: Callable[..., Service],
) -> None:
    service = serve_alone(OWED_WORKERS="2")
    until(lambda: read(scrape(service), "owed_workers") == 2)
    for _ in range(20):
        with_own_connection = Client(service.port)
        assert with_own_connection.get("/health").status == 200
        with_own_connection.close()
    until(lambda: read(scrape(service), "owed_requests_total", HEALTH) == 20)
    assert {read(scrape(service), "owed_requests_total", HEALTH) for _ in range(10)} == {20}

    killed = workers(service)[0]
    killed.kill()
    seen = [20.0]

    def is_replaced() -> bool:
        now = scrape(service)
        seen.append(read(now, "owed_requests_total", HEALTH))
        return read(now, "owed_workers") == 2 and not psutil.pid_exists(killed.pid)

    until(is_replaced)
    assert set(seen) == {20}
